"""A batch with one hang in ten: the hangs end alone, and their neighbours lose nothing."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.live_service import LiveService, live_service

HANG = {"name": "json_schema", "params": {"schema": {"type": "string", "pattern": "^(a+)+$"}}}


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveService]:
    directory = tmp_path_factory.mktemp("hangs")
    settings = {"sandbox_backend": "off", "pool_workers": "2", "math_cpu_s": "1"}
    with live_service(directory, **settings) as running:
        yield running


def items(count: int) -> Iterator[dict[str, Any]]:
    for i in range(count):
        if i % 10 == 0:
            yield {"id": f"hang-{i}", "completion": f'"{"a" * (60 + i)}!"', "verifiers": [HANG]}
        else:
            yield {
                "id": f"math-{i}",
                "completion": f"\\boxed{{\\frac{{{2 * i}}}{{2}}}}",
                "ground_truth": str(i),
                "verifiers": [{"name": "math"}],
            }


def test_hangs_are_errors_and_their_neighbours_are_scored(service: LiveService) -> None:
    answer = service.score({"items": list(items(100)), "deadline_ms": 120_000})
    for result in answer["results"]:
        if result["id"].startswith("math"):
            assert result["reward"] == 1.0, result
        else:
            assert result["reward"] is None
            assert result["error"]["code"] == "verifier_timeout"
