"""Where programs run is said, and where isolation is not whole no program is run."""

import os
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from sandbox.docker import Engine
from sandbox.images.build import image_tag
from tests.live_service import LiveService, live_service

NO_ENGINE = "unix:///nonexistent/docker.sock"
CODE: dict[str, Any] = {"name": "code", "params": {"tests": [{"input": "", "output": "42\n"}]}}
FORMAT = {"name": "format", "params": {"preset": "think_answer"}}
ANSWER = "<think>Quick.</think>\n<answer>\n```python\nprint(42)\n```\n</answer>"

WEAKENED = """
FROM {image}
USER root
RUN sed -i '{change}' /opt/rulegrade/jail.c \\
    && gcc -O2 -shared -fPIC -o /opt/rulegrade/jail.so /opt/rulegrade/jail.c
USER 10000:10000
"""


def batch(*verifiers: dict[str, Any]) -> dict[str, Any]:
    return {"items": [{"id": "a", "completion": ANSWER, "verifiers": list(verifiers)}]}


@contextmanager
def weakened_image(change: str) -> Iterator[str]:
    """The sandbox's image with a jail that was edited by this command of sed."""
    tag = f"rulegrade/test-weakened:{secrets.token_hex(4)}"
    engine = Engine()
    try:
        dockerfile = WEAKENED.format(image=image_tag(), change=change)
        list(engine.build({"Dockerfile": dockerfile.encode()}, tag, args={}))
        yield tag
    finally:
        engine.remove_image(tag)
        engine.close()


@contextmanager
def unready_service(directory: Path, **settings: str) -> Iterator[str]:
    """URL of a service that has tried to start its sandbox, and failed."""
    env = os.environ | {f"RULEGRADE_{name.upper()}": value for name, value in settings.items()}
    with (
        (directory / "service.out").open("wb") as out,
        subprocess.Popen(
            [sys.executable, "-m", "reward_service", "serve", "--port", "0"],
            env=env,
            stdout=subprocess.PIPE,
            stderr=out,
        ) as process,
    ):
        assert process.stdout is not None
        url = process.stdout.readline().decode().strip().rpartition(" ")[2]
        deadline = time.monotonic() + 120
        while "starting" in httpx.get(f"{url}/readyz").text and time.monotonic() < deadline:
            time.sleep(0.2)
        yield url
        process.terminate()


@pytest.mark.usefixtures("built")
@pytest.mark.parametrize(
    ("change", "canary"),
    [
        pytest.param("/RLIMIT_NPROC/d", "processes are limited", id="no-process-limit"),
        pytest.param("/install_filter(&of_all/d", "no namespaces", id="no-filter-of-all-jails"),
        pytest.param("/install_filter(&of_jail/d", "no namespaces", id="no-filter-of-a-jail"),
        pytest.param("s/^    drop_capabilities();//", "no capability", id="all-capabilities"),
    ],
)
def test_a_sandbox_that_lacks_a_protection_runs_nothing_and_names_the_canary(
    tmp_path: Path, change: str, canary: str
) -> None:
    with (
        weakened_image(change) as image,
        unready_service(tmp_path, sandbox_image=image, sandbox_slots="1") as url,
    ):
        ready = httpx.get(f"{url}/readyz")
        only_code = httpx.post(f"{url}/v1/rewards", json=batch(CODE), timeout=60)
        mixed = httpx.post(f"{url}/v1/rewards", json=batch(CODE, FORMAT), timeout=60)
    assert ready.status_code == 503
    assert f"the start-up check '{canary}' failed" in ready.json()["parts"]["sandbox"]
    assert ready.json()["isolation"] == {}
    assert (only_code.status_code, only_code.json()["code"]) == (503, "sandbox_unavailable")
    assert canary in only_code.json()["message"]
    assert only_code.headers["Retry-After"]
    components = mixed.json()["results"][0]["components"]
    assert components["code"]["error"]["code"] == "sandbox_unavailable"
    assert components["format"]["status"] == "scored"
    assert mixed.json()["rewards"] == [None]


@pytest.mark.usefixtures("built")
def test_doctor_names_every_canary_and_fails_for_one() -> None:
    with weakened_image("/RLIMIT_NPROC/d") as image:
        ended = subprocess.run(
            [sys.executable, "-m", "reward_service", "doctor", "--port", "0"],
            env=os.environ | {"RULEGRADE_SANDBOX_IMAGE": image},
            capture_output=True,
            text=True,
            timeout=300,
        )
    assert ended.returncode == 1, ended.stdout
    assert "missing  canary     processes are limited: failed" in ended.stdout
    assert "ok       canary     no sockets: held" in ended.stdout
    assert "ok       canary     output is limited: held" in ended.stdout


@pytest.fixture(scope="module")
def without_engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveService]:
    """A service on a machine where no engine answers."""
    with ExitStack() as stack:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("DOCKER_HOST", NO_ENGINE)
            directory = tmp_path_factory.mktemp("local")
            running = stack.enter_context(live_service(directory, sandbox_slots=1))
        yield running


def test_without_an_engine_programs_run_on_the_host_and_the_service_says_so(
    without_engine: LiveService,
) -> None:
    assert without_engine.score(batch(CODE))["rewards"] == [1.0]
    isolation = httpx.get(f"{without_engine.url}/readyz").json()["isolation"]
    assert isolation["backend"] == "local"
    assert isolation["level"] in ("full", "rlimits")


def test_a_language_that_the_host_lacks_is_refused_at_the_door(
    without_engine: LiveService,
) -> None:
    found = httpx.get(f"{without_engine.url}/v1/languages").json()["languages"]
    assert "python" in {language["name"] for language in found}
    java = {"name": "code", "params": CODE["params"] | {"language": "java"}}
    answer = httpx.post(f"{without_engine.url}/v1/rewards", json=batch(java))
    assert answer.status_code == 422
    assert answer.json()["problems"][0]["field"].endswith("params.language")
    assert "python" in answer.json()["problems"][0]["message"]


@pytest.mark.usefixtures("built")
def test_a_runtime_that_the_engine_does_not_know_is_named(tmp_path: Path) -> None:
    with unready_service(tmp_path, sandbox_backend="docker", sandbox_runtime="runx") as url:
        state = httpx.get(f"{url}/readyz").json()["parts"]["sandbox"]
    assert "the engine has no runtime runx, only" in state
    assert "runc" in state
