"""
How alike two texts are, from 0 to 1, by the measures that OpenAI's graders name.

BLEU and GLEU split at blanks; ROUGE splits, in lower case, at what is no letter or digit, as the
package rouge-score does. `cosine` and `meteor` need a model and a lexicon, and are not here.
"""

import math
import re
from collections import Counter
from collections.abc import Callable, Hashable, Mapping, Sequence

MAX_LENGTH = 20_000
"""Characters of a text; a comparison of two such takes about 0.1 s."""

_WORD = re.compile(r"[a-z0-9]+")


def fuzzy_match(text: str, reference: str) -> float:
    """Twice the longest common subsequence of characters, over both lengths (rapidfuzz's ratio)."""
    total = len(text) + len(reference)
    return 2 * longest_common(text, reference) / total if total else 1.0


def bleu(text: str, reference: str) -> float:
    """Sentence BLEU-4 (Papineni et al. 2002), counts above 1-grams plus one (Lin and Och 2004)."""
    words, wanted = text.split(), reference.split()
    if not words or not wanted:
        return float(words == wanted)
    total = 0.0
    for size in range(1, 5):
        shared, count, _ = _overlap(words, wanted, size)
        more = int(size > 1)
        if shared + more == 0:
            return 0.0
        total += math.log((shared + more) / (count + more))
    brevity = min(0.0, 1 - len(wanted) / len(words))
    return math.exp(total / 4 + brevity)


def gleu(text: str, reference: str) -> float:
    """The lesser of precision and recall over 1- to 4-grams (Wu et al. 2016)."""
    counts = [_overlap(text.split(), reference.split(), size) for size in range(1, 5)]
    shared, given, wanted = (sum(column) for column in zip(*counts, strict=True))
    return shared / max(given, wanted) if max(given, wanted) else 1.0


def rouge(size: int) -> Callable[[str, str], float]:
    """ROUGE-N (Lin 2004), as F1."""

    def measure(text: str, reference: str) -> float:
        return _f1(*_overlap(_words(text), _words(reference), size))

    return measure


def rouge_l(text: str, reference: str) -> float:
    """ROUGE-L (Lin 2004), as F1 of the longest common subsequence of words."""
    words, wanted = _words(text), _words(reference)
    return _f1(longest_common(words, wanted), len(words), len(wanted))


MEASURES: Mapping[str, Callable[[str, str], float]] = {
    "fuzzy_match": fuzzy_match,
    "bleu": bleu,
    "gleu": gleu,
    **{f"rouge_{size}": rouge(size) for size in range(1, 6)},
    "rouge_l": rouge_l,
}


def longest_common(first: Sequence[Hashable], second: Sequence[Hashable]) -> int:
    """Length of the longest common subsequence, all of `first` at once in the bits of integers
    (Hyyrö 2004)."""
    places: dict[Hashable, int] = {}
    for at, part in enumerate(first):
        places[part] = places.get(part, 0) | 1 << at
    everything = (1 << len(first)) - 1
    row = everything
    for part in second:
        matches = row & places.get(part, 0)
        row = (row + matches | row - matches) & everything
    return len(first) - row.bit_count()


def _words(text: str) -> list[str]:
    return _WORD.findall(text.lower())


def _overlap(words: Sequence[str], wanted: Sequence[str], size: int) -> tuple[int, int, int]:
    """n-grams in both, in the text, in the reference."""
    found, expected = _grams(words, size), _grams(wanted, size)
    return (found & expected).total(), found.total(), expected.total()


def _grams(words: Sequence[str], size: int) -> Counter[tuple[str, ...]]:
    return Counter(tuple(words[at : at + size]) for at in range(len(words) - size + 1))


def _f1(shared: int, given: int, wanted: int) -> float:
    return 2 * shared / (given + wanted) if given + wanted else 0.0
