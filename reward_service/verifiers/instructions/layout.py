"""Instructions on layout: lists, sections, titles, quotation, beginnings and ends."""

import json
import re
from collections.abc import Iterable
from typing import ClassVar

from reward_service.verifiers.instructions.base import Count, Instruction, Phrase

_HIGHLIGHT = re.compile(r"\*\*([^*\n]+)\*\*|(?<!\*)\*([^*\n]+)\*(?!\*)")
_BULLET = re.compile(r"^[ \t]*(?:\*(?!\*)|-(?!-))[ \t]*\S", re.MULTILINE)
_PLACEHOLDER = re.compile(r"\[[^\[\]\n]{1,200}\]")
_TITLE = re.compile(r"<<([^<>\n]+)>>")
_CONSTRAINED = ("My answer is yes.", "My answer is no.", "My answer is maybe.")


class NumberPlaceholders(Instruction):
    """At least so many placeholders in square brackets."""

    id: ClassVar[str] = "detectable_content:number_placeholders"
    num_placeholders: Count

    def holds(self, text: str) -> bool:
        return len(_PLACEHOLDER.findall(text)) >= self.num_placeholders


class Postscript(Instruction):
    """A line that begins with the marker, with text after it."""

    id: ClassVar[str] = "detectable_content:postscript"
    postscript_marker: Phrase

    def holds(self, text: str) -> bool:
        marker = self.postscript_marker.strip().lower()
        lines = [line.strip().lower() for line in text.splitlines()]
        first = next((i for i, line in enumerate(lines) if line.startswith(marker)), len(lines))
        after = [line.removeprefix(marker) for line in lines[first:]]
        return any(line.strip() for line in after)


class NumberBulletLists(Instruction):
    """Exactly so many bullet points, `* ` or `- `."""

    id: ClassVar[str] = "detectable_format:number_bullet_lists"
    num_bullets: Count

    def holds(self, text: str) -> bool:
        return len(_BULLET.findall(text)) == self.num_bullets


class ConstrainedResponse(Instruction):
    """Contains one of "My answer is yes.", "My answer is no.", "My answer is maybe."."""

    id: ClassVar[str] = "detectable_format:constrained_response"

    def holds(self, text: str) -> bool:
        return sum(phrase in text for phrase in _CONSTRAINED) == 1


class NumberHighlightedSections(Instruction):
    """At least so many `*highlighted*` parts with something in them."""

    id: ClassVar[str] = "detectable_format:number_highlighted_sections"
    num_highlights: Count

    def holds(self, text: str) -> bool:
        found = (bold or plain for bold, plain in _HIGHLIGHT.findall(text))
        return sum(bool(part.strip()) for part in found) >= self.num_highlights


class MultipleSections(Instruction):
    """At least so many sections, each begun by the splitter and a number."""

    id: ClassVar[str] = "detectable_format:multiple_sections"
    section_spliter: Phrase
    num_sections: Count

    def holds(self, text: str) -> bool:
        heading = re.compile(rf"\b{re.escape(self.section_spliter.strip())}\s?\d+")
        return len(heading.findall(text)) >= self.num_sections


class JsonFormat(Instruction):
    """The whole text is JSON, with or without a fence around it."""

    id: ClassVar[str] = "detectable_format:json_format"

    def holds(self, text: str) -> bool:
        text = re.sub(r"\A\s*+```(?:json|JSON|Json)?", "", text)
        try:
            json.loads(text.strip().removesuffix("```"))
        except (ValueError, RecursionError):
            return False
        return True


class Title(Instruction):
    """A title in double angle brackets."""

    id: ClassVar[str] = "detectable_format:title"

    def holds(self, text: str) -> bool:
        return any(title.strip() for title in _TITLE.findall(text))


class TwoResponses(Instruction):
    """Two different responses, separated by `******`."""

    id: ClassVar[str] = "combination:two_responses"

    def holds(self, text: str) -> bool:
        responses = [part.strip() for part in text.split("******")]
        filled = [part for part in responses if part]
        return all(responses[1:-1]) and len(filled) == 2 and filled[0] != filled[1]


class RepeatPrompt(Instruction):
    """Begins with the prompt, word for word."""

    id: ClassVar[str] = "combination:repeat_prompt"
    prompt_to_repeat: Phrase

    def holds(self, text: str) -> bool:
        return text.strip().lower().startswith(self.prompt_to_repeat.strip().lower())


class EndChecker(Instruction):
    """Ends with the phrase; quotation marks around the text are no part of it."""

    id: ClassVar[str] = "startend:end_checker"
    end_phrase: Phrase

    def holds(self, text: str) -> bool:
        return text.strip().strip('"').lower().endswith(self.end_phrase.strip().lower())


class Quotation(Instruction):
    """The whole text stands in double quotation marks."""

    id: ClassVar[str] = "startend:quotation"

    def holds(self, text: str) -> bool:
        text = text.strip()
        return len(text) > 1 and text[0] == '"' and text[-1] == '"'


ON_LAYOUT: Iterable[type[Instruction]] = (
    NumberPlaceholders,
    Postscript,
    NumberBulletLists,
    ConstrainedResponse,
    NumberHighlightedSections,
    MultipleSections,
    JsonFormat,
    Title,
    TwoResponses,
    RepeatPrompt,
    EndChecker,
    Quotation,
)
