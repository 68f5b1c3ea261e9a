r"""
The one answer a completion commits to.

A completion may think aloud as long as it likes, but what it answers is one
place: the last box after the thought, or the answer span. Several boxes are
read as one answer only where they stand together, so that `\boxed{7} or
\boxed{8}` is the list "7, 8" and not a choice left to the grader.
"""

import re
from dataclasses import dataclass
from typing import Literal

from reward_service.extract import answer_text, boxed_spans, find_spans
from reward_service.verifiers.base import Attempt

Extract = Literal["auto", "boxed", "answer", "raw"]

MAX_ANSWER = 4096
"""Characters. The longest honest answer in the labelled corpora has under 1,300."""

_JOINERS = re.compile(
    r"(?:[\s$,;.&]|\\[,;:! ]|\\quad|\\qquad|\\text\s*\{\s*(?:and|or)\s*\}|and|or)*"
)
_ALTERNATIVE = re.compile(
    r"\b(?:or|alternatively|maybe|perhaps|possibly|either|could be|might be)\b", re.IGNORECASE
)
_APPROXIMATION = re.compile(r"(?:\\approx|≈|\\simeq|\\doteq|approximately|numerically)\s*\$*\s*$")
_STARTS_APPROXIMATE = re.compile(r"\s*\$*\s*(?:\\approx|≈|\\simeq)")
_OPEN_BOX = re.compile(r"\\(?:boxed|fbox)\s*\{")
_BARE_BOX = re.compile(r"\\boxed\s+([0-9A-Za-z]|-?\d+(?:\.\d+)?)(?=[\s$.,]|$)")
_COMMENT = re.compile(r"(?m)^[ \t]*%[^\n]*$")
_LONE = 200  # characters of a completion that is nothing but its answer


@dataclass(frozen=True, slots=True)
class Committed:
    """The answer's text; `alternatives` are the boxes it joins, where it joins several."""

    text: str
    boxes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Uncommitted:
    """No answer, and why: a short snake_case reason."""

    reason: str


def committed_answer(attempt: Attempt, how: Extract) -> Committed | Uncommitted:
    """Find the committed answer of `attempt`.

    * `auto`: the last box after the thought (inside the answer block if there is one), else the
      answer block, else a stated answer ("the answer is 4"), else a completion of one short line.
    * `boxed`: boxes only. `answer`: the answer block only. `raw`: the completion as it stands.
    """
    completion = attempt.completion
    if how == "raw":
        return _bounded(completion)
    spans = find_spans(completion, think_prefilled=attempt.think_prefilled)
    if spans.final >= len(completion) and spans.thought is not None:
        return Uncommitted("thought_not_closed" if spans.thought[1] == spans.final else "no_answer")
    if how == "answer" and spans.answer is None:
        return Uncommitted("no_answer_block")
    start, end = spans.answer or (spans.final, len(completion))
    scope = _without_echo(completion[start:end], attempt.prompt).replace("\\\\boxed", "\\boxed")
    boxed = None if how == "answer" else _from_boxes(scope)
    if boxed is not None:
        return boxed
    if how == "boxed":
        return Uncommitted("no_box")
    if spans.answer is not None:
        return _bounded(scope)
    stated = answer_text(scope, find_spans(scope))
    if stated is None and "\n" not in scope.strip() and len(scope.strip()) <= _LONE:
        stated = scope
    return Uncommitted("no_answer") if stated is None else _bounded(stated)


def _without_echo(text: str, prompt: str | None) -> str:
    """Comments and a verbatim copy of the prompt are not the policy's answer."""
    if prompt is not None and len(prompt.strip()) >= 16:  # shorter ones may be said by chance
        text = text.replace(prompt.strip(), "\n")
    return _COMMENT.sub("", text)


def _from_boxes(text: str) -> Committed | Uncommitted | None:
    spans = _outermost(list(boxed_spans(text)))
    openings = [match.end() for match in _OPEN_BOX.finditer(text)]
    bare = list(_BARE_BOX.finditer(text))
    if bare and (not spans or bare[-1].start() > spans[-1][1]):
        return Committed(bare[-1][1])
    if not spans:
        return Uncommitted("box_not_closed") if openings else None
    if openings[-1] > spans[-1][1]:
        return Uncommitted("box_not_closed")
    return _join(text, spans)


def _outermost(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    kept: list[tuple[int, int]] = []
    for start, end in spans:  # ordered by their ends, so an outer box follows its inner ones
        while kept and kept[-1][0] >= start:
            kept.pop()
        kept.append((start, end))
    return kept


def _join(text: str, spans: list[tuple[int, int]]) -> Committed | Uncommitted:
    """The last box, with the boxes before it that belong to the same statement."""
    while len(spans) > 1 and _is_approximation(text, spans):
        spans = spans[:-1]
    first = len(spans) - 1
    while first > 0 and _belongs(text[spans[first - 1][1] + 1 : spans[first][0]]):
        first -= 1
    boxes = [text[start:end].strip() for start, end in spans[first:]]
    if not boxes[-1].strip("{}$ \t\n"):
        return Uncommitted("empty_box")
    boxes = list(dict.fromkeys(box for box in boxes if box))
    same_line = text.rfind("\n", 0, spans[-1][0]) + 1
    line = [text[start:end].strip() for start, end in spans if start >= same_line]
    answer = _bounded(", ".join(boxes))
    if isinstance(answer, Uncommitted):
        return answer
    return Committed(answer.text, tuple(line) if 1 < len(line) <= 32 else ())


def _is_approximation(text: str, spans: list[tuple[int, int]]) -> bool:
    between = text[spans[-2][1] + 1 : spans[-1][0]]
    opening = _OPEN_BOX.search(between)
    before = between[: opening.start()] if opening else between
    content = text[spans[-1][0] : spans[-1][1]]
    return bool(_APPROXIMATION.search(before) or _STARTS_APPROXIMATE.match(content))


def _belongs(between: str) -> bool:
    """Whether two boxes with `between` (it ends by opening the second box) are one statement."""
    opening = _OPEN_BOX.search(between)
    words = between[: opening.start()] if opening else between
    if "\n" in words.strip("\n$ \t") or words.count("\n") > 1:
        return False
    return bool(_JOINERS.fullmatch(words) or _ALTERNATIVE.search(words))


def _bounded(text: str) -> Committed | Uncommitted:
    text = text.strip()
    if not text:
        return Uncommitted("empty_answer")
    return Uncommitted("answer_too_long") if len(text) > MAX_ANSWER else Committed(text)
