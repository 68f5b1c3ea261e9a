"""What an evaluation counts, and the picture of several."""

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch", reason="needs torch: python3 dev.py test gets it")

from grpo_trainer.evaluate import summary
from grpo_trainer.plots import draw_curves
from grpo_trainer.problems import Problem, at_position
from grpo_trainer.rewards import Graded

PROBLEM = Problem("p", "2+2=", {"verifiers": [{"name": "math"}, {"name": "language"}]})


def graded(answer: str | None, *, language: float | None = 1.0, reward: Any = 1.0) -> Graded:
    verdict = "correct" if answer == "4" else "wrong_answer"
    details = {} if answer is None else {"extracted": answer}
    math = {"verdict": verdict, "score": float(answer == "4"), "details": details}
    return Graded(reward, {"math": math, "language": {"score": language}})


def test_figures_are_means_over_problems() -> None:
    easy = [graded("4"), graded("4"), graded("4"), graded("5")]
    hard = [graded("4"), graded("5"), graded("5"), graded(None, language=None)]
    found = summary([PROBLEM, PROBLEM], [easy, hard])
    assert found.pass_1 == pytest.approx((0.75 + 0.25) / 2)
    assert found.majority == 0.5
    assert found.pass_k == 1.0
    assert found.language == 1.0
    assert found.unscored == 0


def test_a_sample_without_a_reward_is_in_no_figure() -> None:
    lost = Graded(None, {}, "sandbox_failed")
    found = summary([PROBLEM, PROBLEM], [[graded("4"), lost], [lost, lost]])
    assert (found.pass_1, found.unscored) == (1.0, 3)


def test_programs_have_no_answer_to_vote_on() -> None:
    assert summary([PROBLEM], [[graded(None), graded(None)]]).majority is None


def test_every_epoch_asks_every_problem_once_and_in_another_order() -> None:
    problems = [Problem(str(n), "", {}) for n in range(10)]
    asked = [one.id for start in (0, 4, 8, 12, 16) for one in at_position(problems, start, 4, 7)]
    assert sorted(asked[:10]) == sorted(asked[10:]) == sorted(one.id for one in problems)
    assert asked[:10] != asked[10:]


def test_curves_are_drawn_for_runs_that_lack_a_figure(tmp_path: Path) -> None:
    rows = [{"step": n, "pass_1": n / 3, "language": None} for n in range(3)]
    file = tmp_path / "curve.png"
    draw_curves({"a": rows, "b": rows}, ["pass_1", "language"], file)
    assert file.read_bytes().startswith(b"\x89PNG")
