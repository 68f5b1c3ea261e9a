"""
Format: the blocks the prompt asked for, each once, in order, and nothing around them.

The rule looks at structure only. It never reads what the blocks say, so a
completion cannot earn the format reward by being right or lose it by being
wrong. Tags are exact ASCII strings searched in one pass; callers give names and
delimiters, never patterns, so no input can make the scan slow.
"""

import re
import unicodedata
from dataclasses import dataclass
from itertools import islice
from typing import Annotated, Any, ClassVar, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, model_validator

from reward_service.extract import boxed_spans, find_spans
from reward_service.verdicts import Score, Verdict
from reward_service.verifiers.base import Attempt, Place, Rule
from reward_service.verifiers.format_characters import Finding, disguises

Preset = Literal["think_answer", "think_only", "think_boxed", "answer_only", "tags"]
Scoring = Literal["strict", "signed", "graded"]

MAX_FINDINGS = 16
"""Findings listed for one completion; the first ones say what is wrong, the rest is repetition."""

_BLANK = frozenset("\u115f\u1160\u2800\u3164\uffa0")  # fillers: letters and signs without ink
_THOUGHT_NAMES = frozenset({"think", "thinking", "thought", "reasoning"})


class Tag(BaseModel):
    """One block of the `tags` preset. Delimiters default to `<name>` and `</name>`."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    name: Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_-]{0,31}$")]
    open: Annotated[str, Field(min_length=1, max_length=64)] | None = None
    close: Annotated[str, Field(min_length=1, max_length=64)] | None = None

    @property
    def delimiters(self) -> tuple[str, str]:
        return self.open or f"<{self.name}>", self.close or f"</{self.name}>"


_THINK, _ANSWER = Tag(name="think"), Tag(name="answer")


class _Shape(NamedTuple):
    """What a preset asks for around its blocks."""

    tags: tuple[Tag, ...]
    text_before: bool = False
    text_after: bool = False
    box: bool = False


_SHAPES = {
    "think_answer": _Shape((_THINK, _ANSWER)),
    "think_only": _Shape((_THINK,), text_after=True),
    "think_boxed": _Shape((_THINK,), text_after=True, box=True),
    "answer_only": _Shape((_ANSWER,), text_before=True),
}


class _Delimiter(NamedTuple):
    text: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class _Block:
    """The inside of one block."""

    name: str
    start: int
    end: int


class Format(Rule):
    """`format`: whether the completion has the asked-for blocks and nothing else."""

    place: ClassVar[Place] = "inline"

    preset: Preset = "think_answer"
    """`think_answer`: `<think>…</think><answer>…</answer>`, only white space around. `think_only`:
    a thought, then the answer as free text. `think_boxed`: the same with one boxed answer in it.
    `answer_only`: free text, then one answer block. `tags`: the blocks listed in `tags`."""
    tags: Annotated[tuple[Tag, ...], Field(max_length=8, strict=False)] = ()
    """Blocks of the `tags` preset in order; only white space may stand around them."""
    scoring: Scoring = "strict"
    """`strict`: 1 or 0. `signed`: 1 or -1. `graded`: 1, else up to 0.5 for the share of delimiters
    that stand exactly once and in order, so that no partial form comes near full marks."""
    min_thought_chars: Annotated[int, Field(ge=0, le=10_000)] = 8
    """Letters and digits a thought must hold; blank or "..." is no thought."""

    @model_validator(mode="after")
    def _tags_go_with_the_tags_preset(self) -> "Format":
        if (self.preset == "tags") != bool(self.tags):
            raise ValueError("`tags` is given with preset `tags` and only then")
        delimiters = [text for tag in self.tags for text in tag.delimiters]
        if len(set(delimiters)) != len(delimiters):
            raise ValueError("every delimiter in `tags` must be different from the others")
        return self

    def __call__(self, attempt: Attempt) -> Score:
        """Score the structure; every deduction names a code and a character offset."""
        completion = attempt.completion
        if not completion.strip():
            return self._score(attempt, [Finding("empty_completion", 0)], 0.0)
        shape = _SHAPES.get(self.preset) or _Shape(self.tags)
        expected = [text for tag in shape.tags for text in tag.delimiters]
        given = 1 if attempt.think_prefilled and expected[0] == "<think>" else 0
        found = _delimiters(completion, expected)
        findings = _sequence_findings(expected[given:], found, len(completion))
        if not findings:
            blocks = _blocks(shape.tags, found, given)
            findings += _surrounding_findings(completion, shape, found, given)
            findings += self._content_findings(completion, blocks)
        plain = frozenset(tag.name for tag in shape.tags if tag.open is tag.close is None)
        findings += islice(disguises(completion, plain), MAX_FINDINGS)
        return self._score(attempt, findings, _order_share(expected[given:], found))

    def _content_findings(self, completion: str, blocks: list[_Block]) -> list[Finding]:
        findings = []
        for block in blocks:
            inside = completion[block.start : block.end]
            if not _has_visible(inside):
                findings.append(Finding(f"empty_{block.name}", block.start))
            elif block.name in _THOUGHT_NAMES and not self._is_thought(inside):
                findings.append(Finding("thought_too_short", block.start))
        return findings

    def _is_thought(self, text: str) -> bool:
        letters = islice(filter(str.isalnum, text), self.min_thought_chars)
        return sum(1 for _ in letters) == self.min_thought_chars

    def _score(self, attempt: Attempt, findings: list[Finding], order_share: float) -> Score:
        passed = not findings
        value = {
            "strict": float(passed),
            "signed": 1.0 if passed else -1.0,
            "graded": 1.0 if passed else 0.5 * order_share,
        }[self.scoring]
        reason = "well_formed" if passed else findings[0].code
        verdict = Verdict.CORRECT if passed else Verdict.FORMAT_ERROR
        if reason == "empty_completion":
            verdict = Verdict.NO_ANSWER
        spans = find_spans(attempt.completion, think_prefilled=attempt.think_prefilled)
        details: dict[str, Any] = {
            "passed": passed,
            "reasons": [finding._asdict() for finding in findings[:MAX_FINDINGS]],
            "spans": {"thought": spans.thought, "answer": spans.answer},
        }
        flags = ("truncated",) if attempt.finish_reason == "length" else ()
        return Score(verdict, value, reason, details, flags)


def _delimiters(completion: str, expected: list[str]) -> list[_Delimiter]:
    """Every delimiter in the text. A longer one wins where two begin at the same place."""
    pattern = "|".join(re.escape(text) for text in sorted(expected, key=len, reverse=True))
    return [_Delimiter(m.group(), *m.span()) for m in re.finditer(pattern, completion)]


def _sequence_findings(expected: list[str], found: list[_Delimiter], size: int) -> list[Finding]:
    """Where the delimiters differ from the expected order; nothing if they are exactly it."""
    if [delimiter.text for delimiter in found] == expected:
        return []
    first = {delimiter.text: delimiter.start for delimiter in reversed(found)}
    findings = []
    next_start = size
    for text in reversed(expected):
        if text not in first:
            findings.append(Finding("missing_tag", next_start))
        next_start = first.get(text, next_start)
    findings.reverse()
    reached = -1
    for delimiter in found[: 4 * MAX_FINDINGS]:
        place = expected.index(delimiter.text) if delimiter.text in expected else reached
        if delimiter.start != first[delimiter.text] or delimiter.text not in expected:
            findings.append(Finding("repeated_tag", delimiter.start))
        elif place < reached:
            findings.append(Finding("misplaced_tag", delimiter.start))
        reached = max(reached, place)
    return findings


def _order_share(expected: list[str], found: list[_Delimiter]) -> float:
    """Share of expected delimiters that stand exactly once; 0 when those are out of order."""
    counts: dict[str, int] = {}
    for delimiter in found:
        counts[delimiter.text] = counts.get(delimiter.text, 0) + 1
    single = [delimiter.text for delimiter in found if counts[delimiter.text] == 1]
    in_order = single == [text for text in expected if counts.get(text) == 1]
    return len(single) / len(expected) if in_order else 0.0


def _blocks(tags: tuple[Tag, ...], found: list[_Delimiter], given: int) -> list[_Block]:
    """The insides of the blocks, for delimiters that are exactly the expected sequence."""
    starts = [0] * given + [delimiter.end for delimiter in found]
    ends = [0] * given + [delimiter.start for delimiter in found]
    return [_Block(tag.name, starts[2 * i], ends[2 * i + 1]) for i, tag in enumerate(tags)]


def _surrounding_findings(
    completion: str, shape: _Shape, found: list[_Delimiter], given: int
) -> list[Finding]:
    """Text where only white space belongs, and what is missing where text belongs."""
    findings = []
    if not given and not shape.text_before:
        findings += _stray(completion, 0, found[0].start, "text_before")
    for closing, opening in zip(found[1 - given :: 2], found[2 - given :: 2], strict=False):
        findings += _stray(completion, closing.end, opening.start, "text_between")
    tail = found[-1].end
    if not shape.text_after:
        findings += _stray(completion, tail, len(completion), "text_after")
    elif not _has_visible(completion[tail:]):
        findings.append(Finding("empty_answer", tail))
    elif shape.box:
        findings += _box_findings(completion, tail)
    return findings


def _stray(completion: str, start: int, end: int, code: str) -> list[Finding]:
    text = completion[start:end]
    blank = len(text) - len(text.lstrip())
    return [Finding(code, start + blank)] if blank < len(text) else []


def _box_findings(completion: str, start: int) -> list[Finding]:
    text = completion[start:]
    boxes = [(text[a:b].strip(), start + a) for a, b in boxed_spans(text)]
    if not boxes:
        return [Finding("missing_box", start)]
    if not boxes[-1][0]:
        return [Finding("empty_box", boxes[-1][1])]
    return [Finding("several_boxes", at) for content, at in boxes if content != boxes[-1][0]][:1]


def _has_visible(text: str) -> bool:
    """Whether anything in the text would leave a mark on paper."""
    return any(map(_is_visible, text))


def _is_visible(char: str) -> bool:
    is_mark = unicodedata.category(char) == "Mn"  # variation selectors too; it needs a base
    return char.isprintable() and not char.isspace() and not is_mark and char not in _BLANK
