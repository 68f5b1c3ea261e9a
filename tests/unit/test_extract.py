"""What counts as thought, answer and submitted program."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reward_service.extract import (
    answer_text,
    code_text,
    fenced_blocks,
    find_spans,
    last_boxed,
    opens_thought,
)

CASES = [
    json.loads(line)
    for line in (Path(__file__).parents[1] / "data/extract.jsonl").read_text("utf-8").splitlines()
]
FENCES = {
    "python": ["python", "Python", "py", "python3", "py3", "pypy", "{.python}", "python:main.py"],
    "c": ["c", "C"],
    "cpp": ["cpp", "c++", "C++", "cc", "cxx", "c++11", "c++14", "c++17", "c++20", "cpp17", "cpp20"],
    "java": ["java", "Java"],
    "javascript": ["javascript", "js", "jsx", "mjs", "node", "nodejs", "JavaScript"],
    "typescript": ["typescript", "ts", "tsx"],
    "go": ["go", "golang"],
    "rust": ["rust", "rs", "rust,ignore"],
    "bash": ["bash", "sh", "shell", "zsh"],
    "ruby": ["ruby", "rb"],
    "php": ["php"],
    "perl": ["perl", "pl"],
    "lua": ["lua"],
    "sql": ["sql", "sqlite", "sqlite3"],
}
TAGS = ["<think>", "</think>", "<answer>", "</answer>"]
MARKS = [
    "\\boxed{",
    "{",
    "}",
    "\\",
    "```",
    "```py\n",
    "~~~",
    "- ",
    "\n",
    "#### ",
    "answer is ",
    "$",
]
PIECES = st.sampled_from([*TAGS, *MARKS, "4", " ", "\x00", "\ufffd"])


@pytest.mark.parametrize("case", [pytest.param(case, id=case["id"]) for case in CASES])
def test_extraction_follows_the_stated_rules(case: dict[str, Any]) -> None:
    text, how = case["text"], case.get("how", "auto")
    spans = find_spans(text, think_prefilled=case.get("prefilled", False))
    if case["fn"] == "answer":
        assert answer_text(text, spans, how) == case["want"], case["why"]
    else:
        language = case.get("language", "python")
        assert code_text(text, spans, how, language) == case["want"], case["why"]


@pytest.mark.parametrize(
    ("word", "language"), [(word, language) for language, words in FENCES.items() for word in words]
)
def test_a_fence_may_call_its_language_by_any_usual_name(word: str, language: str) -> None:
    other = "python" if language != "python" else "ruby"
    text = f"Here:\n```{word}\nmine\n```\nnot:\n```{other}\ntheirs\n```\n"
    assert code_text(text, find_spans(text), "auto", language) == "mine\n"


@given(st.lists(PIECES, max_size=40).map("".join), st.booleans())
def test_spans_lie_in_the_completion_and_in_order(text: str, prefilled: bool) -> None:
    spans = find_spans(text, think_prefilled=prefilled)
    assert 0 <= spans.final <= len(text)
    if spans.thought is not None:
        assert 0 <= spans.thought[0] <= spans.thought[1] <= spans.final
    if spans.answer is not None:
        assert spans.final <= spans.answer[0] <= spans.answer[1] <= len(text)


@given(st.lists(PIECES, max_size=40).map("".join))
def test_blocks_and_boxes_are_cut_from_the_text(text: str) -> None:
    boxed = last_boxed(text)
    assert boxed is None or boxed in text
    blocks = fenced_blocks(text)
    assert all(0 <= block.start < block.end <= len(text) for block in blocks)
    assert all(block.closed for block in blocks[:-1])


@pytest.mark.parametrize(
    ("prompt", "opens"),
    [
        pytest.param("User: 1+1?\nAssistant: <think>\n", True, id="template-tail"),
        pytest.param("Put your reasoning in <think> tags.", False, id="mentioned"),
        pytest.param(None, False, id="no-prompt"),
    ],
)
def test_a_prompt_ending_in_think_opens_the_thought(prompt: str | None, opens: bool) -> None:
    assert opens_thought(prompt) is opens
