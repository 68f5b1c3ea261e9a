"""docs/api.md: each command on the page gives the answer that stands below it."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import missing
from tests.live_service import LiveService, live_service

PAGE = (Path(__file__).parents[2] / "docs/api.md").read_text("utf-8")
EXAMPLES = re.findall(r"```sh\n(curl .*?)```\n\n```json\n(.*?)```", PAGE, re.DOTALL)
HERE = "http://127.0.0.1:8000"
VARYING = {
    "batch_id",
    "digest",
    "request_id",
    "version",
    "semantics",
    "elapsed_ms",
    "timing_ms",
    "reason",
    "details",
} | {
    "cpu_ms",
    "wall_ms",
    "memory_kb",
}


@pytest.fixture(scope="module")
def without_sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveService]:
    directory = tmp_path_factory.mktemp("docs")
    with live_service(directory, sandbox_backend="off", pool_workers=1) as running:
        yield running


@pytest.fixture(scope="module")
def with_sandbox(
    tmp_path_factory: pytest.TempPathFactory, docker_engine: None
) -> Iterator[LiveService]:
    directory = tmp_path_factory.mktemp("docs_sandbox")
    with live_service(directory, pool_workers=1, sandbox_slots=1) as running:
        yield running


def steady(answer: Any) -> Any:
    """The answer without what the page says may differ."""
    if isinstance(answer, list):
        return [steady(part) for part in answer]
    if isinstance(answer, dict):
        return {key: steady(part) for key, part in answer.items() if key not in VARYING}
    return answer


def test_the_page_has_examples() -> None:
    assert len(EXAMPLES) == PAGE.count("```sh\n") == 10


@pytest.mark.parametrize(("command", "promised"), EXAMPLES, ids=range(len(EXAMPLES)))
def test_an_example_gives_the_answer_below_it(
    request: pytest.FixtureRequest, command: str, promised: str
) -> None:
    if shutil.which("curl") is None:
        missing("curl", "no program curl on PATH (Debian: apt-get install curl)")
    needs_sandbox = '"code"' in command or "/v1/languages" in command
    name = "with_sandbox" if needs_sandbox else "without_sandbox"
    service: LiveService = request.getfixturevalue(name)
    done = subprocess.run(
        ["bash", "-c", command.replace(HERE, service.url)],
        capture_output=True,
        timeout=120,
        check=True,
    )
    assert steady(json.loads(done.stdout)) == steady(json.loads(promised))
