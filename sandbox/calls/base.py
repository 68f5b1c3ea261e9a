"""
What the drivers of all languages share.
"""

from functools import cache
from pathlib import Path


@cache
def driver(name: str) -> str:
    """The text of a driver of this package."""
    return (Path(__file__).parent / name).read_text(encoding="utf-8")
