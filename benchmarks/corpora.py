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
        listed = client.get("/v1/languages").raise_for_status().json()["languages"]
        held = {language["name"] for language in listed}
        compare(client, "programs", *programs(rows(options.data / "code_tasks.jsonl"), held))
        compare(client, "hacks", *hacks(rows(options.data / "code_hacks.jsonl")))
        compare(
            client,
            "mathematics",
            *mathematics(rows(options.data / "math_cases.jsonl"), options.math_rows),
        )


def rows(file: Path) -> list[Json]:
    """The lines of a JSONL file."""
    return [json.loads(line) for line in file.read_text("utf-8").splitlines()]


def programs(tasks: list[Json], held: set[str]) -> tuple[list[Json], list[bool]]:
    """Reference and wrong solution of every task whose language the service has, with labels."""
    items, labels = [], []
    for task in tasks:
        if task["language"] not in held:
            continue
        for kind, label in (("reference_solution", True), ("wrong_solution", False)):
            if task.get(kind):
                items.append(program(f"{task['id']} {kind}", task["language"], task[kind], task))
                labels.append(label)
    return items, labels


def program(name: str, language: str, source: str, task: Json) -> Json:
    """An item with this program; `raw`, as some of them hold fences of their own."""
    params: Json = {"language": language, "kind": task["kind"], "extract": "raw"}
    params["limits"] = {"cpu_s": 10.0, "wall_s": 60.0}
    if task["kind"] in ("stdin", "function"):
        params["tests"] = task["tests"]
    else:
        params |= {"test_code": task["tests_code"], "files": task.get("files") or {}}
    if task["kind"] in ("function", "assert"):
        params["entry_point"] = task["entry_point"]
    verifiers = [{"name": "code", "params": params}]
    return {"id": name, "completion": source, "verifiers": verifiers}


def hacks(rows: list[Json]) -> tuple[list[Json], list[bool]]:
    """Programs that must not be rewarded, and honest ones, by assertions and by unittest."""
    items, labels = [], []
    for row in rows:
        asserts = row["task"].get("asserts", ())
        if not asserts:
            continue
        function = row["task"]["entry_point"]
        methods = [f"    def test_{i}(self):\n        {line}\n" for i, line in enumerate(asserts)]
        suite = f"import unittest\nfrom solution import {function}\nclass T(unittest.TestCase):\n"
        for kind, code in (("assert", "\n".join(asserts)), ("unittest", suite + "".join(methods))):
            task = {"kind": kind, "tests_code": code, "entry_point": function}
            items.append(program(f"{row['id']} {kind}", "python", row["code"], task))
            labels.append(not row["must_not_pass"])
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
