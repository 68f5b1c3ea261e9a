"""
Sends a file of completions to a running service and prints what each was found to be.

    python examples/run_batch.py [--url http://127.0.0.1:8000] [FILE.jsonl]

The file names the verdict expected of each component; status 1 when one differs. A service with
keys is shown the one in RULEGRADE_API_KEY. This is also the shortest client there is: one POST, no
library but an HTTP one.
"""

import argparse
import json
import os
import sys
import textwrap
import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx

FILE = Path(__file__).with_name("batch.jsonl")
DEADLINE_S = 240  # one hang and one memory bomb included, far above what two busy cores need
ANSWERS = ("math", "code")
"""The verifiers that judge the answer; an item of the example has one of them at most."""
WIDTHS = (2, 9, 7, 29, 16, 18, 30, 8)
HEADINGS = ("", "id", "reward", "answer", "format", "language", "reason", "time")

Json = dict[str, Any]


def main() -> int:
    """Send, print, compare. 0: every verdict as expected; 1: one differs; 2: no answer."""
    parser = argparse.ArgumentParser(description="Score a file of completions over HTTP.")
    parser.add_argument("file", nargs="?", type=Path, default=FILE)
    parser.add_argument("--url", default="http://127.0.0.1:8000")
    options = parser.parse_args()
    lines = [json.loads(line) for line in options.file.read_text("utf-8").splitlines() if line]
    tasks = {line["task"].pop("id"): line["task"] for line in lines if "task" in line}
    rows = [line for line in lines if "item" in line]
    try:
        answer = send(options.url, tasks, [row["item"] for row in rows])
    except httpx.HTTPError as error:
        print(f"{options.url} gave no rewards: {error}", file=sys.stderr)
        return 2
    sys.stdout.reconfigure(errors="replace")  # type: ignore[union-attr]
    status = report(answer, tasks, rows)
    print(isolation(options.url))
    return status


def send(url: str, tasks: Json, items: list[Json]) -> Json:
    """POST one batch and return the answer; httpx.HTTPError says why there is none."""
    request = {"deadline_ms": DEADLINE_S * 1000, "tasks": tasks, "items": items}
    timeout = httpx.Timeout(10, read=DEADLINE_S + 30)
    key = os.environ.get("RULEGRADE_API_KEY")
    headers = {"X-API-Key": key} if key else {}
    with httpx.Client(timeout=timeout, trust_env=False) as client:  # no proxy to this machine
        response = client.post(f"{url}/v1/rewards", json=request, headers=headers)
    if response.is_error:
        raise httpx.HTTPError(f"{response.status_code} {response.text[:500]}")
    answer: Json = response.json()
    return answer


def isolation(url: str) -> str:
    """What kept the programs of the batch from everything else."""
    ready: Json = httpx.get(f"{url}/readyz", timeout=30, trust_env=False).json()
    found = ready.get("isolation")
    if not found:
        return "isolation: none, no program is run"
    return f"isolation: {found['backend']}, jail {found['level']}, {found['limits']}"


def report(answer: Json, tasks: Json, rows: list[Json]) -> int:
    """Print the table under a heading for each task, then what was not as expected."""
    print(line_of(HEADINGS))
    surprises: list[str] = []
    heading = None
    for row, result in zip(rows, answer["results"], strict=True):
        task_id = row["item"]["task_id"]
        if task_id != heading:
            heading = task_id
            print(f"\n  {task_id}: {first_line(tasks[task_id]['prompt'])}")
        found = differences(result, row)
        surprises += found
        print(line_of(cells(result, mark="!" if found else "")))
    print(f"\n{closing(answer['summary'])}")
    print("\n".join(surprises) or "Every verdict is the expected one.")
    return 1 if surprises else 0


def differences(result: Json, row: Json) -> list[str]:
    """Say which components were not found to be what the file expects."""
    if result["id"] != row["item"]["id"]:
        return [f"! {row['item']['id']}: answered in the place of {result['id']}"]
    found = {name: verdict(part) for name, part in result["components"].items()}
    expected = row["expected"]
    return [
        f"! {result['id']}: {name} is {found.get(name)}, expected {expected.get(name)}"
        for name in sorted(found.keys() | expected.keys())
        if found.get(name) not in as_list(expected.get(name))
    ]


def as_list(value: Any) -> list[Any]:
    """One accepted verdict or several."""
    return value if isinstance(value, list) else [value]


def verdict(component: Json) -> str:
    """What was found, or that nothing was: `skipped` or `error`."""
    return str(component["verdict"] or component["status"])


def cells(result: Json, *, mark: str) -> tuple[str, ...]:
    """One item as a row; its reason is that of the first component without full marks."""
    parts: Json = result["components"]
    answer = next((name for name in ANSWERS if name in parts), None)
    short = [
        part for part in parts.values() if part["score"] != 1.0 and part["status"] != "skipped"
    ]
    told = [*short, *parts.values()][:1]
    reward = result["reward"]
    return (
        mark,
        result["id"],
        "null" if reward is None else f"{reward:.2f}",
        f"{answer} {cell(parts[answer])}" if answer else "",
        *(cell(parts[name]) if name in parts else "" for name in ("format", "language")),
        "".join(part["reason"] for part in told),
        f"{sum(part['timing_ms']['run'] for part in parts.values()):.0f} ms",
    )


def cell(component: Json) -> str:
    """Score and verdict of one component."""
    score = component["score"]
    return verdict(component) if score is None else f"{score:.2g} {verdict(component)}"


def line_of(columns: Sequence[str]) -> str:
    """Lay one row out in columns that fit into 120 characters; the time is right-aligned."""
    *texts, time = columns
    padded = [text[: width - 1].ljust(width) for text, width in zip(texts, WIDTHS, strict=False)]
    return ("".join(padded) + time.rjust(WIDTHS[-1])).rstrip()


def first_line(prompt: Any) -> str:
    """The beginning of a prompt, given as text or as chat messages."""
    text = prompt if isinstance(prompt, str) else prompt[-1]["content"]
    is_wide = any(unicodedata.east_asian_width(letter) in "WF" for letter in text)
    return textwrap.shorten(text[: 50 if is_wide else None], 100)  # such letters fill two columns


def closing(summary: Json) -> str:
    """Counts over the batch."""
    mean = summary["mean_reward"]
    return (
        f"{summary['count']} completions in {summary['elapsed_ms'] / 1000:.1f} s: "
        f"{summary['scored']} scored, {summary['errors']} errors, {summary['skipped']} skipped, "
        f"mean reward {'null' if mean is None else format(mean, '.3f')}"
    )


if __name__ == "__main__":
    sys.exit(main())
