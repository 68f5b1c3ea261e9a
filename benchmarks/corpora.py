"""
How right a running service is on labelled data, over HTTP.

    python3 dev.py bench corpora --data ../shared/data

Programs: every reference must be rewarded, every wrong solution must not. Mathematics: the first
rows without a policy or suspect mark. Labels are the data's; a row that differs is printed.
"""

import argparse
import json
import time
from pathlib import Path
from typing import Any

import httpx

Json = dict[str, Any]
DEADLINE_MS = 600_000


def main() -> None:
    """Print a line for each corpus, and the rows that differ."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").strip().partition("\n")[0])
    parser.add_argument("--url", default="http://127.0.0.1:8000")
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--math-rows", type=int, default=500)
    options = parser.parse_args()
    with httpx.Client(base_url=options.url, timeout=660, trust_env=False) as client:
        compare(client, "programs", *programs(rows(options.data / "code_tasks.jsonl")))
        compare(
            client,
            "mathematics",
            *mathematics(rows(options.data / "math_cases.jsonl"), options.math_rows),
        )


def rows(file: Path) -> list[Json]:
    """The lines of a JSONL file."""
    return [json.loads(line) for line in file.read_text("utf-8").splitlines()]


def programs(tasks: list[Json]) -> tuple[list[Json], list[bool]]:
    """Reference and wrong solution of every own task on standard input, as items with labels."""
    items, labels = [], []
    for task in tasks:
        if task["source"] != "own" or task["kind"] != "stdin":
            continue
        params = {"language": task["language"], "kind": "stdin", "tests": task["tests"]}
        for kind, label in (("reference_solution", True), ("wrong_solution", False)):
            if task[kind]:
                items.append(
                    {
                        "id": f"{task['id']} {kind}",
                        "completion": f"```{task['language']}\n{task[kind]}\n```",
                        "verifiers": [{"name": "code", "params": params}],
                    }
                )
                labels.append(label)
    return items, labels


def mathematics(cases: list[Json], count: int) -> tuple[list[Json], list[bool]]:
    """Answers, boxed as a model would, and whole responses as they stand."""
    kept = [case for case in cases if not case["policy"] and not case["suspect"]][:count]
    items = [
        {
            "id": case["id"],
            "completion": f"\\boxed{{{case['pred']}}}"
            if case["form"] == "answer"
            else case["pred"],
            "ground_truth": case["gold"],
            "verifiers": [{"name": "math"}],
        }
        for case in kept
    ]
    return items, [case["label"] for case in kept]


def compare(client: httpx.Client, name: str, items: list[Json], labels: list[bool]) -> None:
    """Score `items` in one batch and print how many agree with their labels."""
    began = time.perf_counter()
    response = client.post("/v1/rewards", json={"deadline_ms": DEADLINE_MS, "items": items})
    response.raise_for_status()
    took_s = time.perf_counter() - began
    results = response.json()["results"]
    pairs = list(zip(results, labels, strict=True))
    differ = [(r, label) for r, label in pairs if (r["reward"] == 1.0) != label]
    missed = sum(label for _, label in differ)
    print(
        f"{name}: {len(pairs)} items, {len(pairs) - len(differ)} as labelled, "
        f"{missed} right ones not rewarded, {len(differ) - missed} wrong ones rewarded, "
        f"{sum(r['reward'] is None for r in results)} null, {took_s:.1f} s"
    )
    for result, label in differ:
        reasons = [part["reason"] for part in result["components"].values()]
        print(f"  {result['id']}: labelled {label}, {result['reward']}, {', '.join(reasons)}")


if __name__ == "__main__":
    main()
