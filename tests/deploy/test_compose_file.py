"""What docker-compose.yml promises, read from the file; test_compose.py has it run."""

import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from reward_service.settings import PREFIX, Settings, load_settings

FILE = Path(__file__).parents[2] / "docker-compose.yml"
CONTENT: dict[str, Any] = yaml.safe_load(FILE.read_text())
SERVICES: dict[str, dict[str, Any]] = CONTENT["services"]
OURS = [name for name, spec in SERVICES.items() if spec["image"] == "rulegrade/service"]


def test_only_the_runner_reaches_the_engine_and_only_it_is_root() -> None:
    reaching = {
        name
        for name, spec in SERVICES.items()
        if any("docker.sock" in volume for volume in spec.get("volumes", ()))
    }
    assert reaching == {"runner"}
    assert {name for name in SERVICES if "user" in SERVICES[name]} == {"runner"}


def test_what_works_behind_the_queue_cannot_be_reached_from_outside() -> None:
    assert CONTENT["networks"]["queue"]["internal"]
    for name in ("redis", "worker", "runner"):
        assert SERVICES[name]["networks"] == ["queue"]
        assert "ports" not in SERVICES[name]
    published = [port for spec in SERVICES.values() for port in spec.get("ports", ())]
    assert all(port.startswith("127.0.0.1:") for port in published)


@pytest.mark.parametrize("name", OURS)
def test_a_process_understands_its_settings_and_may_end_its_work(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in [one for one in os.environ if one.startswith(PREFIX)]:
        monkeypatch.delenv(variable)
    for variable, value in SERVICES[name]["environment"].items():
        if variable.startswith(PREFIX):
            assert variable.removeprefix(PREFIX).lower() in Settings.model_fields
            if not value.startswith("${"):
                monkeypatch.setenv(variable, value)
    settings = load_settings()
    probed = int(SERVICES[name]["environment"].get("PROBED", 8000))
    assert probed == (settings.port if name == "api" else settings.probe_port)
    assert int(SERVICES[name]["stop_grace_period"].removesuffix("s")) >= settings.drain_s + 5
