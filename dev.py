#!/usr/bin/env python3
"""
Prepares an environment on a machine that has only Python 3.11 or later, then runs one verb.

Standard library only. What it makes lies in .venv, .tools and run beside this file. On Debian as
root it also installs what is missing: for `test` a Docker engine, for `run` where no engine answers
a compiler.
"""

import sys

if sys.version_info < (3, 11):  # noqa: UP036 - an older Python must be told, not shown a traceback
    sys.exit("dev.py needs Python 3.11 or later; this is Python " + sys.version.split()[0])

import argparse
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

from provision.console import Log, SetupError, say
from provision.debian import ensure_program
from provision.engine import engine_answers, ensure_engine
from provision.environment import prepare
from provision.host import ensure_host_can_run_programs
from provision.peers import prepare_peers
from provision.redis_server import ensure_redis
from provision.service import refuse_busy_port, running_service, serve_example
from provision.trainer import ensure_trainer

ROOT = Path(__file__).resolve().parent
LOG = Log(ROOT / "run/setup.log")
TOOLS = ROOT / ".tools"
SCRIPTS = ("dev.py", "provision", "benchmarks", "examples", "tests")
REQUIRE = "RULEGRADE_TEST_REQUIRE"
PEERS = "RULEGRADE_TEST_PEERS"
COMPOSE = "RULEGRADE_TEST_COMPOSE"
CHECKS = (
    ("ruff", "check", "--no-cache", "."),  # its cache misses a package that appeared since
    ("ruff", "format", "--check", "."),
    ("lint-imports", "--no-logo"),
    ("mypy",),
    ("mypy", "--strict", "--explicit-package-bases", *SCRIPTS),
)
VERBS = {
    "setup": "make the environment and nothing else",
    "run": "score examples/batch.jsonl over HTTP, then keep serving",
    "test": "run every check and every test; further arguments go to pytest",
    "check": "run lint, layer rules and types",
    "faults": "break a running service in every way we know, and print what that did",
    "demo": "train a small policy on the rewards of a running service, beside its controls",
    "bench": "measure one part on this machine; further arguments go to the measurement",
}
DEMOS = ("math", "code")
OVER_HTTP = ("service", "corpora", "sandbox")
"""Measurements of a running service; the others call the part they measure."""
BENCHMARKS = (
    *OVER_HTTP,
    *("queue", "items", "capacity", "rules", "math_answers", "languages", "trainer"),
)


def main() -> int:
    """Run the verb on the command line; 0 when it passed."""
    options, rest = _parse()
    # Daemons live in sbin, which a plain user's PATH, or an empty one, does not name.
    places = [os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin", str(TOOLS)]
    os.environ["PATH"] = os.pathsep.join(places)
    try:
        if options.verb in ("run", "demo") or (
            options.verb == "bench" and options.part in OVER_HTTP
        ):
            refuse_busy_port(options.port)
        bin_dir = prepare(ROOT, log=LOG)
        return _run_verb(options, bin_dir, rest)
    except SetupError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def _parse() -> tuple[argparse.Namespace, list[str]]:
    parser = argparse.ArgumentParser(description=(__doc__ or "").strip().partition("\n")[0])
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    parsers = {name: verbs.add_parser(name, help=text) for name, text in VERBS.items()}
    parsers["run"].add_argument("--once", action="store_true", help="exit after the table")
    parsers["demo"].add_argument("world", choices=DEMOS)
    parsers["demo"].add_argument("--seed", type=int, default=1)
    for name in ("run", "demo", "bench"):
        parsers[name].add_argument("--port", type=int, default=8000, help="port on 127.0.0.1")
    parsers["test"].add_argument(
        "--peers", action="store_true", help="try real trainers instead; 6 GB of their packages"
    )
    parsers["bench"].add_argument("part", nargs="?", choices=BENCHMARKS, default="service")
    parsers["test"].add_argument(
        "--compose", action="store_true", help="try the set in containers instead; builds images"
    )
    options, rest = parser.parse_known_args()
    if rest and options.verb not in ("test", "bench", "faults"):
        parser.error(f"unknown arguments: {' '.join(rest)}")
    return options, rest


def _run_verb(options: argparse.Namespace, bin_dir: Path, rest: list[str]) -> int:
    if options.verb == "check":
        return _check(bin_dir)
    if options.verb == "test":
        others = {_test_peers: options.peers, _test_compose: options.compose}
        chosen = [test for test, is_asked in others.items() if is_asked] or [_test]
        return max(test(bin_dir, rest) for test in chosen)
    if options.verb == "setup":
        return 0
    if options.verb == "faults":
        _prepare_for_faults(bin_dir)
        return _call(bin_dir / "python", "-m", "tests.faults.run", *rest)
    if options.verb == "demo":
        return _demo(options, bin_dir)
    measure: list[Path | str] = (
        [bin_dir / "python", "-m", f"benchmarks.{options.part}"] if "part" in options else []
    )
    if measure and options.part not in OVER_HTTP:
        if options.part == "trainer":
            ensure_trainer(bin_dir, log=LOG)
        return _call(*measure, *rest)
    _prepare_for_programs(bin_dir)
    if measure:
        with running_service(ROOT, bin_dir, port=options.port) as (_, url):
            return _call(*measure, "--url", url, *rest)
    return serve_example(ROOT, bin_dir, port=options.port, once=options.once)


def _demo(options: argparse.Namespace, bin_dir: Path) -> int:
    """Serve and train; only programs need a sandbox."""
    ensure_trainer(bin_dir, log=LOG)
    needs_sandbox = options.world == "code"
    if needs_sandbox:
        _prepare_for_programs(bin_dir)
    settings = () if needs_sandbox else ("--sandbox-backend", "off")
    out = ROOT / "run/demo" / f"{options.world}-{options.seed}"
    shutil.rmtree(out, ignore_errors=True)  # or the demonstration would go on where that one ended
    demo = (bin_dir / "python", "-m", "grpo_trainer.demo", options.world, "--out", out)
    with running_service(ROOT, bin_dir, port=options.port, settings=settings) as (_, url):
        return _call(*demo, "--url", url, "--seed", str(options.seed))


def _check(bin_dir: Path) -> int:
    """Run every check even after one failed, so that one round shows them all."""
    failed = 0
    for program, *arguments in CHECKS:
        say(" ".join((program, *arguments)))
        failed |= _call(bin_dir / program, *arguments)
    return int(failed != 0)


def _test(bin_dir: Path, pytest_arguments: list[str]) -> int:
    """Run checks and tests. What this machine cannot have is skipped and named at the end."""
    parts: dict[str, Callable[[], None]] = {
        "docker": lambda: ensure_engine(bin_dir, log=LOG),
        "local": lambda: ensure_host_can_run_programs(log=LOG),
        "redis": lambda: ensure_redis(TOOLS, log=LOG),
        "curl": lambda: ensure_program("curl", log=LOG),
        "faketime": lambda: ensure_program("faketime", log=LOG),
        "trainer": lambda: ensure_trainer(bin_dir, log=LOG),
    }
    missing = {}
    for name, ensure in parts.items():
        try:
            ensure()
        except SetupError as error:
            missing[name] = str(error)
    if "docker" not in missing:
        _build_image(bin_dir)
    failed = _check(bin_dir)
    say("pytest")
    given = set(filter(None, os.environ.get(REQUIRE, "").split(",")))
    os.environ[REQUIRE] = ",".join(sorted(given | (parts.keys() - missing.keys())))
    failed |= _call(bin_dir / "python", "-m", "pytest", *pytest_arguments)
    for name, reason in missing.items():
        say(f"Skipped every test that needs {name}.\n{reason}")
    say("FAILED" if failed else "Passed")
    return int(failed != 0)


def _prepare_for_faults(bin_dir: Path) -> None:
    """Redis is a must; faults that need what else this machine lacks are skipped by name."""
    ensure_redis(TOOLS, log=LOG)
    try:
        ensure_program("faketime", log=LOG)
        ensure_engine(bin_dir, log=LOG)
        _build_image(bin_dir)
    except SetupError as error:
        say(str(error))


def _test_peers(bin_dir: Path, pytest_arguments: list[str]) -> int:
    """Try the real trainers, each in its own environment; their maths is compared with ours."""
    ensure_engine(bin_dir, log=LOG)
    _build_image(bin_dir)
    os.environ[PEERS] = str(prepare_peers(ROOT, TOOLS, log=LOG))
    ensure_trainer(bin_dir, log=LOG)
    tests = ("tests/peers", "tests/trainer/test_peer_functions.py")
    return _call(bin_dir / "python", "-m", "pytest", *tests, *pytest_arguments)


def _test_compose(bin_dir: Path, pytest_arguments: list[str]) -> int:
    """Run the set of docker-compose.yml with every Compose that this machine has."""
    ensure_engine(bin_dir, log=LOG)
    _build_image(bin_dir)
    os.environ.setdefault(COMPOSE, "on")
    tests = (bin_dir / "python", "-m", "pytest", "tests/deploy/test_compose.py")
    return _call(*tests, *pytest_arguments)


def _prepare_for_programs(bin_dir: Path) -> None:
    """Use the engine that answers; where none does, or it has no image, programs run here."""
    if engine_answers(bin_dir):
        try:
            _build_image(bin_dir)
        except SetupError as error:
            say(f"Programs will run without containers: there is no image.\n{error}")
        else:
            return
    else:
        say("No container engine answers: programs will run on this machine, in a jail of its own")
    ensure_host_can_run_programs(log=LOG)


def _build_image(bin_dir: Path) -> None:
    say(
        f"Building the sandbox image unless it is there; takes minutes once (details in {LOG.path})"
    )
    LOG.run([bin_dir / "rulegrade", "sandbox", "build"])


def _call(*command: Path | str) -> int:
    return subprocess.run([str(part) for part in command], cwd=ROOT).returncode


if __name__ == "__main__":
    sys.exit(main())
