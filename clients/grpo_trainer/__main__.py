"""`python -m grpo_trainer COMMAND`: train, and the tools around it, on files of JSON lines."""

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import fields
from pathlib import Path

from grpo_trainer import commands
from grpo_trainer.reject import Limits
from reward_client import RewardClientError

Command = Callable[[argparse.Namespace], None]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; 0 when it did what it was asked."""
    options = parser().parse_args(arguments)
    run: Command = options.run
    try:
        run(options)
    except (ValueError, OSError, RewardClientError) as error:
        print(f"grpo_trainer {options.command}: {error}", file=sys.stderr)
        return 1
    return 0


def parser() -> argparse.ArgumentParser:
    """Build the command line."""
    whole = argparse.ArgumentParser(prog="python -m grpo_trainer", description=__doc__)
    verbs = whole.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def verb(name: str, run: Command, *inputs: str) -> argparse.ArgumentParser:
        text = (run.__doc__ or "").strip()
        one = verbs.add_parser(name, help=text.partition("\n")[0], description=text)
        one.set_defaults(run=run)
        for given in inputs:
            one.add_argument(given, type=Path)
        return one

    train = verb("train", commands.train, "model", "problems")
    train.add_argument("--config", type=Path, help="JSON of config.Config; its defaults else")
    train.add_argument("--held-out", type=Path, help="problems to evaluate on")
    train.add_argument("--device", default="cpu")
    _out(train, "directory of logs and checkpoints")
    _service(train)
    _template(train)

    sample = verb("sample", commands.sample_completions, "model", "problems")
    sample.add_argument("-n", type=int, default=16, help="completions of each problem")
    sample.add_argument("--temperature", type=float, default=1.0)
    sample.add_argument("--top-p", type=float, default=1.0)
    sample.add_argument("--max-new-tokens", type=int, default=256)
    sample.add_argument("--batch", type=int, default=64, help="completions sampled together")
    sample.add_argument("--seed", type=int, default=0)
    sample.add_argument("--device", default="cpu")
    _out(sample, "file of samples")
    _template(sample)

    score = verb("score", commands.score, "samples", "problems")
    _out(score, "file of scored samples")
    _service(score)

    reject = verb("reject", commands.reject_samples, "samples")
    for field in fields(Limits):
        _limit(reject, field.name, getattr(Limits(), field.name))
    _out(reject, "file of the samples that are kept")

    difficulty = verb("difficulty", commands.filter_difficulty, "samples", "problems")
    difficulty.add_argument("--above", type=float, default=0.0, help="keep pass rates above")
    difficulty.add_argument("--below", type=float, default=1.0, help="keep pass rates below")
    _out(difficulty, "file of the problems that are kept")

    _out(verb("sft", commands.write_sft, "samples"), "file of chat messages with provenance")

    imitate = verb("imitate", commands.imitate, "model", "samples")
    imitate.add_argument("--teacher", type=Path, help="directory of a model to distil from")
    imitate.add_argument("--mix", type=float, default=0.0, help="0 forward KL, 1 reverse")
    imitate.add_argument("--epochs", type=int, default=2)
    imitate.add_argument("--batch", type=int, default=64)
    imitate.add_argument("--learning-rate", type=float, default=1e-5)
    imitate.add_argument("--device", default="cpu")
    _out(imitate, "directory of the model that is written")

    report = verb("report", commands.report, "samples")
    report.add_argument("-k", type=int, nargs="*", default=[1, 4, 8, 16, 64])
    return whole


def _out(one: argparse.ArgumentParser, text: str) -> None:
    one.add_argument("--out", type=Path, required=True, help=text)


def _service(one: argparse.ArgumentParser) -> None:
    one.add_argument("--url", default="http://127.0.0.1:8000", help="of the reward service")
    one.add_argument("--api-key")


def _template(one: argparse.ArgumentParser) -> None:
    one.add_argument(
        "--r1-zero-template", action="store_true", help="put R1-Zero's template around prompts"
    )


def _limit(one: argparse.ArgumentParser, name: str, default: float | bool) -> None:
    flag = "--" + name.replace("_", "-")
    if isinstance(default, bool):
        one.add_argument(flag, action="store_true")
    else:
        one.add_argument(flag, type=type(default), default=default)


if __name__ == "__main__":
    sys.exit(main())
