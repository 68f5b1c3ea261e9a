"""
All that a run is, in a directory that is complete or absent.

`policy.pt` holds what is equal on all ranks; `rank-N.pt` the generators of each and the rollout
that it sampled ahead, with its rewards. Loading runs no code from the files.
"""

import dataclasses
import shutil
from pathlib import Path
from typing import Any

import torch

from grpo_trainer.batch import Pending
from grpo_trainer.problems import Problem
from grpo_trainer.rewards import Graded, answered
from grpo_trainer.rollout import Rollout
from grpo_trainer.train import Trainer

PREFIX = "step-"


def save(trainer: Trainer, directory: Path, *, keep: int = 2) -> Path:
    """Write `directory/step-N` and forget all but the newest `keep`; returns it."""
    place = directory / f"{PREFIX}{trainer.step:06d}"
    draft = directory / f"draft-{trainer.step:06d}"
    draft.mkdir(parents=True, exist_ok=True)
    torch.save(_own(trainer), draft / f"rank-{trainer.ranks.rank}.pt")
    if trainer.ranks.rank == 0:
        torch.save(_shared(trainer), draft / "policy.pt")
    trainer.ranks.wait_for_all()
    if trainer.ranks.rank == 0:
        shutil.rmtree(place, ignore_errors=True)
        draft.rename(place)
        for old in checkpoints(directory)[:-keep]:
            shutil.rmtree(old)
    trainer.ranks.wait_for_all()
    return place


def checkpoints(directory: Path) -> list[Path]:
    """Return the complete checkpoints, oldest first."""
    return sorted(directory.glob(f"{PREFIX}*"))


def restore(trainer: Trainer, place: Path) -> None:
    """Make `trainer`, built with the same configuration, the one that was saved."""
    shared = _read(place / "policy.pt", trainer)
    own = _read(place / f"rank-{trainer.ranks.rank}.pt", trainer)
    trainer.policy.load_state_dict(shared["policy"])
    trainer.learner.optimizer.load_state_dict(shared["optimizer"])
    if trainer.reference is not None:
        trainer.reference.load_state_dict(shared["reference"])
    trainer.step, trainer.position = shared["step"], shared["position"]
    trainer.learner.updates = shared["updates"]
    trainer.sampling.set_state(own["sampling"].cpu())
    trainer.learner.shuffling.set_state(own["shuffling"].cpu())
    trainer.ahead = None if own["ahead"] is None else _pending(own["ahead"], trainer)


def _shared(trainer: Trainer) -> dict[str, Any]:
    reference = trainer.reference
    return {
        "policy": trainer.policy.state_dict(),
        "reference": None if reference is None else reference.state_dict(),
        "optimizer": trainer.learner.optimizer.state_dict(),
        "step": trainer.step,
        "updates": trainer.learner.updates,
        "position": trainer.position,
    }


def _own(trainer: Trainer) -> dict[str, Any]:
    ahead = trainer.ahead
    return {
        "sampling": trainer.sampling.get_state(),
        "shuffling": trainer.learner.shuffling.get_state(),
        "ahead": None if ahead is None else _stored(ahead),
    }


def _stored(pending: Pending) -> dict[str, Any]:
    """Return the rollout with its rewards, which are waited for, as plain data."""
    fields = dataclasses.fields(Rollout)
    return {
        "problems": [problem.id for problem in pending.problems],
        "rollout": {field.name: getattr(pending.rollout, field.name) for field in fields},
        "graded": [dataclasses.asdict(one) for one in pending.wait().graded],
        "updates": pending.updates,
    }


def _pending(stored: dict[str, Any], trainer: Trainer) -> Pending:
    known: dict[str, Problem] = {problem.id: problem for problem in trainer.problems}
    return Pending(
        problems=[known[name] for name in stored["problems"]],
        rollout=Rollout(**stored["rollout"]),
        answers=[answered([Graded(**one) for one in stored["graded"]])],
        updates=stored["updates"],
    )


def _read(file: Path, trainer: Trainer) -> dict[str, Any]:
    stored: dict[str, Any] = torch.load(file, map_location=trainer.device, weights_only=True)
    return stored
