"""Every number of a run, and the numbers that R1 was trained with."""

import dataclasses
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from grpo_trainer.core import Objective
from grpo_trainer.rollout import Sampling


@dataclass(frozen=True, slots=True)
class Config:
    """One GRPO run. B prompts a step, G completions each."""

    steps: int = 100
    seed: int = 0
    prompts_per_step: int = 32
    group_size: int = 16
    minibatches: int = 4
    """Optimizer steps on one rollout."""
    epochs: int = 1
    """Passes over one rollout; R1 has one."""
    microbatch: int = 128
    """Completions in one forward; changes memory, never the step that is taken."""
    sampling: Sampling = field(default_factory=Sampling)
    objective: Objective = field(default_factory=Objective)

    advantage: str = "grpo"
    ddof: int = 1
    """1: Bessel's standard deviation, as in TRL and verl. 0: the population's."""
    std_eps: float = 1e-4
    """Added to it; TRL's. verl has 1e-6."""
    drop_truncated: bool = False
    """Leave completions out of the loss that ran into max_new_tokens."""
    overlong_buffer: int = 0
    """Tokens before max_new_tokens over which DAPO's soft punishment falls to -1; 0: none."""
    refills: int = 0
    """Dynamic sampling (DAPO): how many more rounds may replace groups whose rewards are equal."""

    learning_rate: float = 1e-6
    warmup_steps: int = 0
    decay: bool = False
    """Linearly to 0 at the last step; else constant."""
    betas: tuple[float, float] = (0.9, 0.99)
    weight_decay: float = 0.0
    max_gradient_norm: float = 1.0

    reference_every: int = 400
    """Steps after which the reference policy is refreshed; 0: never."""
    reference_mix: float = 1.0
    """1: the reference becomes the policy, as in R1. TRL mixes 0.6 of it in."""

    chunks: int = 4
    """Parts of a rollout; the rewards of each are asked for while the next is sampled."""
    one_batch_behind: bool = False
    """Sample the next rollout before this one's rewards are awaited: hides a slow reward, and
    trains on completions of the policy before the last step."""
    drift_limit: float = 1e-3
    """Largest difference of a log-probability between rollout and training forward that is
    taken for rounding in a step on-policy. bfloat16 needs more."""

    evaluate_every: int = 0
    checkpoint_every: int = 0

    def __post_init__(self) -> None:
        """Refuse what cannot work before anything is sampled."""
        if self.one_batch_behind and self.refills:
            raise ValueError("refills need the rewards of a rollout before the next is sampled")
        if self.group_size < 2:
            raise ValueError("group_size must be 2 or more: a group of one has no baseline")
        if self.sampling.top_p != 1:
            raise ValueError("top_p must be 1 in training: ratios are of the whole distribution")
        if self.chunks > self.prompts_per_step:
            raise ValueError("chunks must not exceed prompts_per_step")

    def learning_rate_at(self, step: int) -> float:
        """Return the learning rate of step `step`, counted from 0."""
        warm = min(1.0, (step + 1) / self.warmup_steps) if self.warmup_steps else 1.0
        left = 1 - step / self.steps if self.decay else 1.0
        return self.learning_rate * warm * left


R1_ZERO = Config(
    steps=650,  # 10,400 optimizer steps (supplement B.4.1), 16 a rollout
    learning_rate=3e-6,  # section 2.1
    prompts_per_step=512,  # 8192 outputs a rollout (section 2.1) of 16 each
    group_size=16,  # section 2.1
    minibatches=16,  # section 2.1: 8192 outputs, 512 a step
    epochs=1,  # section 2.1
    sampling=Sampling(max_new_tokens=32_768, temperature=1.0),  # 65,536 after 8.2k of those
    objective=Objective(
        beta=0.001,  # section 2.1
        clip_low=10,  # section 3.2.1 prints it for R1's first stage; not stated for Zero
        clip_high=10,
        aggregation="sequence_mean",  # DeepSeekMath, eq. 3
    ),
    reference_every=25,  # 400 optimizer steps (section 2.1) of 16 a rollout
)
"""DeepSeek-R1-Zero as printed in arXiv:2501.12948v2. A step here is a rollout, there a
mini-batch."""


def from_json(file: Path) -> Config:
    """Read a run's numbers; what is not named keeps its default. ValueError names a typo."""
    return build(json.loads(file.read_text("utf-8")))


def build(given: dict[str, Any]) -> Config:
    """Make a Config of plain JSON."""
    kinds: dict[str, Any] = {"sampling": Sampling, "objective": Objective}
    values = {
        name: _made(kinds[name], value) if name in kinds else value for name, value in given.items()
    }
    if "betas" in values:
        values["betas"] = tuple(values["betas"])
    made: Config = _made(Config, values)
    return made


def _made(kind: Any, values: dict[str, Any]) -> Any:
    known = {f.name for f in dataclasses.fields(kind)}
    if unknown := set(values) - known:
        raise ValueError(
            f"unknown: {', '.join(sorted(unknown))}; known: {', '.join(sorted(known))}"
        )
    return kind(**values)
