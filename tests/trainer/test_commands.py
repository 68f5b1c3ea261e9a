"""The commands that need a model and a service, one after the other, on a tiny language model."""

import json
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch", reason="needs torch: python3 dev.py test gets it")
pytest.importorskip("transformers", reason="needs transformers: python3 dev.py test gets it")

from grpo_trainer.__main__ import main
from grpo_trainer.checkpoint import checkpoints
from grpo_trainer.runlog import read_metrics
from tests.live_service import LiveService

SHORT = {"name": "length", "params": {"shape": "cosine", "max_length": 8, "unit": "characters"}}


@pytest.fixture
def problems(tmp_path: Path) -> str:
    task = {"verifiers": [SHORT]}
    rows = [{"id": f"p{n}", "prompt": f"{n}+{n}=", "task": task} for n in range(4)]
    file = tmp_path / "problems.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(file)


def rows(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text().splitlines()]


def test_samples_are_drawn_scored_and_imitated(
    tmp_path: Path, problems: str, hub_directory: Path, service: LiveService
) -> None:
    drawn, scored = tmp_path / "drawn.jsonl", tmp_path / "scored.jsonl"
    model, out = str(hub_directory), tmp_path / "imitated"
    drawing = ["-n", "3", "--max-new-tokens", "8", "--batch", "5", "--out", str(drawn)]
    assert main(["sample", model, problems, *drawing]) == 0
    assert [row["problem_id"] for row in rows(drawn)] == [f"p{n}" for n in range(4) for _ in "abc"]
    asked = [str(drawn), problems, "--url", service.url]
    assert main(["score", *asked, "--out", str(scored)]) == 0
    assert all(row["components"]["length"]["score"] == row["reward"] for row in rows(scored))
    fewer = ["--epochs", "1", "--batch", "8", "--out", str(out)]
    assert main(["imitate", model, str(scored), *fewer]) == 0
    taught = ["--teacher", model, "--mix", "0.5", "--epochs", "1", "--out", str(out)]
    assert main(["imitate", str(out), str(scored), *taught]) == 0
    assert (out / "config.json").exists()


def test_a_language_model_is_trained_and_goes_on_where_it_stopped(
    tmp_path: Path, problems: str, hub_directory: Path, service: LiveService
) -> None:
    out, config = tmp_path / "run", tmp_path / "config.json"
    numbers = {"prompts_per_step": 2, "group_size": 4, "minibatches": 2, "chunks": 2, "steps": 2}
    several = {"checkpoint_every": 1, "evaluate_every": 2, "learning_rate": 1e-3}
    sizes = {"sampling": {"max_new_tokens": 8}, "objective": {"beta": 0.01}}
    command = ["train", str(hub_directory), problems, "--held-out", problems]
    for steps in (2, 3):
        config.write_text(json.dumps({**numbers, **several, **sizes, "steps": steps}))
        place = ["--config", str(config), "--url", service.url, "--out", str(out)]
        assert main([*command, *place]) == 0
    seen = read_metrics(out, "train")
    assert [row["step"] for row in seen] == [0, 1, 2]
    assert max(row["drift"] for row in seen) < 1e-3
    assert [place.name for place in checkpoints(out)] == ["step-000002", "step-000003"]
    assert (out / "model/config.json").exists()
    assert (out / "curve.png").read_bytes().startswith(b"\x89PNG")
    assert len(rows(out / "completions.jsonl")) == 3 * 4


def test_a_typo_in_a_configuration_is_told(
    tmp_path: Path, problems: str, hub_directory: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "config.json"
    config.write_text('{"learning_rat": 1}')
    given = ["--config", str(config), "--out", str(tmp_path / "run")]
    assert main(["train", str(hub_directory), problems, *given]) == 1
    assert "unknown: learning_rat" in capsys.readouterr().err
