"""docs/grpo.md quotes the trainer's lines; a line that changed must change there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/grpo.md").read_text("utf-8")
SOURCES = "\n".join(file.read_text() for file in (ROOT / "clients/grpo_trainer").glob("*.py"))
QUOTED = [
    line
    for block in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    for line in block.splitlines()
]


@pytest.mark.parametrize("line", QUOTED)
def test_a_quoted_line_is_in_the_source(line: str) -> None:
    assert f"\n{line}\n" in SOURCES


@pytest.mark.parametrize("name", sorted(set(re.findall(r"`(\w+\.py)`", PAGE))))
def test_a_named_file_is_there(name: str) -> None:
    assert (ROOT / "clients/grpo_trainer" / name).exists()
