"""
The math verifier beside Math-Verify, on the same rows in the same run.

    python -m benchmarks.math_answers --data ../shared/data

Prints accuracy per source, the adversarial rows, CPU time per pair, how many
references equal themselves, and equalities among random pairs of references.
Speeds are CPU time of this process with empty caches and warm code.
"""

import argparse
import json
import logging
import random
import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from math_verify import parse
from math_verify import verify as math_verify

from reward_service.verdicts import Score
from reward_service.verifiers.base import Attempt
from reward_service.verifiers.math import (
    Answer,
    Math,
    UnreadableReference,
    check_reference,
    clear_caches,
    verify,
)
from reward_service.verifiers.math.fallback import warm

Row = dict[str, Any]
Grader = Callable[[Row], bool]
CROSS_PAIRS = 30_000
PER_KIND = 8  # rows of each kind and label in the stratified mix


def ours(row: Row) -> bool:
    """Our verdict, on the bare answer or on the whole response."""
    if row["form"] == "answer":
        return verify(row["gold"], row["pred"]).is_equal
    outcome = Math()(Attempt(row["pred"], ground_truth=(row["gold"],)))
    return isinstance(outcome, Score) and outcome.value == 1.0


def theirs(row: Row) -> bool:
    """Math-Verify as its README uses it: the reference between dollars."""
    answer = f"${row['pred']}$" if row["form"] == "answer" else row["pred"]
    return bool(math_verify(parse(f"${row['gold']}$"), parse(answer)))


def main() -> None:
    """Print every table."""
    parser = argparse.ArgumentParser(description="the math verifier beside Math-Verify")
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    data = parser.parse_args().data
    logging.getLogger("math_verify").setLevel(logging.CRITICAL)
    warm()
    cases = [row for row in _rows(data / "math_cases.jsonl") if not row["suspect"]]
    strict = [row for row in cases if not row["policy"]]
    accuracy(strict)
    adversarial(_rows(data / "math_adversarial.jsonl"))
    speed("stratified mix", stratified([row for row in strict if row["form"] == "answer"]), 2)
    speed("rollout answers (ToRA)", [row for row in strict if "ToRA" in row["source"]], 2)
    undecided_share(strict)
    reflexive(cases)
    crossed(cases)


def _rows(path: Path) -> list[Row]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def _source(row: Row) -> str:
    return str(row["source"]).partition(":")[0]


def accuracy(rows: list[Row]) -> None:
    """Right verdicts per source; in brackets the false negatives and false positives."""
    print(f"{'source':40} {'pairs':>6} {'ours':>16} {'Math-Verify':>16}")
    sources: dict[str, list[tuple[bool, bool, bool]]] = defaultdict(list)
    for row in rows:
        verdicts = (bool(row["label"]), ours(row), theirs(row))
        sources[_source(row)].append(verdicts)
        sources["all"].append(verdicts)
    for source, verdicts_of in sorted(sources.items(), key=lambda item: item[0] == "all"):
        columns = [_share(verdicts_of, column) for column in (1, 2)]
        print(f"{source:40} {len(verdicts_of):6} {columns[0]:>16} {columns[1]:>16}")


def _share(verdicts: list[tuple[bool, bool, bool]], column: int) -> str:
    missed = sum(row[0] and not row[column] for row in verdicts)
    forged = sum(row[column] and not row[0] for row in verdicts)
    right = 100 * (len(verdicts) - missed - forged) / len(verdicts)
    return f"{right:.1f} ({missed}/{forged})"


def adversarial(rows: list[Row]) -> None:
    """Rows without a policy mark count; the slowest row's CPU time is over all rows."""
    forged, missed, slowest = [], [], (0.0, "")
    for row in rows:
        began = time.process_time()
        right = ours_or_error(row)
        slowest = max(slowest, (time.process_time() - began, row["id"]))
        if not row["policy"] and row["gold"].strip():
            forged += [row["id"]] if right and not row["label"] else []
            missed += [row["id"]] if row["label"] and not right else []
    print(
        f"\nadversarial: {len(rows)} rows, false positives {forged or 'none'}, "
        f"false negatives {missed or 'none'}, slowest {slowest[1]} {slowest[0]:.2f} s CPU"
    )


def ours_or_error(row: Row) -> bool:
    """Our verdict; an unreadable reference never earns."""
    try:
        return ours(row)
    except UnreadableReference:
        return False


def stratified(rows: list[Row]) -> list[Row]:
    """The same number of rows of each kind and label, drawn with a fixed seed."""
    kinds: dict[tuple[str, bool], list[Row]] = defaultdict(list)
    for row in rows:
        kinds[row["kind"], row["label"]].append(row)
    dice = random.Random(1)  # noqa: S311 - a draw to repeat
    return [
        row
        for _, members in sorted(kinds.items())
        for row in dice.sample(members, min(PER_KIND, len(members)))
    ]


def speed(name: str, rows: list[Row], repeats: int) -> None:
    """CPU time per pair, ours and theirs; the better of `repeats` passes."""
    own = min(_cpu_ms(ours, rows) for _ in range(repeats))
    other = min(_cpu_ms(theirs, rows) for _ in range(repeats))
    print(
        f"\n{name}: {len(rows)} pairs, ours {own:.3f} ms ({1000 / own:.0f} pairs/s/core), "
        f"Math-Verify {other:.2f} ms, {other / own:.0f} times less CPU"
    )


def _cpu_ms(grader: Grader, rows: Iterable[Row]) -> float:
    clear_caches()
    rows = list(rows)
    began = time.process_time()
    for row in rows:
        grader(row)
    return 1000 * (time.process_time() - began) / len(rows)


def undecided_share(rows: list[Row]) -> None:
    """How many pairs reach the fallback, and the speed of those that do not."""
    answers = [row for row in rows if row["form"] == "answer"]
    stages = [verify(row["gold"], row["pred"]).stage for row in answers]
    own = [row for row, stage in zip(answers, stages, strict=True) if stage != "fallback"]
    fallback = len(answers) - len(own)
    cpu_ms = min(_cpu_ms(ours, own) for _ in range(2))
    print(
        f"\nleft to the fallback: {fallback} of {len(answers)} "
        f"({100 * fallback / len(answers):.1f} %); "
        f"decided without it: {1000 / cpu_ms:.0f} pairs/s/core"
    )


def reflexive(rows: list[Row]) -> None:
    """References that can be graded against, per source."""
    golds: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        golds[_source(row)].add(row["gold"])
    print()
    for source, members in golds.items():
        refused = [gold for gold in sorted(members) if not _is_accepted(gold)]
        share = 100 * (len(members) - len(refused)) / len(members)
        print(f"references that equal themselves, {source}: {share:.1f} % of {len(members)}")
        for gold in refused:
            print(f"    refused: {gold}")


def _is_accepted(gold: str) -> bool:
    try:
        check_reference(gold)
    except UnreadableReference:
        return False
    return True


def crossed(rows: list[Row]) -> None:
    """Random pairs of references of one kind; every equality is printed, to be judged by eye."""
    kinds: dict[str, list[str]] = defaultdict(list)
    for row in rows:
        if row["gold"] not in kinds[row["kind"]]:
            kinds[row["kind"]].append(row["gold"])
    members = [golds for golds in kinds.values() if len(golds) > 1]
    weights = [len(golds) for golds in members]
    dice = random.Random(2)  # noqa: S311 - a draw to repeat
    found: dict[Answer, set[tuple[str, str]]] = defaultdict(set)
    for _ in range(CROSS_PAIRS):
        first, second = dice.sample(dice.choices(members, weights)[0], 2)
        found[verify(first, second).answer].add((first, second))
    print(f"\n{CROSS_PAIRS} pairs of references of one kind: {len(found[Answer.EQUAL])} equal")
    for first, second in sorted(found[Answer.EQUAL]):
        print(f"    {first}  =  {second}")


if __name__ == "__main__":
    main()
