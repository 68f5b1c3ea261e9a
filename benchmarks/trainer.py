"""
What a slow reward costs a training step, and what overlapping it saves.

    python -m benchmarks.trainer [--steps 6] [--rounds 3]

The reward is a function that sleeps: as long as a rollout takes, and as long as two steps. Modes
take turns within a round, so that a noisy machine disturbs them alike. Figures are medians.
"""

import argparse
import statistics
import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Any

import torch

from grpo_trainer.config import Config
from grpo_trainer.policy import TinyPolicy
from grpo_trainer.rewards import Score
from grpo_trainer.train import Trainer
from grpo_trainer.worlds import World, math_world

Json = Mapping[str, Any]
REFERENCE_STEPS = 4


@dataclass(frozen=True, slots=True)
class Slow:
    """A reward that is there `latency_s` after it was asked for, however many are asked for."""

    latency_s: float

    def __call__(self, items: Sequence[Json], tasks: Mapping[str, Json]) -> list[Json]:
        """Reward texts of even length."""
        time.sleep(self.latency_s)
        scores = [float(len(item["completion"]) % 2 == 0) for item in items]
        return [{"reward": score, "components": {}, "error": None} for score in scores]


def steps(world: World, config: Config, score: Score, count: int) -> list[dict[str, float]]:
    """Take `count` steps after a first one that is not counted."""
    torch.manual_seed(0)
    policy = TinyPolicy(world.shape)
    config = replace(config, steps=count + 2)
    trainer = Trainer(config, policy, world.tokenizer, world.problems, score)
    with closing(trainer):
        return [trainer.run_step()[0] for _ in range(count + 1)][1:]


def median(seen: list[dict[str, float]], name: str) -> float:
    """Median over steps."""
    return statistics.median(one[name] for one in seen)


def modes(config: Config) -> dict[str, Config]:
    """Ways to wait for a reward."""
    on_policy = replace(config, objective=replace(config.objective, beta=0.01))
    return {
        "one request": replace(on_policy, chunks=1),
        "four chunks": on_policy,
        "one batch behind": replace(on_policy, one_batch_behind=True),
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").strip().partition("\n")[0])
    parser.add_argument("--steps", type=int, default=6, help="counted steps of a mode in a round")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    torch.set_num_threads(1)
    world = math_world()
    ways = modes(replace(world.config, prompts_per_step=16))
    plain = steps(world, ways["four chunks"], Slow(0.0), REFERENCE_STEPS)
    rollout_s, step_s = median(plain, "rollout_s"), median(plain, "step_s")
    print(f"without latency: rollout {rollout_s:.2f} s, step {step_s:.2f} s\n")
    headings = ("latency s", "step s", "waiting s", "of the longer", "staleness")
    print(f"{'':18}" + "".join(f"{heading:>15}" for heading in headings))
    for latency_s in (rollout_s, 2 * step_s):
        seen: dict[str, list[dict[str, float]]] = {name: [] for name in ways}
        longer: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(options.rounds):
            for name, config in ways.items():
                taken = steps(world, config, Slow(latency_s), options.steps)
                seen[name] += taken
                longer[name] += [ratio(one, latency_s) for one in taken]
        for name, taken in seen.items():
            figures = (latency_s, median(taken, "step_s"), median(taken, "reward_wait_s"))
            share, stale = statistics.median(longer[name]), median(taken, "staleness")
            shown = "".join(f"{figure:15.2f}" for figure in (*figures, share))
            print(f"{name:18}{shown}{stale:15.0f}", flush=True)
    print("\nof the longer: the step, divided by the longer of its own work and the latency.")


def ratio(step: dict[str, float], latency_s: float) -> float:
    """How far a step is from hiding the shorter of its work and the latency."""
    return step["step_s"] / max(step["step_s"] - step["reward_wait_s"], latency_s)


if __name__ == "__main__":
    main()
