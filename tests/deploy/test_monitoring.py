"""Dashboard, alerts and autoscalers: every metric that they name, a real process exports."""

import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.deploy.expressions import of_alerts, of_autoscalers, of_dashboard
from tests.live_service import LiveService, live_service

NAME = re.compile(r"rulegrade_\w+")
REQUEST = {
    "items": [
        {
            "id": "a",
            "completion": "<think>half</think><answer>\\boxed{1/2}</answer>",
            "ground_truth": "1/2",
            "verifiers": [
                {"name": "math"},
                {"name": "format", "params": {"preset": "think_answer"}},
                {"name": "repetition", "params": {"ngram": 1}},
            ],
        }
    ]
}


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveService]:
    directory = tmp_path_factory.mktemp("monitoring")
    with live_service(directory, pool_workers=1, sandbox_backend="off") as running:
        yield running


def exported(service: LiveService) -> str:
    answer = httpx.get(f"{service.url}/metrics", timeout=60)
    assert answer.status_code == 200
    return answer.text


def series(text: str) -> set[str]:
    """Names that can be asked for: those of samples, and those that labelled metrics will have."""
    names = set()
    for family in text_string_to_metric_families(text):
        names |= {sample.name for sample in family.samples}
        suffixes = {"counter": ["_total"], "histogram": ["_bucket", "_count"]}
        if not family.samples:
            names |= {family.name + suffix for suffix in suffixes.get(family.type, [""])}
    return names


@pytest.mark.parametrize("expression", [*of_dashboard(), *of_alerts(), *of_autoscalers()])
def test_what_is_asked_for_is_exported(service: LiveService, expression: str) -> None:
    service.score(REQUEST)
    assert set(NAME.findall(expression)) <= series(exported(service))


def test_scores_add_up_with_their_sign(service: LiveService) -> None:
    def points() -> dict[str, float]:
        found: dict[str, float] = {}
        for family in text_string_to_metric_families(exported(service)):
            for sample in family.samples:
                if sample.name == "rulegrade_score_points_total":
                    factor = 1 if sample.labels["sign"] == "plus" else -1
                    name = sample.labels["verifier"]
                    found[name] = found.get(name, 0.0) + factor * sample.value
        return found

    before = points()
    completion = "word " * 400
    request: dict[str, Any] = {
        "items": [{**REQUEST["items"][0], "id": str(i), "completion": completion} for i in range(3)]
    }
    answer = service.score(request)
    expected = {
        name: sum(result["components"][name]["score"] for result in answer["results"])
        for name in answer["results"][0]["components"]
    }
    assert expected["repetition"] < 0
    gained = {name: value - before.get(name, 0.0) for name, value in points().items()}
    assert gained == pytest.approx(expected)


def test_every_kind_of_waiting_and_every_status_is_there_from_the_start(
    service: LiveService,
) -> None:
    text = exported(service)
    for kind in ("pool", "sandbox"):
        assert f'rulegrade_queue_oldest_seconds{{kind="{kind}"}}' in text
    for status in ("scored", "error", "skipped"):
        assert f'rulegrade_items_total{{status="{status}"}}' in text
