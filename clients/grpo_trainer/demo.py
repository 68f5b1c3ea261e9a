"""
R1-Zero in small: a policy from nothing learns from the rewards of a running service.

    python -m grpo_trainer.demo math --url http://127.0.0.1:8000 --out run/demo

A cold start imitates a teacher that is often wrong, until held-out pass@1 reaches a threshold. The
same policy then goes three ways: GRPO on the rewards; GRPO without the language reward (math, in a
process beside it); and more imitation for as much CPU time as GRPO took. This is a toy: it shows
that the loop works and what each reward does, and says nothing about large models.
"""

import argparse
import json
import random
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from grpo_trainer.evaluate import Evaluation, Example, evaluate
from grpo_trainer.imitate import Imitator
from grpo_trainer.plots import draw_curves
from grpo_trainer.policy import TinyPolicy
from grpo_trainer.problems import Problem
from grpo_trainer.rewards import OverHttp, RewardRequests
from grpo_trainer.run import HeldOut, run, told
from grpo_trainer.runlog import RunLog, read_metrics
from grpo_trainer.train import Trainer
from grpo_trainer.worlds import WORLDS, World

COLD_START_PASS_1 = 0.45
"""Just below what imitation can reach. A policy that is less sure of the arithmetic itself gives
GRPO too few right answers to reinforce."""
COLD_START_LIMIT = 1000
CHECKED_EVERY = 20
IMITATION_BATCH = 64
IMITATION_RATE = 1.2e-3
EVALUATIONS_OF_THE_CONTROL = 4
SHOWN = 5

REWARDS, NO_LANGUAGE, IMITATION = "rewards", "no language reward", "imitation only"


@dataclass(frozen=True, slots=True)
class Stage:
    """One demonstration with one seed."""

    world: World
    score: OverHttp
    out: Path
    seed: int

    def split(self, problems: Sequence[Problem]) -> tuple[list[Problem], list[Problem]]:
        """Return what is held out and what is trained on; the same for all arms."""
        shuffled = list(problems)
        random.Random(self.seed).shuffle(shuffled)  # noqa: S311 - a split, not a secret
        return shuffled[: self.world.held_out], shuffled[self.world.held_out :]

    def policy(self) -> TinyPolicy:
        """Return the policy after the cold start."""
        policy = TinyPolicy(self.world.shape)
        policy.load_state_dict(torch.load(self.out / "cold_start.pt", weights_only=True))
        return policy

    def evaluate(
        self, policy: TinyPolicy, problems: Sequence[Problem]
    ) -> tuple[Evaluation, list[Example]]:
        """Evaluate on `problems` as every evaluation of the demonstration does."""
        with closing(RewardRequests(self.score)) as requests:
            return evaluate(
                policy,
                self.world.tokenizer,
                problems,
                requests=requests,
                protocol=self.world.protocol,
            )

    def directory(self, arm: str) -> Path:
        """Return where an arm's logs are."""
        return self.out / arm.replace(" ", "_")


def cold_start(stage: Stage) -> int:
    """Imitate the teacher until pass@1 is reached; the steps it took. Writes the policy."""
    world = stage.world
    torch.manual_seed(stage.seed)
    policy = TinyPolicy(world.shape)
    held_out, problems = stage.split(world.problems)
    imitator = Imitator(policy, world.tokenizer, learning_rate=IMITATION_RATE)
    chance = random.Random(stage.seed)  # noqa: S311 - a teacher's slips
    while imitator.steps < COLD_START_LIMIT:
        imitate(imitator, stage, problems, chance, count=CHECKED_EVERY)
        found, _ = stage.evaluate(policy, held_out)
        print(f"cold start {imitator.steps:4}  {told(found)}", flush=True)
        if found.pass_1 >= COLD_START_PASS_1:
            torch.save(policy.state_dict(), stage.out / "cold_start.pt")
            return imitator.steps
    raise RuntimeError(f"no pass@1 of {COLD_START_PASS_1} within {COLD_START_LIMIT} steps")


def imitate(
    imitator: Imitator,
    stage: Stage,
    problems: Sequence[Problem],
    chance: random.Random,
    *,
    count: int,
) -> None:
    """Take `count` steps towards what the teacher writes."""
    for _ in range(count):
        batch = chance.sample(problems, IMITATION_BATCH)
        imitator.step([(one.prompt, stage.world.teacher(one, chance)) for one in batch])


def reinforce(stage: Stage, arm: str) -> float:
    """Run GRPO from the cold start; the CPU seconds it took."""
    world = stage.world
    problems = world.without_language if arm == NO_LANGUAGE else world.problems
    held_out, train = stage.split(problems or world.problems)
    config = replace(world.config, seed=stage.seed)
    trainer = Trainer(config, stage.policy(), world.tokenizer, train, stage.score)
    began = time.process_time()
    with closing(trainer):
        run(trainer, stage.directory(arm), held_out=HeldOut(held_out, world.protocol))
    torch.save(trainer.policy.state_dict(), stage.directory(arm) / "policy.pt")
    return time.process_time() - began


def imitate_on(stage: Stage, cpu_s: float) -> None:
    """Go on imitating for `cpu_s` seconds of CPU: what GRPO is compared with."""
    world = stage.world
    held_out, problems = stage.split(world.problems)
    policy = stage.policy()
    imitator = Imitator(policy, world.tokenizer, learning_rate=IMITATION_RATE)
    chance = random.Random(stage.seed + 1)  # noqa: S311 - a teacher's slips
    began = time.process_time()
    with closing(RunLog(stage.directory(IMITATION))) as log:
        for part in range(EVALUATIONS_OF_THE_CONTROL + 1):
            while time.process_time() - began < cpu_s * part / EVALUATIONS_OF_THE_CONTROL:
                imitate(imitator, stage, problems, chance, count=10)
            found, _ = stage.evaluate(policy, held_out)
            step = world.config.steps * part // EVALUATIONS_OF_THE_CONTROL
            log.write(step, "evaluation", found.row())
            print(f"imitation {imitator.steps:4}  {told(found)}", flush=True)


def examples(stage: Stage) -> list[tuple[Example, Example]]:
    """Return held-out samples before and after GRPO, those first that it put right."""
    after = stage.policy()
    after.load_state_dict(torch.load(stage.directory(REWARDS) / "policy.pt", weights_only=True))
    held_out, _ = stage.split(stage.world.problems)
    found = [stage.evaluate(policy, held_out)[1] for policy in (stage.policy(), after)]
    pairs = [*zip(*found, strict=True)]
    return sorted(pairs, key=lambda pair: pair[0].is_right - pair[1].is_right)[:SHOWN]


def demonstrate(stage: Stage, url: str) -> bool:
    """Run all arms, print and plot what came of them; whether it reached what it should."""
    stage.out.mkdir(parents=True, exist_ok=True)
    steps = cold_start(stage)
    arms, beside = [REWARDS, IMITATION], None
    if stage.world.without_language is not None:
        arms.insert(1, NO_LANGUAGE)
        beside = start_beside(stage, url)
    try:
        imitate_on(stage, reinforce(stage, REWARDS))
        if beside is not None and beside.wait() != 0:
            raise RuntimeError(f"the control ended with status {beside.returncode}")
    finally:
        if beside is not None:
            beside.kill()
            beside.wait()
    curves = {arm: read_metrics(stage.directory(arm), "evaluation") for arm in arms}
    measures = ["pass_1", "language"] if stage.world.language else ["pass_1"]
    draw_curves(curves, measures, stage.out / "curve.png")
    for before, after in examples(stage):
        print(f"\n{before.prompt}\n  before: {shown(before)}\n  after:  {shown(after)}")
    print(
        f"\n{stage.world.name}, seed {stage.seed}, cold start of {steps} steps\n\n{table(curves)}\n"
    )
    claims = claimed(stage.world, curves[REWARDS], curves[IMITATION])
    for claim, holds in claims.items():
        print(f"{'reached' if holds else 'MISSED '}  {claim}")
    print(f"\nThe curves: {stage.out / 'curve.png'}. A toy: it says nothing of large models.")
    (stage.out / "result.json").write_text(json.dumps({"claims": claims, "curves": curves}))
    return all(claims.values())


def start_beside(stage: Stage, url: str) -> "subprocess.Popen[bytes]":
    """Run GRPO without the language reward in a process of its own."""
    place = ["--url", url, "--out", str(stage.out), "--seed", str(stage.seed)]
    command = [sys.executable, "-m", "grpo_trainer.demo", stage.world.name, *place]
    with (stage.out / "no_language_reward.log").open("wb") as log:
        return subprocess.Popen([*command, "--control"], stdout=log, stderr=subprocess.STDOUT)


def table(curves: dict[str, list[dict[str, Any]]]) -> str:
    """First and last evaluation of every arm."""
    lines = [f"{'':20}{'pass@1':>16}{'maj@k':>16}{'pass@k':>16}{'language':>16}"]
    for arm, rows in curves.items():
        cells = [
            "-" if rows[0][name] is None else f"{rows[0][name]:.3f} > {rows[-1][name]:.3f}"
            for name in ("pass_1", "majority", "pass_k", "language")
        ]
        lines.append(f"{arm:20}" + "".join(f"{cell:>16}" for cell in cells))
    return "\n".join(lines)


def claimed(
    world: World, curve: list[dict[str, Any]], control: list[dict[str, Any]]
) -> dict[str, bool]:
    """Return each thing that was to be reached and whether it was."""
    first, last = curve[0], curve[-1]
    claims = {
        f"pass@1 rises by {world.gain:.2f}": last["pass_1"] - first["pass_1"] >= world.gain,
        "pass@1 ends above more imitation": last["pass_1"] > control[-1]["pass_1"],
    }
    if world.pass_1 > 0:
        claims[f"pass@1 ends at {world.pass_1:.2f} or above"] = last["pass_1"] >= world.pass_1
    if world.language is not None:
        claims["language starts below 0.60"] = first["language"] < 0.6
        claims[f"language ends at {world.language:.2f} or above"] = (
            last["language"] >= world.language
        )
    return claims


def shown(example: Example) -> str:
    """One sample on one line, with what was found."""
    text = " ".join(example.text.split())
    return f"{text}  [{'right' if example.is_right else 'wrong'}, reward {example.graded.reward}]"


def main() -> int:
    """Demonstrate; 0 when everything was reached."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").strip().partition("\n")[0])
    parser.add_argument("world", choices=WORLDS)
    parser.add_argument("--url", default="http://127.0.0.1:8000")
    parser.add_argument("--out", type=Path, default=Path("run/demo"))
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--control", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    torch.set_num_threads(1)  # two arms share two cores, and small matrices gain nothing
    with closing(OverHttp(options.url)) as score:
        stage = Stage(WORLDS[options.world](), score, options.out, options.seed)
        if options.control:
            reinforce(stage, NO_LANGUAGE)
            return 0
        return 0 if demonstrate(stage, options.url) else 1


if __name__ == "__main__":
    sys.exit(main())
