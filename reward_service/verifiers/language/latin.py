"""
Which language each Latin-script word is in, judged together with its neighbours.

A word alone says little, so a sentence gets the cheapest labelling as a whole:
every word costs what its letters say against the language, every change of
language costs extra. Most sentences are settled without that search: where all
words together hold less evidence against the target than one change costs, the
search could only answer "all target".
"""

from collections.abc import Sequence
from functools import cache, lru_cache
from math import log

from lingua import IsoCode639_1, LanguageDetector, LanguageDetectorBuilder

from reward_service.verifiers.language.frequent_words import FREQUENT_WORDS

LATIN = tuple(FREQUENT_WORDS)
"""Languages told apart word by word, ISO 639-1."""

Evidence = tuple[float, ...]
"""Natural log of a word's probability in each language of LATIN."""

SWITCH = 4.0
"""Cost of a change of language, and of beginning in another language than the target."""

_FLOOR = 0.03  # least probability of a word in a language: no odd word decides alone
_NAME_WEIGHT = 0.2  # a capitalised word inside a sentence may be a name, which has no language
_LISTED = 0.9  # probability shared by the languages that list the word
_CACHED_WORDS = 20_000  # per cache; a fifth of a megabyte of prose has about 5,000
_ELIDED = frozenset({
    "l", "d", "qu", "n", "s", "c", "j", "m", "t", "jusqu", "lorsqu",
    "dell", "nell", "all", "dall", "sull", "un", "quest",
})  # fmt: skip
_ENGLISH_TAILS = frozenset({"s", "t", "re", "ve", "ll", "d", "m"})
_UNIFORM = (log(1 / len(LATIN)),) * len(LATIN)


@cache
def detector() -> LanguageDetector:
    """Lingua's small models: 15 MB for all six languages, where the large ones take 210 MB."""
    codes = [getattr(IsoCode639_1, code.upper()) for code in LATIN]
    builder = LanguageDetectorBuilder.from_iso_codes_639_1(*codes)
    return builder.with_low_accuracy_mode().with_preloaded_language_models().build()


@lru_cache(maxsize=_CACHED_WORDS)
def evidence(word: str) -> Evidence:
    """What the lower-case `word` says about its language, before any context."""
    head, _, tail = word.replace("’", "'").rpartition("'")
    listed = [code for code in LATIN if word.replace("’", "'") in FREQUENT_WORDS[code]]
    if not listed and head and tail in _ENGLISH_TAILS:
        listed = ["en"]
    if not listed and head in _ELIDED:
        listed = ["fr", "it"]
    if listed:
        return _logs({code: _LISTED / len(listed) for code in listed})
    if len(tail) < 3:
        return _UNIFORM
    values = detector().compute_language_confidence_values(tail)
    # Rounded, so that no difference in the order of summation can reach a verdict.
    guesses = {v.language.iso_code_639_1.name.lower(): round(v.value, 4) for v in values}
    return _logs(guesses)


def _logs(probabilities: dict[str, float]) -> Evidence:
    if not any(probabilities.values()):
        return _UNIFORM
    return tuple(round(log(max(probabilities.get(code, 0.0), _FLOOR)), 4) for code in LATIN)


class Doubt(dict[str, float]):
    """Word as written -> evidence against one target; exactly 0.0 for what is no word at all."""

    def __init__(self, target: str) -> None:
        super().__init__()
        self._target = LATIN.index(target)

    def __missing__(self, word: str) -> float:
        if len(self) >= _CACHED_WORDS:
            self.clear()
        if is_symbol(word):
            doubt = 0.0
        else:
            values = evidence(word.lower())
            doubt = max(max(values) - values[self._target], 1e-6)
        self[word] = doubt
        return doubt


@cache
def doubts(target: str) -> Doubt:
    """The process's one cache of doubts against `target`."""
    return Doubt(target)


def is_symbol(word: str) -> bool:
    """Single letters and short capitals name points and variables in every language."""
    return len(word) == 1 or (len(word) <= 3 and word.isupper())


def label(words: Sequence[str], target: str | None) -> list[str]:
    """The language of each word of one sentence; `target` is preferred where evidence is even."""
    home = LATIN.index(target) if target in LATIN else None
    values = [_in_sentence(word, first=i == 0) for i, word in enumerate(words)]
    start = [0.0 if home in (None, i) else -SWITCH for i in range(len(LATIN))]
    columns = list(zip(*values, strict=True))
    totals = [first + sum(column) for first, column in zip(start, columns, strict=True)]
    best = _best(totals, home)
    if totals[best] >= sum(map(max, values)) - SWITCH:  # no change can be worth its cost
        return [LATIN[best]] * len(words)
    return [LATIN[state] for state in _search(values, start, home)]


def _search(values: list[Evidence], scores: list[float], home: int | None) -> list[int]:
    """Viterbi's search; all changes of language cost the same, so one best predecessor will do."""
    came_from: list[list[int]] = []
    for word_values in values:
        best = _best(scores, home)
        entered = scores[best] - SWITCH
        came_from.append([i if score >= entered else best for i, score in enumerate(scores)])
        scores = [
            (score if score >= entered else entered) + value
            for score, value in zip(scores, word_values, strict=True)
        ]
    state = _best(scores, home)
    states = []
    for previous in reversed(came_from):
        states.append(state)
        state = previous[state]
    return states[::-1]


def _best(scores: list[float], home: int | None) -> int:
    best = scores.index(max(scores))
    return home if home is not None and scores[home] == scores[best] else best


@lru_cache(maxsize=_CACHED_WORDS)
def _as_name(word: str) -> Evidence:
    """Evidence of a capitalised word inside a sentence."""
    lower = word.lower()
    if any(lower in words for words in FREQUENT_WORDS.values()):
        return evidence(lower)
    return tuple(_NAME_WEIGHT * value for value in evidence(lower))


def _in_sentence(word: str, *, first: bool) -> Evidence:
    return evidence(word.lower()) if first or not word[0].isupper() else _as_name(word)
