"""A rollout with what was said about it, in groups of G completions; row i is of group i // G."""

from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass

import torch
from torch import Tensor

from grpo_trainer.problems import Problem
from grpo_trainer.rewards import Graded
from grpo_trainer.rollout import Rollout, concatenate


@dataclass(frozen=True, slots=True)
class Pending:
    """A rollout whose rewards are asked for."""

    problems: list[Problem]
    """One a completion, so each G times."""
    rollout: Rollout
    answers: "list[Future[list[Graded]]]"
    """One a chunk, in the order of the rows."""
    updates: int
    """Optimizer steps that the policy had taken when it sampled."""

    def wait(self) -> "Answered":
        """Return when every reward is there or given up."""
        graded = [one for answer in self.answers for one in answer.result()]
        return Answered(self.problems, self.rollout, graded)


@dataclass(frozen=True, slots=True)
class Answered:
    """A rollout with its rewards; N completions."""

    problems: list[Problem]
    rollout: Rollout
    graded: list[Graded]

    def rows(self, index: Tensor) -> "Answered":
        """Return the completions at `index`."""
        places = index.tolist()
        return Answered(
            [self.problems[place] for place in places],
            self.rollout.rows(index),
            [self.graded[place] for place in places],
        )

    def table(self, group_size: int) -> "Table":
        """Return rewards, what was scored, and lengths; each (B, G)."""
        rewards = torch.tensor([0.0 if g.reward is None else g.reward for g in self.graded])
        scored = torch.tensor([g.reward is not None for g in self.graded], dtype=torch.bool)
        lengths = self.rollout.lengths.cpu()
        truncated = self.rollout.truncated.cpu()
        shape = (len(self.graded) // group_size, group_size)
        return Table(*(one.view(shape) for one in (rewards, scored, lengths, truncated)))


@dataclass(frozen=True, slots=True)
class Table:
    """What advantages are made of; each (B, G)."""

    rewards: Tensor
    scored: Tensor
    lengths: Tensor
    truncated: Tensor


def stacked(tables: Sequence[Table]) -> Table:
    """Put the groups of several tables below one another."""
    names = ("rewards", "scored", "lengths", "truncated")
    return Table(*(torch.cat([getattr(one, name) for one in tables]) for name in names))


def joined(parts: Sequence[Answered]) -> Answered:
    """Put several answered rollouts below one another."""
    return Answered(
        [problem for part in parts for problem in part.problems],
        concatenate([part.rollout for part in parts]),
        [one for part in parts for one in part.graded],
    )
