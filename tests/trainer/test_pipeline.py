"""The commands around training, as typed, on files of JSON lines."""

import json
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch", reason="needs torch: python3 dev.py test gets it")

from grpo_trainer.__main__ import main
from grpo_trainer.metrics import best_of_n, majority_vote, mean_and_error, pass_at_k

Row = dict[str, Any]


def sample(text: str, *, reward: float | None = 1.0, problem: str = "p", **changes: Any) -> Row:
    """One scored sample whose math component is right iff its reward is 1."""
    verdict = "correct" if reward == 1 else "wrong_answer"
    language = changes.pop("language", 1.0)
    answer = changes.pop("answer", "4")
    math = {"score": reward, "verdict": verdict, "details": {"extracted": answer}}
    components = {"math": math, "language": {"score": language, "verdict": "correct"}}
    row = {"problem_id": problem, "prompt": "2+2?", "completion": text, "reward": reward}
    return {**row, "components": components if reward is not None else {"math": {}}, **changes}


def written(file: Path, rows: list[Row]) -> str:
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return str(file)


def read(file: Path) -> list[Row]:
    return [json.loads(line) for line in file.read_text("utf-8").splitlines()]


def thought(text: str) -> str:
    return f"<think>{text}</think><answer>4</answer>"


FAULTS = [
    pytest.param(sample("a", reward=None), "not_scored", id="not-scored"),
    pytest.param(sample("a", reward=0.0), "low_reward", id="wrong"),
    pytest.param(sample("a", truncated=True), "truncated", id="truncated"),
    pytest.param(sample("a", language=0.6), "mixed_language", id="two-languages"),
    pytest.param(sample(thought("word " * 400)), "long_paragraph", id="long-paragraph"),
    pytest.param(sample(thought("```\nx = 1\n```")), "code_block", id="code-in-the-thought"),
    pytest.param(
        sample(thought("so it is four then, I think. " * 9)), "repetition", id="repetition"
    ),
    pytest.param(sample(thought("所以答案就是四对吧" * 9)), "repetition", id="repetition-chinese"),
]


@pytest.mark.parametrize(("row", "reason"), FAULTS)
def test_a_sample_that_is_not_worth_imitating_is_dropped_with_its_reason(
    row: Row, reason: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good = sample(thought("two and two make four"))
    source = written(tmp_path / "in.jsonl", [row, good])
    assert main(["reject", source, "--out", str(tmp_path / "out.jsonl")]) == 0
    assert [kept["completion"] for kept in read(tmp_path / "out.jsonl")] == [good["completion"]]
    assert json.loads(capsys.readouterr().out) == {"kept": 1, "dropped": {reason: 1}}


def test_of_the_same_text_one_is_kept_and_of_a_problem_the_shortest(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    texts = ["four", "FOUR ", "it is four", "I say it is four"]
    rows = [sample(text) for text in texts] + [sample("four", problem="q")]
    source, out = written(tmp_path / "in.jsonl", rows), tmp_path / "out.jsonl"
    main(["reject", source, "--per-problem", "2", "--out", str(out)])
    kept = [(row["problem_id"], row["completion"]) for row in read(out)]
    assert kept == [("p", "four"), ("p", "it is four"), ("q", "four")]
    dropped = json.loads(capsys.readouterr().out)["dropped"]
    assert dropped == {"duplicate": 1, "enough_of_this_problem": 1}


def test_a_language_limit_without_a_language_component_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    row = sample("four")
    del row["components"]["language"]
    source, out = written(tmp_path / "in.jsonl", [row]), str(tmp_path / "out.jsonl")
    assert main(["reject", source, "--out", out]) == 1
    assert "no language component" in capsys.readouterr().err
    assert main(["reject", source, "--min-language", "0", "--out", out]) == 0


def test_problems_always_or_never_solved_are_dropped(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rewards: dict[str, list[float | None]] = {
        "never": [0.0, 0.0],
        "always": [1.0, 1.0],
        "sometimes": [0.0, 1.0],
        "unscored": [None, None],
    }
    rows = [sample("a", reward=r, problem=name) for name, rs in rewards.items() for r in rs]
    task = {"verifiers": [{"name": "math"}], "ground_truth": "4"}
    problems = [{"id": name, "prompt": "2+2?", "task": task} for name in [*rewards, "unseen"]]
    source = written(tmp_path / "in.jsonl", rows)
    asked, out = written(tmp_path / "problems.jsonl", problems), tmp_path / "out.jsonl"
    assert main(["difficulty", source, asked, "--out", str(out)]) == 0
    assert [row["id"] for row in read(out)] == ["sometimes"]
    counts = json.loads(capsys.readouterr().out)
    assert counts["never_solved"] == counts["always_solved"] == 1
    assert counts["without_samples"] == 2


def test_sft_rows_say_where_they_came_from(tmp_path: Path) -> None:
    source, out = written(tmp_path / "in.jsonl", [sample("four")]), tmp_path / "out.jsonl"
    assert main(["sft", source, "--out", str(out)]) == 0
    (row,) = read(out)
    assert [message["role"] for message in row["messages"]] == ["user", "assistant"]
    assert row["provenance"]["scores"] == {"math": 1.0, "language": 1.0}


def test_the_report_counts_right_answers_and_votes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [sample("a", reward=float(n < 3), answer="4" if n < 3 else str(n)) for n in range(10)]
    rows += [sample("b", reward=None)]
    source = written(tmp_path / "in.jsonl", rows)
    assert main(["report", source, "-k", "1", "5", "64"]) == 0
    table = dict(line.rsplit(maxsplit=1) for line in capsys.readouterr().out.splitlines())
    assert table["pass@5"] == "0.9167"
    assert table["pass@1"] == "0.3000"
    assert table["cons@10"] == "1.0000"
    assert "pass@64" not in table


def test_a_file_that_holds_something_else_is_named_with_the_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = written(tmp_path / "in.jsonl", [sample("four"), {"text": "four"}])
    assert main(["report", source]) == 1
    assert "in.jsonl:2 is no sample" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("n", "correct", "k", "expected"),
    [
        (10, 3, 1, 0.3),
        (10, 3, 5, 0.916666666667),
        (64, 1, 8, 0.125),
        (5, 2, 3, 0.9),
        (16, 4, 8, 0.961538461538),
        (4, 0, 2, 0.0),
        (4, 4, 2, 1.0),
    ],
)
def test_pass_at_k(n: int, correct: int, k: int, expected: float) -> None:
    assert pass_at_k(n, correct, k) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(
    ("votes", "expected"),
    [
        pytest.param([("4", True), ("4", True), ("5", False)], 1.0, id="majority-right"),
        pytest.param([("4", True), ("5", False), ("5", False)], 0.0, id="majority-wrong"),
        pytest.param([("4", True), ("5", False)], 0.5, id="tie"),
        pytest.param([("5", False), ("4", True)], 0.5, id="tie-in-another-order"),
        pytest.param([("4", True), (None, False), (None, False)], 1.0, id="no-answer-no-vote"),
        pytest.param([(None, False)], 0.0, id="nobody-voted"),
    ],
)
def test_majority_vote(votes: list[tuple[str | None, bool]], expected: float) -> None:
    assert majority_vote(votes) == expected


def test_best_of_n_is_the_mean_greatest_reward_of_all_subsets() -> None:
    from itertools import combinations

    rewards = [0.1, 0.9, 0.4, 0.4, 0.0]
    for n in range(1, 6):
        best = [max(chosen) for chosen in combinations(rewards, n)]
        assert best_of_n(rewards, n) == pytest.approx(sum(best) / len(best))


def test_the_standard_error_is_over_problems() -> None:
    mean, error = mean_and_error([0.0, 1.0, 1.0, 0.0])
    assert mean == 0.5
    assert error == pytest.approx(0.288675134595)
