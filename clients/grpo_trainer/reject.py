"""
Rejection sampling: of many samples the ones worth imitating, and why the others are not.

R1 kept what was right and readable: no mixed languages, no long paragraphs, no code blocks in the
thought (section 1.5 of its recipe; B.3.3). The limits are not printed; these are ours.
"""

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from tqdm import tqdm

from grpo_trainer.samples import Sample, by_problem


@dataclass(frozen=True, slots=True)
class Limits:
    """What a sample must keep to."""

    min_reward: float = 1.0
    min_language: float = 0.95
    """Language consistency; 0 does without the component."""
    max_paragraph: int = 1500
    """Characters between blank lines in the thought."""
    max_repetition: float = 0.2
    """Share of word 6-grams in the thought that occurred before in it."""
    allow_code_blocks: bool = False
    """Whether a fence may stand in the thought."""
    per_problem: int = 4
    """The best so many of each problem, the shorter first where rewards are equal."""


@dataclass(slots=True)
class Kept:
    """The samples that passed, and how many fell for which reason."""

    samples: list[Sample] = field(default_factory=list)
    dropped: Counter[str] = field(default_factory=Counter)


def reject(samples: Iterable[Sample], limits: Limits) -> Kept:
    """Keep what `limits` allow, at most `per_problem` of each, none twice.

    Raises ValueError when a language limit is set and a sample has no such component.
    """
    kept = Kept()
    for group in tqdm(by_problem(samples).values(), desc="rejecting", unit="problem"):
        seen: set[str] = set()
        taken = 0
        for sample in sorted(group, key=_best_first):
            reason = fault(sample, limits)
            text = normalised(sample.completion)
            if reason is None and text in seen:
                reason = "duplicate"
            if reason is None and taken == limits.per_problem:
                reason = "enough_of_this_problem"
            if reason is None:
                seen.add(text)
                taken += 1
                kept.samples.append(sample)
            else:
                kept.dropped[reason] += 1
    return kept


def fault(sample: Sample, limits: Limits) -> str | None:
    """Return what is wrong with a sample by itself; None if nothing is."""
    if sample.reward is None:
        return "not_scored"
    if sample.reward < limits.min_reward:
        return "low_reward"
    if sample.truncated:
        return "truncated"
    if limits.min_language and _language(sample) < limits.min_language:
        return "mixed_language"
    thought = sample.thought
    if max(map(len, re.split(r"\n\s*\n", thought))) > limits.max_paragraph:
        return "long_paragraph"
    if "```" in thought and not limits.allow_code_blocks:
        return "code_block"
    if repeated_share(thought) > limits.max_repetition:
        return "repetition"
    return None


def repeated_share(text: str, n: int = 6) -> float:
    """Share of the n-grams of words that stand in `text` for the second time or more.

    In scripts without blanks every letter is a word.
    """
    words = re.findall(r"[぀-ヿ㐀-鿿가-힯]|\w+", text.lower())
    grams = [tuple(words[start : start + n]) for start in range(len(words) - n + 1)]
    return 1 - len(set(grams)) / len(grams) if grams else 0.0


def normalised(text: str) -> str:
    """Return `text` with blanks and case evened out, to find the same thing said twice."""
    return " ".join(text.lower().split())


def _language(sample: Sample) -> float:
    if "language" not in sample.components:
        raise ValueError(
            f"a sample of {sample.problem_id} has no language component: add the `language` "
            "verifier to its task, or set the limit to 0"
        )
    score = sample.graded.score("language")
    return 1.0 if score is None else score  # too little text to tell


def _best_first(sample: Sample) -> tuple[float, int]:
    return -(float("-inf") if sample.reward is None else sample.reward), len(sample.completion)
