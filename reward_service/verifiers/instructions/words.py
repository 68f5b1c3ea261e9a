"""Instructions on words, letters, sentences, case and language."""

import re
from collections.abc import Iterable
from typing import Annotated, ClassVar

from pydantic import Field

from reward_service.verifiers.instructions.base import (
    Count,
    Instruction,
    Ordinal,
    Phrase,
    Relation,
    compares,
)
from reward_service.verifiers.language import Code
from reward_service.verifiers.language.words import tally
from reward_service.verifiers.units import units_of

Phrases = Annotated[list[Phrase], Field(min_length=1, max_length=100)]

_SENTENCE_END = re.compile(
    r"(?<!\bMr)(?<!\bMs)(?<!\bDr)(?<!\bSt)(?<!\bvs)(?<!\bMrs)(?<!e\.g)(?<!i\.e)"
    r"(?<![.!?…])[.!?…]++[\"'”’)\]]{0,4}(?=\s|$)|[。！？।]+|\n\s*\n"
)
_ENGLISH_FROM = 0.8  # share of English words that makes a text "in English" for the case rules


def _occurrences(phrase: str, text: str) -> int:
    """Whole-word occurrences without regard to case; phrases of other scripts as substrings."""
    left = r"(?<!\w)" if phrase[0].isascii() and phrase[0].isalnum() else ""
    right = r"(?!\w)" if phrase[-1].isascii() and phrase[-1].isalnum() else ""
    return len(re.findall(left + re.escape(phrase) + right, text, re.IGNORECASE))


def _sentences(text: str) -> list[str]:
    return [part for part in _SENTENCE_END.split(text) if any(map(str.isalnum, part))]


def _is_in(language: str, text: str, share: float) -> bool:
    found = tally(text, language)
    return found.total > 0 and found.units[language] >= share * found.total


class Existence(Instruction):
    """Every keyword occurs."""

    id: ClassVar[str] = "keywords:existence"
    keywords: Phrases

    def holds(self, text: str) -> bool:
        return all(_occurrences(word, text) for word in self.keywords)


class ForbiddenWords(Instruction):
    """No forbidden word occurs."""

    id: ClassVar[str] = "keywords:forbidden_words"
    forbidden_words: Phrases

    def holds(self, text: str) -> bool:
        return not any(_occurrences(word, text) for word in self.forbidden_words)


class KeywordFrequency(Instruction):
    """A keyword occurs so often."""

    id: ClassVar[str] = "keywords:frequency"
    keyword: Phrase
    frequency: Count
    relation: Relation

    def holds(self, text: str) -> bool:
        return compares(_occurrences(self.keyword, text), self.relation, self.frequency)


class LetterFrequency(Instruction):
    """A letter occurs so often, in either case."""

    id: ClassVar[str] = "keywords:letter_frequency"
    letter: Annotated[str, Field(min_length=1, max_length=1)]
    let_frequency: Count
    let_relation: Relation

    def holds(self, text: str) -> bool:
        count = text.lower().count(self.letter.lower())
        return compares(count, self.let_relation, self.let_frequency)


class ResponseLanguage(Instruction):
    """At least nine tenths of the words are in one language (ISO 639-1)."""

    id: ClassVar[str] = "language:response_language"
    language: Code

    def holds(self, text: str) -> bool:
        return _is_in(self.language, text, 0.9)


class NumberSentences(Instruction):
    """So many sentences."""

    id: ClassVar[str] = "length_constraints:number_sentences"
    num_sentences: Count
    relation: Relation

    def holds(self, text: str) -> bool:
        return compares(len(_sentences(text)), self.relation, self.num_sentences)


class NumberWords(Instruction):
    """So many words; a character is a word in scripts without spaces."""

    id: ClassVar[str] = "length_constraints:number_words"
    num_words: Count
    relation: Relation

    def holds(self, text: str) -> bool:
        return compares(len(units_of(text)), self.relation, self.num_words)


class NumberParagraphs(Instruction):
    """Exactly so many paragraphs, separated by a line `***`."""

    id: ClassVar[str] = "length_constraints:number_paragraphs"
    num_paragraphs: Count

    def holds(self, text: str) -> bool:
        parts = re.split(r"\s?\*\*\*\s?", text)
        inner = parts[1:-1]
        filled = [part for part in parts if part.strip()]
        return all(part.strip() for part in inner) and len(filled) == self.num_paragraphs


class NthParagraphFirstWord(Instruction):
    """Exactly so many paragraphs, separated by blank lines; the n-th begins with a word."""

    id: ClassVar[str] = "length_constraints:nth_paragraph_first_word"
    num_paragraphs: Count
    nth_paragraph: Ordinal
    first_word: Phrase

    def holds(self, text: str) -> bool:
        parts = [part for part in re.split(r"\n[ \t]*\n", text) if part.strip()]
        if len(parts) != self.num_paragraphs or self.nth_paragraph > len(parts):
            return False
        words = units_of(parts[self.nth_paragraph - 1][:4_000])
        return words[:1] == units_of(self.first_word)[:1]


class CapitalWordFrequency(Instruction):
    """So many words all in capitals."""

    id: ClassVar[str] = "change_case:capital_word_frequency"
    capital_frequency: Count
    capital_relation: Relation

    def holds(self, text: str) -> bool:
        capitals = sum(word.isupper() for word in re.findall(r"\w+(?:['’-]\w+)*", text))
        return compares(capitals, self.capital_relation, self.capital_frequency)


class EnglishCapital(Instruction):
    """English, all in capitals."""

    id: ClassVar[str] = "change_case:english_capital"

    def holds(self, text: str) -> bool:
        return text.isupper() and _is_in("en", text.lower(), _ENGLISH_FROM)


class EnglishLowercase(Instruction):
    """English, without a capital."""

    id: ClassVar[str] = "change_case:english_lowercase"

    def holds(self, text: str) -> bool:
        return text.islower() and _is_in("en", text, _ENGLISH_FROM)


class NoComma(Instruction):
    """No comma."""

    id: ClassVar[str] = "punctuation:no_comma"

    def holds(self, text: str) -> bool:
        return not set(text) & set(",，、،")


ON_WORDS: Iterable[type[Instruction]] = (
    Existence,
    ForbiddenWords,
    KeywordFrequency,
    LetterFrequency,
    ResponseLanguage,
    NumberSentences,
    NumberWords,
    NumberParagraphs,
    NthParagraphFirstWord,
    CapitalWordFrequency,
    EnglishCapital,
    EnglishLowercase,
    NoComma,
)
