"""
A small world: two-digit addition, thought through in words.

    25+67=  ->  <think> five plus seven is twelve then two plus six plus one is nine</think>
                <answer>92</answer>

The teacher of the cold start forgets carries, swaps the last two digits, and switches between
English and Chinese word by word: fluent, right in fewer than half of its answers, so that there is
much left for rewards to teach.
"""

import random

from grpo_trainer.problems import Problem
from grpo_trainer.tokens import PieceTokenizer

ENGLISH = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"),
    *("eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen"),
    "nineteen",
)
CHINESE = (
    *("零", "一", "二", "三", "四", "五", "六", "七", "八", "九", "十"),
    *("十一", "十二", "十三", "十四", "十五", "十六", "十七", "十八", "十九"),
)
WORDS = {"plus": "加", "is": "等于", "then": "然后"}
TAGS = ("<think>", "</think>\n<answer>", "</answer>")

CHINESE_SHARE = 0.5  # of the words; the share of English in the text is a little above
FORGOTTEN_CARRY = 0.65
SWAPPED_DIGITS = 0.35

MAX_NEW_TOKENS = 22  # the longest right completion has 20

VERIFIERS = (
    {"name": "math"},
    {"name": "format", "weight": 0.2},
    {"name": "language", "weight": 0.5, "params": {"target": "en"}},
)


def tokenizer() -> PieceTokenizer:
    """Return one that knows the words of both languages, digits and tags."""
    words = [*ENGLISH, *CHINESE, *WORDS, *WORDS.values()]
    return PieceTokenizer([*TAGS, *(f" {word}" for word in words), *"0123456789+="])


def problems(*, language_weight: float = 0.5) -> list[Problem]:
    """Return all 8,100, in order. With weight 0 the language is measured and not paid."""
    *others, language = VERIFIERS
    verifiers = [*others, {**language, "weight": language_weight}]
    return [
        Problem(f"{a}+{b}", f"{a}+{b}=", {"ground_truth": str(a + b), "verifiers": verifiers})
        for a in range(10, 100)
        for b in range(10, 100)
    ]


def teacher(problem: Problem, chance: random.Random) -> str:
    """Write one completion, often wrong and in two languages."""
    a, b = map(int, problem.id.split("+"))
    units, carry = a % 10 + b % 10, int(a % 10 + b % 10 > 9)
    if carry and chance.random() < FORGOTTEN_CARRY:
        carry = 0
    tens = a // 10 + b // 10 + carry
    carried: tuple[int | str, ...] = ("plus", 1) if carry else ()
    thought = (
        *(a % 10, "plus", b % 10, "is", units, "then"),
        *(a // 10, "plus", b // 10, *carried, "is", tens),
    )
    tail = f"{tens % 10}{units % 10}"
    if chance.random() < SWAPPED_DIGITS:
        tail = tail[::-1]
    answer = f"{tens // 10 or ''}{tail}"
    said = "".join(f" {_spoken(word, chance)}" for word in thought)
    return f"<think>{said}</think>\n<answer>{answer}</answer>"


def _spoken(word: int | str, chance: random.Random) -> str:
    is_chinese = chance.random() < CHINESE_SHARE
    if isinstance(word, int):
        return (CHINESE if is_chinese else ENGLISH)[word]
    return WORDS[word] if is_chinese else word
