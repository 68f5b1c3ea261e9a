"""
The one parser that decides what a completion's thought and answer are.

Every verifier reads the spans found here, so the format rule and the answer
matcher cannot disagree about which block counts. Only exact ASCII tags exist
for it: `< think >`, `<Think>` and full-width look-alikes are plain text. Every
scan is linear in the completion, whatever the completion holds.
"""

import re
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

AnswerFrom = Literal["auto", "boxed", "answer", "raw"]
"""Where `answer_text` looks: see there."""

CodeFrom = Literal["auto", "fenced", "answer", "all", "raw"]
"""Where `code_text` looks: see there."""

_THINK, _END_THINK = "<think>", "</think>"
_ANSWER, _END_ANSWER = "<answer>", "</answer>"

_LATEX = re.compile(r"\\(?:boxed|fbox)[ \t\n]{0,8}\{|\\.|[{}]", re.DOTALL)
_FENCE_LINE = re.compile(r"(`{3,}|~{3,})([^\n]*)")
_FENCE_INDENT = re.compile(r"[ \t]*(?:(?:[-*+]|\d{1,9}[.)])[ \t]+)?")
_TRAILING_FENCE = re.compile(r"(?<=[^`~\s])[ \t]*(?:`{3,}|~{3,})\s*\Z")  # closed on a line of code
_INFO_WORD = re.compile(r"[\w+#.-]+")

_ALIASES = {
    "py": "python",
    "python3": "python",
    "py3": "python",
    "pypy": "python",
    "c++": "cpp",
    "cc": "cpp",
    "cxx": "cpp",
    "c++11": "cpp",
    "c++14": "cpp",
    "c++17": "cpp",
    "c++20": "cpp",
    "cpp17": "cpp",
    "cpp20": "cpp",
    "js": "javascript",
    "jsx": "javascript",
    "mjs": "javascript",
    "node": "javascript",
    "nodejs": "javascript",
    "ts": "typescript",
    "tsx": "typescript",
    "rs": "rust",
    "golang": "go",
    "sh": "bash",
    "zsh": "bash",
    "rb": "ruby",
    "pl": "perl",
    "sqlite": "sql",
    "sqlite3": "sql",
    "shell": "bash",
}

_CODE_START = re.compile(
    r"\s*+(?:#!|#include\b|#[ \t]|//|/\*|\"\"\"|'''|@\w|"
    r"(?:import|from|using|package|use|struct|enum|public|static|fn|func|function|template|"
    r"def|class|async|namespace|typedef|int|void|let|const|var)[ \t]+[\w*:<({\"']|"
    r"(?:for|while|if|with)\b[^\n]{0,200}[:{][ \t]*(?:\n|$)|"
    r"[A-Za-z_]\w{0,80}[ \t]*[-+*/]?=[^=]|[A-Za-z_][\w.]{0,80}\([^\n]*\)[;\s])"
)

_STATED = re.compile(
    r"\banswer\b[*_ \t]{0,4}(?:is|:|=)[*_: \t]{0,8}|答案[是为為]?[:： \t]{0,4}|答えは[:： \t]{0,4}",
    re.IGNORECASE,
)
_DOLLARS = re.compile(r"\$\$?([^$]+)\$\$?")
_JOINERS = re.compile(r"(?:[\s,;.&|/*_]|and|or|和|或)*")


@dataclass(frozen=True, slots=True)
class Spans:
    """Character offsets into the completion, tags left out; `final` is where the thought is over.

    `final` equals the completion's length while the thought is not closed: such a completion has
    said nothing yet that could be its answer.
    """

    thought: tuple[int, int] | None
    answer: tuple[int, int] | None
    final: int


@dataclass(frozen=True, slots=True)
class Fence:
    """One fenced block. `start` and `end` are the offsets of the whole block, fences included."""

    language: str
    """First word after the opening fence, lower case, aliases resolved; "" when none is stated."""
    code: str
    start: int
    end: int
    closed: bool


def opens_thought(prompt: str | None) -> bool:
    """Whether the prompt itself ends by opening `<think>`, as R1-style chat templates do."""
    return prompt is not None and prompt[-64:].rstrip().endswith(_THINK)


def find_spans(completion: str, *, think_prefilled: bool = False) -> Spans:
    """Find thought and answer.

    The thought runs from the first `<think>` (from the start where it was prefilled) to the last
    `</think>`, so nothing said inside a second thought can be an answer. A `<think>` that is never
    closed makes the rest thought. The answer is the last closed `<answer>` block after the
    thought, or the text after a last `<answer>` that the end of the completion cut off.
    """
    size = len(completion)
    close = completion.rfind(_END_THINK)
    final = close + len(_END_THINK) if close >= 0 else 0
    if completion.find(_THINK, final) >= 0 or (think_prefilled and close < 0):
        close = final = size
    if close < 0:
        return Spans(None, _find_answer(completion, 0), 0)
    opening = -1 if think_prefilled else completion.find(_THINK, 0, close)
    start = opening + len(_THINK) if opening >= 0 else 0
    return Spans((start, close), _find_answer(completion, final), final)


def _find_answer(completion: str, final: int) -> tuple[int, int] | None:
    last_close = completion.rfind(_END_ANSWER, final)
    opening = completion.rfind(_ANSWER, final, last_close) if last_close >= 0 else -1
    if opening >= 0:
        start = opening + len(_ANSWER)
        return start, completion.find(_END_ANSWER, start)
    opening = completion.rfind(_ANSWER, final)
    return (opening + len(_ANSWER), len(completion)) if opening >= 0 else None


def boxed_spans(text: str) -> Iterator[tuple[int, int]]:
    r"""Offsets of the contents of every balanced `\boxed{...}` or `\fbox{...}`, as they close."""
    open_braces: list[int | None] = []
    for match in _LATEX.finditer(text):
        found = match.group()
        if found == "}":
            start = open_braces.pop() if open_braces else None
            if start is not None:
                yield start, match.start()
        elif found == "{":
            open_braces.append(None)
        elif found[-1] == "{" and len(found) > 2:
            open_braces.append(match.end())


def last_boxed(text: str) -> str | None:
    r"""Content of the last balanced `\boxed{...}` or `\fbox{...}`; of nested ones the outer."""
    spans = deque(boxed_spans(text), maxlen=1)
    return text[spans[0][0] : spans[0][1]] if spans else None


def fenced_blocks(text: str) -> list[Fence]:
    """Markdown's fenced blocks in order; a last one that is never closed is there, marked so.

    Beyond CommonMark a fence may be indented at will, and may open after text on its line when
    exactly one language word follows it ("Here it is: ```python").
    """
    blocks: list[Fence] = []
    opened: tuple[re.Match[str], int] | None = None
    for match in _FENCE_LINE.finditer(text):
        line_start = text.rfind("\n", 0, match.start()) + 1
        before = text[line_start : match.start()]
        if opened is None:
            indent = _fence_indent(before, match)
            opened = None if indent is None else (match, indent)
        elif not before.strip() and _closes(opened[0], match):
            blocks.append(_fence(text, opened, line_start, match.end()))
            opened = None
    if opened is not None:
        blocks.append(_fence(text, opened, len(text), None))
    return blocks


def _fence_indent(before: str, match: re.Match[str]) -> int | None:
    """Columns to take off each line of the block, or None where `match` opens no block."""
    info = match[2].strip()
    if "`" in info:
        return None
    if _FENCE_INDENT.fullmatch(before):
        return len(before)
    return 0 if _INFO_WORD.fullmatch(info) and match.end() < len(match.string) else None


def _closes(opening: re.Match[str], match: re.Match[str]) -> bool:
    fence, other = opening[1], match[1]
    return other[0] == fence[0] and len(other) >= len(fence) and not match[2].strip()


def _fence(text: str, opened: tuple[re.Match[str], int], stop: int, end: int | None) -> Fence:
    match, indent = opened
    code = text[min(match.end() + 1, stop) : stop]
    if end is None:
        code = _TRAILING_FENCE.sub("", code)
    if indent:
        code = re.sub(rf"(?m)^[ \t]{{1,{indent}}}", "", code)
    word = _INFO_WORD.search(match[2])
    language = word.group().lower().lstrip(".") if word else ""
    return Fence(
        _ALIASES.get(language, language),
        code,
        match.start(),
        len(text) if end is None else end,
        closed=end is not None,
    )


def answer_text(completion: str, spans: Spans, how: AnswerFrom = "auto") -> str | None:
    r"""What the completion commits to as its answer, or None.

    * `auto`: inside the answer block if there is one, else after the thought: the last balanced
      box; else the answer block; else a stated answer ("the answer is 4", a last line "#### 4",
      a last line ending in `$4$`).
    * `boxed`: the last box of the answer block, else of the text after the thought.
    * `answer`: the answer block.
    * `raw`: the completion as it stands.
    """
    if how == "raw":
        return completion
    block = None if spans.answer is None else completion[spans.answer[0] : spans.answer[1]]
    if how == "answer":
        return None if block is None else block.strip()
    after = completion[spans.final :]
    boxed = last_boxed(after if block is None else block)
    if how == "boxed":
        return boxed if boxed is not None or block is None else last_boxed(after)
    if boxed is not None:
        return boxed
    return _stated_answer(after) if block is None else block.strip()


def _stated_answer(text: str) -> str | None:
    text = text.rstrip()
    last_line = text[text.rfind("\n") + 1 :].strip()
    if last_line.startswith("####"):
        return last_line.lstrip("#").strip() or None
    stated = deque(_STATED.finditer(text), maxlen=1)
    if stated:
        rest = text[stated[0].end() :].lstrip().partition("\n")[0]
        return rest.strip(" \t*_").removesuffix(".").strip(" \t*_") or None
    formulas = _DOLLARS.findall(last_line)
    if len(formulas) > 1 and _JOINERS.fullmatch(_DOLLARS.sub("", last_line)):
        return last_line.replace("$", " ").strip()  # nothing says that the last one is meant
    return formulas[-1].strip() if formulas else None


def code_text(completion: str, spans: Spans, how: CodeFrom, language: str) -> str | None:
    """The program a completion submits in `language` (canonical name, e.g. `python`), or None.

    * `auto`: the last fenced block that states the language, else the last that states none,
      looked for in the answer block first and then after the thought; else the answer block;
      else all text after the thought if it has no fence and begins as code does.
    * `fenced`: the fenced block of `auto`, nothing else.
    * `answer`: the answer block, taken out of its fence if it has one.
    * `all`: all text after the thought.
    * `raw`: the completion as it stands.
    """
    if how == "raw":
        return completion
    after = completion[spans.final :]
    if how == "all":
        return after
    block = None if spans.answer is None else completion[spans.answer[0] : spans.answer[1]]
    fenced = None if block is None else _last_fence(block, language)
    if how == "answer":
        return block if fenced is None else fenced
    if fenced is None:
        fenced = _last_fence(after, language)
    if fenced is not None or how == "fenced":
        return fenced
    if block is not None:
        return block
    has_fence = "```" in after or "~~~" in after
    return after if not has_fence and _CODE_START.match(after) else None


def _last_fence(text: str, language: str) -> str | None:
    blocks = fenced_blocks(text)
    stated = [block.code for block in blocks if block.language == language]
    candidates = stated or [block.code for block in blocks if not block.language]
    return candidates[-1] if candidates else None
