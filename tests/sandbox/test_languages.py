"""Every language compiles, answers, fails and is limited as a judge expects, in its own image."""

from collections.abc import Mapping
from dataclasses import replace

import pytest
import pytest_asyncio

from sandbox import (
    DockerSandbox,
    LanguageMissing,
    Limits,
    LocalSandbox,
    PooledSandbox,
    Program,
    Status,
    installed_languages,
)
from sandbox.images.build import image_tag
from sandbox.languages import LANGUAGES
from tests.sandbox.sandbox_cases import Row, read

pytestmark = pytest.mark.asyncio(loop_scope="session")

ROWS = read("languages.jsonl")
NUMBERS = 100_000
LINE = "0123456789abcde\n"

STDOUT = {
    "answers": "42\n",
    "reads_all_of_stdin": f"{NUMBERS * (NUMBERS + 1) // 2}\n",
    "writes_1_mb": LINE * 65_536,
}
"""Of the cases that end well."""

STATUS = {
    "does_not_compile": Status.COMPILE_ERROR,
    "fails": Status.RUNTIME_ERROR,
    "runs_forever": Status.TIME_LIMIT_EXCEEDED,
    "takes_all_memory": Status.MEMORY_LIMIT_EXCEEDED,
}
"""Of the others."""

PATIENT = Limits(cpu_s=10.0, wall_s=60.0)
SHORT = Limits(cpu_s=1.0, wall_s=60.0)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def host_languages(local_sandbox: LocalSandbox) -> Mapping[str, str]:
    return await installed_languages(local_sandbox)


def _stdin(row: Row) -> bytes:
    if row["case"] == "reads_all_of_stdin":
        before: str = row.get("before", "")
        line: str = row.get("line", "{}")
        return (before + "".join(line.format(n) + "\n" for n in range(1, NUMBERS + 1))).encode()
    stdin: str = row.get("stdin", "40 2\n")
    return stdin.encode()


async def _check(sandbox: PooledSandbox, row: Row, deadline: float) -> None:
    limits = SHORT if row["case"] == "runs_forever" else PATIENT
    program = Program(row["language"], row["source"])
    run = await sandbox.run(program, _stdin(row), limits, deadline=deadline)
    shown = (row["why"], replace(run, stdout=run.stdout[:300]))
    assert run.status is STATUS.get(row["case"], Status.OK), shown
    if run.status is Status.OK:
        assert run.stdout.decode() == row.get("stdout", STDOUT[row["case"]]), shown


def _rows(flavour: str) -> list[object]:
    chosen = [row for row in ROWS if LANGUAGES[row["language"]].flavour == flavour]
    return [pytest.param(row, id=row["id"]) for row in chosen]


@pytest.mark.parametrize("row", _rows("core"))
async def test_a_language_of_the_core_image(
    docker_sandbox: DockerSandbox, deadline: float, row: Row
) -> None:
    await _check(docker_sandbox, row, deadline)


@pytest.mark.parametrize("row", [pytest.param(row, id=row["id"]) for row in ROWS])
async def test_a_language_of_this_host(
    local_sandbox: LocalSandbox, host_languages: Mapping[str, str], deadline: float, row: Row
) -> None:
    if row["language"] not in host_languages:
        pytest.skip(f"this host has no whole {row['language']}")
    await _check(local_sandbox, row, deadline)


async def test_a_host_with_a_part_of_a_language_does_not_offer_it(
    host_languages: Mapping[str, str],
) -> None:
    assert "python" in host_languages
    assert "java" not in host_languages  # whatever the host has, it lacks our compiler's archive


@pytest.mark.parametrize("row", _rows("full"))
async def test_a_language_of_the_full_image(
    full_sandbox: DockerSandbox, deadline: float, row: Row
) -> None:
    await _check(full_sandbox, row, deadline)


async def test_every_language_is_tested_in_every_respect() -> None:
    cases = {(row["language"], row["case"]) for row in ROWS}
    for name, language in LANGUAGES.items():
        needed = STDOUT.keys() | STATUS.keys()
        if not language.compile:
            needed -= {"does_not_compile"}
        assert {case for tested, case in cases if tested == name} == needed


async def test_an_image_says_which_languages_it_holds(
    docker_sandbox: DockerSandbox, full_sandbox: DockerSandbox
) -> None:
    core = {name for name, language in LANGUAGES.items() if language.flavour == "core"}
    assert (await installed_languages(full_sandbox)).keys() == LANGUAGES.keys()
    assert (await installed_languages(docker_sandbox)).keys() == core


async def test_a_language_that_the_image_lacks_is_our_failure(
    docker_sandbox: DockerSandbox, deadline: float
) -> None:
    for name in ("rust", "ruby"):
        with pytest.raises(LanguageMissing, match="lacks"):
            await docker_sandbox.run(Program(name, "x"), deadline=deadline)


async def test_flavours_are_different_images() -> None:
    assert image_tag("core") != image_tag("full")
