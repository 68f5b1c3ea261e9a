"""
What the commands of `python -m grpo_trainer` do; each reads files, shows its progress, writes one.

Torch is imported by those that need it alone, so that filters and reports run anywhere.
"""

import argparse
import json
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from tqdm import tqdm

from grpo_trainer.curate import between, difficulties, figures
from grpo_trainer.problems import TEMPLATE, Problem, read_problems
from grpo_trainer.reject import Limits, reject
from grpo_trainer.rewards import OverHttp, RewardRequests
from grpo_trainer.samples import Sample, read_samples, write_lines

SCORED_AT_ONCE = 256


def train(options: argparse.Namespace) -> None:
    """Train a Hugging Face model with GRPO; starts again from its last checkpoint.

    Under torchrun every process takes its share of each step.
    """
    from grpo_trainer.config import Config, from_json
    from grpo_trainer.evaluate import Protocol
    from grpo_trainer.hf import load, save
    from grpo_trainer.plots import draw_curves
    from grpo_trainer.ranks import join
    from grpo_trainer.run import HeldOut, run
    from grpo_trainer.runlog import read_metrics
    from grpo_trainer.train import Trainer

    ranks = join(options.device)
    device = f"cuda:{ranks.local}" if options.device == "cuda" else options.device
    config = from_json(options.config) if options.config else Config()
    policy, tokenizer = load(options.model, device=device)
    problems = _problems(options.problems, options)
    held_out = None
    if options.held_out:
        protocol = Protocol(max_new_tokens=config.sampling.max_new_tokens)
        held_out = HeldOut(_problems(options.held_out, options), protocol)
    with closing(OverHttp(options.url, api_key=options.api_key)) as scores:
        trainer = Trainer(config, policy, tokenizer, problems, scores, ranks=ranks)
        with closing(trainer):
            run(trainer, options.out, held_out=held_out)
    if ranks.rank == 0:
        save(policy, tokenizer, options.out / "model")
        steps = {options.out.name: read_metrics(options.out, "train")}
        draw_curves(steps, ["reward", "entropy", "length"], options.out / "curve.png")
    ranks.leave()


def sample_completions(options: argparse.Namespace) -> None:
    """Draw n completions of every problem from a Hugging Face model."""
    import torch

    from grpo_trainer.hf import load
    from grpo_trainer.rollout import Sampling, sample

    policy, tokenizer = load(options.model, device=options.device)
    generator = torch.Generator(options.device).manual_seed(options.seed)
    asked = [one for one in _problems(options.problems, options) for _ in range(options.n)]
    sampling = Sampling(options.max_new_tokens, options.temperature, options.top_p)

    def drawn() -> Iterator[Sample]:
        for part in _parts(asked, options.batch, "sampling"):
            prompts = [problem.prompt for problem in part]
            found = sample(policy, tokenizer, prompts, sampling=sampling, generator=generator)
            rows = zip(part, found.texts, found.truncated.tolist(), strict=True)
            for problem, text, truncated in rows:
                yield Sample(problem.id, problem.prompt, text, truncated)

    write_lines(options.out, drawn())


def score(options: argparse.Namespace) -> None:
    """Ask the service for the reward of every sample."""
    problems = {problem.id: problem for problem in read_problems(options.problems)}

    def scored(requests: RewardRequests) -> Iterator[Sample]:
        for part in _parts(read_samples(options.samples), SCORED_AT_ONCE, "scoring"):
            asked = [replace(problems[one.problem_id], prompt=one.prompt) for one in part]
            texts, cut = [one.completion for one in part], [one.truncated for one in part]
            graded = requests.send(asked, texts, cut).result()
            for one, said in zip(part, graded, strict=True):
                yield replace(one, reward=said.reward, components=said.components)

    with (
        closing(OverHttp(options.url, api_key=options.api_key)) as scores,
        closing(RewardRequests(scores)) as requests,
    ):
        write_lines(options.out, scored(requests))


def reject_samples(options: argparse.Namespace) -> None:
    """Keep the samples that are right, readable and not said twice; prints why others fell."""
    limits = Limits(**{field.name: getattr(options, field.name) for field in fields(Limits)})
    kept = reject(read_samples(options.samples), limits)
    write_lines(options.out, kept.samples)
    print(json.dumps({"kept": len(kept.samples), "dropped": dict(kept.dropped.most_common())}))


def filter_difficulty(options: argparse.Namespace) -> None:
    """Keep the problems that are neither always nor never solved."""
    problems = read_problems(options.problems)
    found = difficulties(read_samples(options.samples))
    kept = between(problems, found, above=options.above, below=options.below)
    write_lines(options.out, kept)
    counts = {
        "problems": len(problems),
        "kept": len(kept),
        "never_solved": sum(one.pass_rate == 0 for one in found),
        "always_solved": sum(one.pass_rate == 1 for one in found),
        "without_samples": len(problems) - len(found),
    }
    print(json.dumps(counts))


def write_sft(options: argparse.Namespace) -> None:
    """Write samples as chat messages, each with where it came from and what it scored."""

    def rows() -> Iterator[dict[str, Any]]:
        for one in tqdm(read_samples(options.samples), desc="writing", unit="sample"):
            scores = {name: one.graded.score(name) for name in one.components}
            yield {
                "messages": [
                    {"role": "user", "content": one.prompt},
                    {"role": "assistant", "content": one.completion},
                ],
                "provenance": {
                    "problem_id": one.problem_id,
                    "reward": one.reward,
                    "scores": scores,
                },
            }

    print(json.dumps({"written": write_lines(options.out, rows())}))


def imitate(options: argparse.Namespace) -> None:
    """Fine-tune a Hugging Face model on samples, or on a teacher's probabilities of them."""
    import torch

    from grpo_trainer.hf import load, save
    from grpo_trainer.imitate import Imitator

    policy, tokenizer = load(options.model, device=options.device)
    teacher = load(options.teacher, device=options.device)[0] if options.teacher else None
    samples = read_samples(options.samples)
    imitator = Imitator(policy, tokenizer, learning_rate=options.learning_rate)
    order = torch.Generator().manual_seed(0)
    for epoch in range(options.epochs):
        places = torch.randperm(len(samples), generator=order).tolist()
        shuffled = [samples[place] for place in places]
        bar = _parts(shuffled, options.batch, f"epoch {epoch + 1}/{options.epochs}")
        losses = []
        for part in bar:
            pairs = [(one.prompt, one.completion) for one in part]
            losses.append(imitator.step(pairs, teacher=teacher, mix=options.mix))
        print(json.dumps({"epoch": epoch + 1, "loss": sum(losses) / len(losses)}))
    save(policy, tokenizer, options.out)


def report(options: argparse.Namespace) -> None:
    """Print pass@k, majority vote and best-of-n of scored samples."""
    table = figures(read_samples(options.samples), options.k)
    print("\n".join(f"{name:14} {value:8.4f}" for name, value in table.items()))


def _problems(file: Path, options: argparse.Namespace) -> list[Problem]:
    return read_problems(file, template=TEMPLATE if options.r1_zero_template else "{question}")


def _parts(rows: Sequence[Any], size: int, doing: str) -> Iterator[Any]:
    """Yield slices of `rows` under a progress bar that counts rows."""
    with tqdm(total=len(rows), desc=doing, unit="row") as bar:
        for start in range(0, len(rows), size):
            part = rows[start : start + size]
            yield part
            bar.update(len(part))
