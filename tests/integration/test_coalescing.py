"""Small requests travel together and equal work is done once; none answers for another."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.live_service import LiveService, live_service

MATH = [{"name": "math"}]
ENDLESS = {"name": "json_schema", "params": {"schema": {"pattern": "^(a+)+$"}}}


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveService]:
    directory = tmp_path_factory.mktemp("coalescing")
    with live_service(directory, sandbox_backend="off", pool_workers=2, math_cpu_s=1) as running:
        yield running


def single(completion: str, **fields: Any) -> dict[str, Any]:
    item = {"id": "a", "completion": completion, "ground_truth": "1/2", "verifiers": MATH}
    return {"items": [item | fields]}


async def ask_all(service: LiveService, bodies: list[dict[str, Any]]) -> list[dict[str, Any]]:
    limits = httpx.Limits(max_connections=32)
    async with httpx.AsyncClient(base_url=service.url, limits=limits, timeout=120) as client:
        answers = await asyncio.gather(*(client.post("/v1/rewards", json=body) for body in bodies))
    return [answer.json()["results"][0] for answer in answers]


async def test_each_of_many_single_requests_gets_its_own_answer(service: LiveService) -> None:
    bodies = [single(f"{n}: \\boxed{{{n % 3}/2}}") for n in range(300)]
    results = await ask_all(service, bodies)
    assert [result["reward"] for result in results] == [float(n % 3 == 1) for n in range(300)]


async def test_equal_work_is_done_once_and_said_to_be(service: LiveService) -> None:
    first, *_ = await ask_all(service, [single("once and again \\boxed{0.5}")])
    again, *_ = await ask_all(service, [single("once and again \\boxed{0.5}")])
    assert (first["reward"], again["reward"]) == (1.0, 1.0)
    assert not first["components"]["math"]["cached"]
    assert again["components"]["math"]["cached"]


@pytest.mark.parametrize(
    "changed",
    [
        pytest.param({"ground_truth": "1/3"}, id="reference"),
        pytest.param({"verifiers": [{"name": "math", "params": {"extract": "raw"}}]}, id="params"),
        pytest.param({"completion": "kept apart \\boxed{0.25}"}, id="completion"),
    ],
)
async def test_what_decides_the_outcome_is_part_of_the_work(
    service: LiveService, changed: dict[str, Any]
) -> None:
    (first,) = await ask_all(service, [single("kept apart \\boxed{0.5}")])
    assert first["reward"] == 1.0
    (other,) = await ask_all(
        service, [{"items": [single("kept apart \\boxed{0.5}")["items"][0] | changed]}]
    )
    assert other["reward"] == 0.0


async def test_failures_are_never_remembered(service: LiveService) -> None:
    body = single('"' + "a" * 60 + '!"', verifiers=[ENDLESS])
    (first,) = await ask_all(service, [body])
    (again,) = await ask_all(service, [body])
    for result in (first, again):
        assert result["reward"] is None
        assert not result["components"]["json_schema"]["cached"]


async def test_a_slow_neighbour_does_not_hold_up_those_it_travels_with(
    service: LiveService,
) -> None:
    slow = single('"' + "a" * 61 + '!"', verifiers=[ENDLESS]) | {"deadline_ms": 2_000}
    bodies = [slow] + [single(f"beside {n} \\boxed{{0.5}}") for n in range(40)]
    hung, *fine = await ask_all(service, bodies)
    assert hung["reward"] is None
    assert {result["reward"] for result in fine} == {1.0}


async def test_hits_are_counted(service: LiveService, tmp_path: Path) -> None:
    before = service.metric("rulegrade_cache_hits_total")
    await ask_all(service, [single("counted \\boxed{0.5}")])
    await ask_all(service, [single("counted \\boxed{0.5}")])
    assert service.metric("rulegrade_cache_hits_total") == before + 1
