"""A whole run: resume, evaluate, step, log, save; on as many ranks as torchrun started."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from grpo_trainer import checkpoint
from grpo_trainer.evaluate import Evaluation, Protocol, evaluate
from grpo_trainer.learn import Stats
from grpo_trainer.problems import Problem
from grpo_trainer.rewards import Graded
from grpo_trainer.runlog import RunLog
from grpo_trainer.train import Trainer


@dataclass(frozen=True, slots=True)
class HeldOut:
    """The problems that are never trained on, and how a policy is tried on them."""

    problems: Sequence[Problem]
    protocol: Protocol


def run(trainer: Trainer, directory: Path, *, held_out: HeldOut | None = None) -> None:
    """Train to the last step, from the newest checkpoint in `directory` if there is one."""
    if saved := checkpoint.checkpoints(directory):
        checkpoint.restore(trainer, saved[-1])
    log = RunLog(directory, resumed_at=trainer.step) if trainer.ranks.rank == 0 else None
    c = trainer.config
    try:
        while trainer.step < c.steps:
            if log and held_out and is_due(trainer, c.evaluate_every):
                log_evaluation(trainer, held_out, log)
            one_step(trainer, log)
            if is_due(trainer, c.checkpoint_every):
                checkpoint.save(trainer, directory)
        if log and held_out and c.evaluate_every:
            log_evaluation(trainer, held_out, log)
    finally:
        if log:
            log.close()


def is_due(trainer: Trainer, every: int) -> bool:
    """Whether something happens now that happens every so many steps; 0 is never."""
    return bool(every) and trainer.step % every == 0


def one_step(trainer: Trainer, log: RunLog | None) -> None:
    """Take a step and log it."""
    step = trainer.step
    stats, seen = trainer.run_step()
    if log is None:
        return
    log.write(step, "train", {**stats, **component_means(seen.graded)})
    log.show(step, seen.problems, seen.rollout.texts, seen.graded)
    print(line(trainer, stats), flush=True)


def log_evaluation(trainer: Trainer, held_out: HeldOut, log: RunLog) -> None:
    """Evaluate the policy as it is."""
    found, _ = evaluate(
        trainer.policy,
        trainer.tokenizer,
        held_out.problems,
        requests=trainer.requests,
        protocol=held_out.protocol,
    )
    log.write(trainer.step, "evaluation", found.row())
    print(f"step {trainer.step:4} held out: {told(found)}", flush=True)


def component_means(graded: Sequence[Graded]) -> Stats:
    """Mean score of every verifier, over the completions it scored."""
    names = {name for one in graded for name in one.components}
    scores = {name: [s for one in graded if (s := one.score(name)) is not None] for name in names}
    return {f"score_{name}": sum(s) / len(s) for name, s in sorted(scores.items()) if s}


def line(trainer: Trainer, stats: Stats) -> str:
    """One step on the terminal."""
    shown = {"reward": 3, "entropy": 3, "clipped_share": 3, "dead_groups": 2, "step_s": 1}
    figures = "  ".join(f"{name} {stats[name]:.{digits}f}" for name, digits in shown.items())
    return f"step {trainer.step:4}/{trainer.config.steps}  {figures}"


def told(found: Evaluation) -> str:
    """One evaluation on the terminal."""
    figures = {"maj@k": found.majority, "pass@k": found.pass_k, "language": found.language}
    others = [f"{name} {value:.3f}" for name, value in figures.items() if value is not None]
    return "  ".join([f"pass@1 {found.pass_1:.3f} ± {found.pass_1_error:.3f}", *others])
