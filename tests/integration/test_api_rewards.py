"""What a policy can really write is no bad input: it is scored, in order, and flagged."""

import json
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.live_service import LiveService, live_service


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveService]:
    directory = tmp_path_factory.mktemp("rewards")
    with live_service(directory, sandbox_backend="off", pool_workers=1) as running:
        yield running


def post(service: LiveService, body: bytes | str, **headers: str) -> httpx.Response:
    return httpx.post(f"{service.url}/v1/rewards", content=body, headers=headers, timeout=60)


def one_item(completion: str) -> str:
    """A request whose completion is the JSON text `completion`, put in as it stands."""
    rest = '"ground_truth":"42","verifiers":[{"name":"math"}]'
    return '{"items":[{"id":"a","completion":"' + completion + '",' + rest + "}]}"


ANSWER = r"<think>Six times seven.</think>The answer is \\boxed{42}."


@pytest.mark.parametrize(
    ("completion", "flags"),
    [
        pytest.param(ANSWER, [], id="plain"),
        pytest.param(r"\ud800 " + ANSWER, ["invalid_unicode"], id="high-alone"),
        pytest.param(r"\udc00 " + ANSWER, ["invalid_unicode"], id="low-alone"),
        pytest.param(r"\uDC00\uD83D " + ANSWER, ["invalid_unicode"], id="pair-in-wrong-order"),
        pytest.param(r"\ud83d\ud83d\ude00 " + ANSWER, ["invalid_unicode"], id="high-before-pair"),
        pytest.param(r"\ud83d\ude00\ude00 " + ANSWER, ["invalid_unicode"], id="low-after-pair"),
        pytest.param(r"\\\ud800 " + ANSWER, ["invalid_unicode"], id="after-an-escaped-backslash"),
        pytest.param(r"\ud83d\ude00 " + ANSWER, [], id="pair"),
        pytest.param(r"\\ud800 " + ANSWER, [], id="text-that-looks-like-an-escape"),
        pytest.param(r"\\\\ud800 \\\\\\udfff " + ANSWER, [], id="more-such-text"),
        pytest.param(r"\u0000\u0007\u001b[31m " + ANSWER, ["control_characters"], id="controls"),
        pytest.param(ANSWER + r"\ufffe", ["invalid_unicode"], id="noncharacter"),
    ],
)
def test_odd_text_is_scored_and_flagged(
    service: LiveService, completion: str, flags: list[str]
) -> None:
    answer = post(service, one_item(completion))
    assert answer.status_code == 200, answer.text
    result = answer.json()["results"][0]
    assert result["reward"] == 1.0
    assert result["flags"] == flags


def test_mending_half_a_surrogate_pair_changes_no_other_text(service: LiveService) -> None:
    texts = [r"C:\new\ud800", 'say "\\ud83d"', "\U0001f600", "\\\\", "\\\\\\ud800"]
    items = [
        {
            "id": text,
            "completion": "half of a pair: \ud800",
            "verifiers": [{"name": "format"}],
            "metadata": {text: text},
        }
        for text in texts
    ]
    results = post(service, json.dumps({"items": items})).json()["results"]
    assert [r["id"] for r in results] == texts
    assert [r["metadata"] for r in results] == [{text: text} for text in texts]
    assert all(r["flags"] == ["invalid_unicode"] for r in results)


def test_an_empty_completion_is_no_answer(service: LiveService) -> None:
    result = post(service, one_item("")).json()["results"][0]
    assert result["status"] == "scored"
    assert result["reward"] == 0.0
    assert result["components"]["math"]["verdict"] == "no_answer"


def test_the_longest_completion_is_scored(service: LiveService) -> None:
    filler = "x " * (1_048_576 - 40)
    result = post(service, one_item(filler + r"\\boxed{42}")).json()["results"][0]
    assert result["reward"] == 1.0


def test_metadata_and_ids_come_back_untouched(service: LiveService) -> None:
    metadata = {"nested": {"list": [1, 2.5, None, True, "ü\u2028\U0001f600"]}, "big": 2**53 + 1}
    item = {"completion": "", "verifiers": [{"name": "format"}], "metadata": metadata}
    ids = ["ü", "a/b", " ", "\U0001f600", "0"]
    answer = service.score({"items": [{"id": i, **item} for i in ids]})
    assert [r["id"] for r in answer["results"]] == ids
    assert [r["index"] for r in answer["results"]] == [0, 1, 2, 3, 4]
    assert all(r["metadata"] == metadata for r in answer["results"])


def _logged(service: LiveService, request_id: str) -> list[dict[str, Any]]:
    """The request's log events; they are written once its answer has been sent."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        lines = service.log.read_text().rpartition("\n")[0].splitlines()
        found = [e for e in map(json.loads, lines) if e.get("request_id") == request_id]
        if found:
            return found
        time.sleep(0.05)
    return []


def test_an_id_in_the_body_is_the_one_in_the_log_beside_that_of_the_header(
    service: LiveService,
) -> None:
    item = {"id": "a", "completion": "", "verifiers": [{"name": "format"}]}
    body = json.dumps({"request_id": "step 7", "items": [item]})
    answer = post(service, body, **{"X-Request-Id": "attempt-2"})
    assert answer.json()["request_id"] == "step 7"
    assert answer.headers["x-request-id"] == "attempt-2"
    (event,) = _logged(service, "step 7")
    assert event["x_request_id"] == "attempt-2"


def test_one_id_runs_through_header_answer_and_log(service: LiveService) -> None:
    body = json.dumps(
        {"items": [{"id": "a", "completion": "secret words", "verifiers": [{"name": "format"}]}]}
    )
    answer = post(service, body, **{"X-Request-Id": "trainer-7.step_3"})
    assert answer.headers["x-request-id"] == "trainer-7.step_3"
    assert answer.json()["request_id"] == "trainer-7.step_3"
    (event,) = _logged(service, "trainer-7.step_3")
    assert (event["event"], event["status"], event["count"]) == ("request_answered", 200, 1)
    assert "secret words" not in service.log.read_text()


@pytest.mark.parametrize("given", ["", "x" * 65, 'quote"', "space d", "{}"])
def test_an_id_that_is_not_plain_is_replaced(service: LiveService, given: str) -> None:
    answer = httpx.get(f"{service.url}/livez", headers={"X-Request-Id": given})
    assert answer.headers["x-request-id"] != given
    assert len(answer.headers["x-request-id"]) == 32


def test_an_answer_that_no_reply_can_quote_costs_its_neighbours_nothing(
    service: LiveService,
) -> None:
    schema = {"additionalProperties": {"type": "string"}}
    rule = [{"name": "json_schema", "params": {"schema": schema}}]
    texts = [r'{"\ud800": 1}', '{"a": "b"}', '{"a": 1}']
    items = [
        {"id": str(at), "completion": text, "verifiers": rule} for at, text in enumerate(texts)
    ]
    assert service.score({"items": items})["rewards"] == [0.0, 1.0, 0.0]
