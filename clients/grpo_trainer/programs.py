"""
A small world: two steps of arithmetic as a Python program, which the sandbox runs.

    -3 *8  ->  <think> minus three then times eight</think>
               <answer>print((int(input())-3)*8)</answer>

The teacher of the cold start puts brackets around the wrong step, miscopies digits and forgets a
bracket at the end, so that half of its programs fail their tests.
"""

import random

from grpo_trainer.addition import ENGLISH
from grpo_trainer.problems import Problem
from grpo_trainer.tokens import PieceTokenizer

OPERATORS = {"+": "plus", "-": "minus", "*": "times"}
INPUTS = (0, 3, 7, -5)  # sign and order of the steps both show
PIECES = (
    *("<think>", "</think>\n<answer>", "</answer>", "print(", "int(input())", "(", ")"),
    *(" then", "+", "-", "*", " ", *"123456789"),
    *(f" {word}" for word in (*OPERATORS.values(), *ENGLISH[1:10])),
)

MISPLACED_BRACKETS = 0.55
MISCOPIED_DIGIT = 0.15
FORGOTTEN_BRACKET = 0.1

MAX_NEW_TOKENS = 24  # a right completion has 18


def tokenizer() -> PieceTokenizer:
    """Return one that knows the pieces of such programs."""
    return PieceTokenizer(PIECES)


def problems() -> list[Problem]:
    """Return all 729 pairs of steps, in order."""
    steps = [f"{operator}{digit}" for operator in OPERATORS for digit in range(1, 10)]
    return [_problem(first, second) for first in steps for second in steps]


def _problem(first: str, second: str) -> Problem:
    tests = [{"input": f"{x}\n", "output": f"{_after(_after(x, first), second)}\n"} for x in INPUTS]
    verifiers = [
        {"name": "code", "params": {"tests": tests, "extract": "answer"}},
        {"name": "format", "weight": 0.1},
    ]
    return Problem(f"{first} {second}", f"{first} {second}", {"verifiers": verifiers})


def _after(x: int, step: str) -> int:
    digit = int(step[1:])
    return {"+": x + digit, "-": x - digit, "*": x * digit}[step[0]]


def teacher(problem: Problem, chance: random.Random) -> str:
    """Write one completion, wrong about half the time."""
    first, second = problem.id.split(" ")
    thought = " then".join(f" {OPERATORS[s[0]]} {ENGLISH[int(s[1:])]}" for s in (first, second))
    if chance.random() < MISCOPIED_DIGIT:
        second = second[0] + str(chance.randrange(1, 10))
    value = f"(int(input()){first}){second}"
    if chance.random() < MISPLACED_BRACKETS:
        value = f"int(input()){first[0]}({first[1:]}{second})"
    end = "" if chance.random() < FORGOTTEN_BRACKET else ")"
    return f"<think>{thought}</think>\n<answer>print({value}{end}</answer>"
