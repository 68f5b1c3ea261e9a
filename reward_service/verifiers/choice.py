"""
Choice: one option of a multiple-choice question.

An answer counts when it names one option and only one: by its letter, by its
text, or by both where they agree. Naming two is naming none, so hedging between
options never pays.
"""

import re
from collections import deque
from collections.abc import Mapping
from typing import Annotated, ClassVar

from pydantic import Field

from reward_service.extract import AnswerFrom, answer_text, boxed_spans, find_spans
from reward_service.verdicts import Failure, Outcome, Score, Verdict
from reward_service.verifiers.base import Attempt, Place, Rule
from reward_service.verifiers.exact import SHOWN, normalised

Letter = Annotated[str, Field(pattern=r"^[A-Z]$")]

_BOXES_READ = 16  # last boxes compared with each other
_MAX_ANSWER = 4_000  # characters; a longer text names no single option
_WRAPPERS = re.compile(r"\\(?:text|textbf|mathrm|mathbf|mathsf|boxed|fbox)[ \t]{0,4}\{|[{}$*_`\"]")
_LEAD = re.compile(
    r"(?:the )?(?:(?:correct|right|best|final) )?(?:answer|option|choice)\s{0,4}(?:is|:|=)?\s{0,4}"
    r"(?:option|choice)?\s{0,4}",
    re.IGNORECASE,
)
_ALONE = re.compile(r"[(\[]?([A-Za-z])[)\].:]{0,2}")
_LABELLED = re.compile(r"[(\[]?([A-Z])([)\]][.:,]?|[.:]|\s?[-–—])?\s{1,8}(\S[^\n]*)")
_NEGATION = re.compile(r"\b(?:not|neither|nor|except|cannot)\b|n['’]t\b", re.IGNORECASE)
_DENIED = re.compile(
    r"(?:\b(?:never|anything but|rul(?:e|es|ed|ing) out|eliminat\w{1,4})|[¬~≠])\W{0,4}"
    r"(?:option |choice )?[(\[]?[A-Z]\b"
    r"|\b[A-Z][)\]]? (?:is|was) (?:\w+ ){0,4}(?:wrong|incorrect|false)\b",
    re.IGNORECASE,
)
_MENTION = re.compile(
    r"[(\[]([A-Z])[)\]]|\b(?:[Oo]ption|[Cc]hoice|[Aa]nswer(?:\s(?:is|choice))?:?)\s\(?([A-Z])\b"
    r"|(?<![A-Za-z0-9°])([B-HJ-Z])(?![A-Za-z0-9]|['’.]\w)"
    r"|(?<![A-Za-z0-9])(A)(?=\s*(?:[,;.:)/&|+]|$)|\s+(?:and|or|is|[B-Z])\b)"
)


class Choice(Rule):
    """`choice`: whether the answer names the one right option."""

    place: ClassVar[Place] = "inline"
    needs_ground_truth: ClassVar[bool] = True

    options: Annotated[Mapping[Letter, Annotated[str, Field(max_length=4000)]], Field()] = Field(
        default_factory=dict, max_length=26
    )
    """Letter to text. Without it, only letters are understood."""
    extract: AnswerFrom = "auto"
    """Where the answer is; without box, block or stated answer `auto` takes the last line."""

    def __call__(self, attempt: Attempt) -> Outcome:
        """Find the option named and compare it with the reference: a letter or an option's text."""
        wanted = {self._stated(reference, _plain(reference)) for reference in attempt.ground_truth}
        if not wanted or None in wanted or "" in wanted:
            return Failure("reference_is_no_option", "reference", "not one letter or option text")
        answer, boxes = self._answer(attempt)
        details = {"extracted": answer[:SHOWN]}
        found = self._named(answer) if len({self._named(box) for box in boxes}) < 2 else ""
        if found is None:
            return Score(Verdict.NO_ANSWER, 0.0, "no_option_named", details)
        if not found:
            return Score(Verdict.NO_ANSWER, 0.0, "several_options_named", details)
        details["option"] = found
        if found in wanted:
            return Score(Verdict.CORRECT, 1.0, "right_option", details)
        return Score(Verdict.WRONG_ANSWER, 0.0, "wrong_option", details)

    def _answer(self, attempt: Attempt) -> tuple[str, list[str]]:
        """The committed answer, and the last boxes of the text it was taken from."""
        completion = attempt.completion
        spans = find_spans(completion, think_prefilled=attempt.think_prefilled)
        answer = answer_text(completion, spans, self.extract)
        if answer is None and self.extract == "auto":
            answer = completion[spans.final :].rstrip().rpartition("\n")[2]
        scope = completion[slice(*spans.answer)] if spans.answer else completion[spans.final :]
        boxes = deque(boxed_spans(scope), maxlen=_BOXES_READ) if self.extract == "auto" else ()
        return (answer or "").strip(), [scope[start:end] for start, end in boxes]

    def _named(self, answer: str) -> str | None:
        """The letter of the one option named, "" for several, None for none."""
        if not answer or len(answer) > _MAX_ANSWER:
            return None
        text = _plain(answer)
        stated = self._stated(answer, text)
        if stated is not None:
            return stated
        if _NEGATION.search(text) or _DENIED.search(text):
            return None
        mentioned = {next(filter(None, match.groups())) for match in _MENTION.finditer(text)}
        mentioned = {letter for letter in mentioned if self._exists(letter)}
        return ("" if len(mentioned) > 1 else mentioned.pop()) if mentioned else None

    def _stated(self, answer: str, text: str) -> str | None:
        """The option that the whole answer is; `text` is the answer without markup."""
        for form in (answer, text, text[_lead_end(text) :]):
            letter = self._by_text(form) or self._by_letter(form.strip().rstrip(".!"))
            if letter is not None:
                return letter
        return None

    def _by_letter(self, text: str) -> str | None:
        alone = _ALONE.fullmatch(text)
        if alone is not None:
            letter = alone[1].upper()
            return letter if self._exists(letter) else None
        labelled = _LABELLED.fullmatch(text)
        if labelled is None or not self._exists(labelled[1]):
            return None
        letter, delimiter, rest = labelled.groups()
        said = self._by_text(rest)
        if said is not None:
            return letter if said == letter else ""
        return letter if delimiter and not _MENTION.search(rest) else None

    def _by_text(self, text: str) -> str | None:
        wanted = normalised(text)
        letters = [
            letter for letter, option in self.options.items() if normalised(option) == wanted
        ]
        return letters[0] if len(letters) == 1 else None

    def _exists(self, letter: str) -> bool:
        return letter in self.options if self.options else letter <= "J"


def _plain(answer: str) -> str:
    return " ".join(_WRAPPERS.sub(" ", answer).split())


def _lead_end(text: str) -> int:
    lead = _LEAD.match(text)
    return lead.end() if lead is not None else 0
