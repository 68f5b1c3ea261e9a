"""The demonstrations: what each is about, its sizes, and what it must reach."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from grpo_trainer import addition, programs
from grpo_trainer.config import Config
from grpo_trainer.evaluate import Protocol
from grpo_trainer.policy import Shape
from grpo_trainer.problems import Problem
from grpo_trainer.rollout import Sampling
from grpo_trainer.tokens import PieceTokenizer


@dataclass(frozen=True, slots=True)
class World:
    """A demonstration that two CPU cores finish."""

    name: str
    tokenizer: PieceTokenizer
    problems: Sequence[Problem]
    teacher: Callable[[Problem, random.Random], str]
    shape: Shape
    config: Config
    protocol: Protocol
    held_out: int
    """Problems that are never trained on."""
    without_language: Sequence[Problem] | None
    """The same problems without the language reward, for the control."""
    gain: float
    """What pass@1 must rise by at least."""
    pass_1: float
    """What pass@1 must end at, at least."""
    language: float | None
    """What language consistency must end at, at least."""


def math_world() -> World:
    """Two-digit addition in words: the policy passes its teacher and drops one of two languages."""
    tokenizer = addition.tokenizer()
    return World(
        name="math",
        tokenizer=tokenizer,
        problems=addition.problems(),
        teacher=addition.teacher,
        shape=Shape(len(tokenizer), width=128, layers=3, heads=4, context=40),
        config=Config(
            steps=50,
            prompts_per_step=32,
            group_size=16,
            minibatches=4,
            learning_rate=4e-4,
            warmup_steps=5,
            decay=True,
            sampling=Sampling(max_new_tokens=addition.MAX_NEW_TOKENS),
            evaluate_every=10,
        ),
        protocol=Protocol(max_new_tokens=addition.MAX_NEW_TOKENS),
        held_out=256,
        without_language=addition.problems(language_weight=0.0),
        gain=0.30,
        pass_1=0.0,
        language=0.95,
    )


def code_world() -> World:
    """Two steps of arithmetic as a program: rewarded by what the sandbox prints."""
    tokenizer = programs.tokenizer()
    return World(
        name="code",
        tokenizer=tokenizer,
        problems=programs.problems(),
        teacher=programs.teacher,
        shape=Shape(len(tokenizer), width=96, layers=3, heads=4, context=32),
        config=Config(
            steps=20,
            prompts_per_step=24,
            group_size=16,
            minibatches=4,
            learning_rate=2e-4,
            warmup_steps=3,
            sampling=Sampling(max_new_tokens=programs.MAX_NEW_TOKENS),
            evaluate_every=5,
        ),
        protocol=Protocol(max_new_tokens=programs.MAX_NEW_TOKENS),
        held_out=128,
        without_language=None,
        gain=0.20,
        pass_1=0.95,
        language=None,
    )


WORLDS = {"math": math_world, "code": code_world}
