"""The examples of docs/verifiers.md do what the page says."""

import doctest
from pathlib import Path

from reward_service.verifiers import VERIFIERS

PAGE = Path(__file__).parents[2] / "docs/verifiers.md"


def test_every_example_runs() -> None:
    failed, tried = doctest.testfile(str(PAGE), module_relative=False, encoding="utf-8")
    assert failed == 0
    assert tried > 30


def test_every_verifier_is_on_the_page() -> None:
    page = PAGE.read_text("utf-8")
    assert [name for name in VERIFIERS if f"`{name}`" not in page] == []
