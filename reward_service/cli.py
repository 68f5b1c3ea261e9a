"""The command line: `rulegrade serve | worker | grade | doctor | sandbox build | keys new`."""

import argparse
import asyncio
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from reward_service import __version__
from reward_service.api.keys import new_api_key
from reward_service.api.server import serve
from reward_service.api.worker_server import work
from reward_service.doctor import print_checks, run_checks
from reward_service.errors import BadTask, BrokerError
from reward_service.grade import check_gold, grade, print_problems, print_summary
from reward_service.schemas import VerifierSpec
from reward_service.settings import BadSettings, Settings, load_settings
from reward_service.telemetry import configure_logging
from sandbox import SandboxUnavailable
from sandbox.images.build import build_image

OK, FAILED, MISUSED = 0, 1, 2


def run(arguments: Sequence[str] | None = None) -> int:
    """Run one verb; 0 done, 1 failed, 2 asked for something that cannot be done as written."""
    options = _parser().parse_args(arguments)
    try:
        settings = load_settings(_flags(options), options.config)
        return int(options.verb(options, settings))
    except (BadSettings, BadTask) as error:
        print(f"rulegrade: {error}", file=sys.stderr)
        return MISUSED
    except BrokerError as error:
        print(f"rulegrade: {error}", file=sys.stderr)
        return FAILED
    except KeyboardInterrupt:
        return 130


def _parser() -> argparse.ArgumentParser:
    settings = argparse.ArgumentParser(add_help=False)
    group = settings.add_argument_group("settings", "see docs/settings.md")
    group.add_argument("--config", type=Path, help="TOML file with settings")
    for name in Settings.model_fields:
        group.add_argument("--" + name.replace("_", "-"), dest=f"setting_{name}", metavar="…")

    parser = argparse.ArgumentParser(prog="rulegrade", description="Rule-based rewards.")
    parser.add_argument("--version", action="version", version=f"rulegrade {__version__}")
    verbs = parser.add_subparsers(required=True, metavar="VERB")
    common: dict[str, Any] = {"parents": [settings]}

    verb = verbs.add_parser("serve", help="serve rewards over HTTP", **common)
    verb.set_defaults(verb=_serve)

    verb = verbs.add_parser("worker", help="work for a queue that machines share", **common)
    verb.set_defaults(verb=_work)

    verb = verbs.add_parser("grade", help="score a JSONL file of completions", **common)
    verb.add_argument("file", type=Path, metavar="FILE.jsonl")
    verb.add_argument("--out", type=Path, help="where results go (default: FILE.rewards.jsonl)")
    verb.add_argument(
        "--verifiers",
        default='[{"name": "math"}]',
        help="JSON list for rows that name none (default: %(default)s)",
    )
    verb.add_argument(
        "--max-error-share",
        type=float,
        default=0.05,
        help="exit with 1 when a larger share of the items could not be scored (default: 0.05)",
    )
    verb.add_argument(
        "--check-gold",
        action="store_true",
        help="score nothing; report the references that cannot be graded against, exit with 1",
    )
    verb.set_defaults(verb=_grade)

    verb = verbs.add_parser("doctor", help="say what is missing and how to get it", **common)
    verb.set_defaults(verb=lambda _, settings: print_checks(run_checks(settings)))

    sandbox = verbs.add_parser("sandbox", help="the image in which programs run")
    verb = sandbox.add_subparsers(required=True, metavar="VERB").add_parser(
        "build", help="build it, its Debian base included where no registry answers", **common
    )
    verb.add_argument(
        "--flavour",
        dest="setting_sandbox_flavour",
        choices=("core", "full"),
        help="short for --sandbox-flavour",
    )
    verb.set_defaults(verb=_build_sandbox)

    keys = verbs.add_parser("keys", help="API keys")
    verb = keys.add_subparsers(required=True, metavar="VERB").add_parser(
        "new", help="print a new key and the hash to configure", **common
    )
    verb.set_defaults(verb=_new_key)
    return parser


def _flags(options: argparse.Namespace) -> dict[str, str | None]:
    prefix = "setting_"
    return {k.removeprefix(prefix): v for k, v in vars(options).items() if k.startswith(prefix)}


def _serve(options: argparse.Namespace, settings: Settings) -> int:
    serve(settings)
    return OK


def _work(options: argparse.Namespace, settings: Settings) -> int:
    work(settings)
    return OK


def _grade(options: argparse.Namespace, settings: Settings) -> int:
    configure_logging("error", "console")  # the summary tells what a log would
    try:
        default = TypeAdapter(list[VerifierSpec]).validate_python(json.loads(options.verifiers))
    except (ValueError, ValidationError):
        raise BadTask("--verifiers", "must be a JSON list like the default") from None
    if not options.file.is_file():
        raise BadTask(str(options.file), "no such file")
    if options.check_gold:
        found = asyncio.run(check_gold(options.file, settings, default=default))
        print_problems(found)
        return FAILED if found else OK
    out = options.out or options.file.with_suffix(".rewards.jsonl")
    summary = asyncio.run(grade(options.file, out, settings, default=default))
    print_summary(summary, out)
    return FAILED if summary.error_share > options.max_error_share else OK


def _build_sandbox(options: argparse.Namespace, settings: Settings) -> int:
    try:
        tag = build_image(print, settings.sandbox_flavour)
    except SandboxUnavailable as error:
        print(f"rulegrade: {error}", file=sys.stderr)
        return FAILED
    print(tag)
    return OK


def _new_key(options: argparse.Namespace, settings: Settings) -> int:
    key, digest = new_api_key()
    print(f"key (shown once, give it to the client)  {key}")
    print(f"hash (for RULEGRADE_API_KEYS)            {digest}")
    return OK
