"""The envelope around every request, around an app with a bug."""

import asyncio
import json
import logging
from collections.abc import Iterator

import httpx
import pytest
import structlog
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

from reward_service.api.envelope import Crowd, Envelope
from reward_service.telemetry import configure_logging


@pytest.fixture(autouse=True)
def _log_set_up_for_one_test() -> Iterator[None]:
    yield
    logging.getLogger().handlers.clear()
    structlog.reset_defaults()


async def buggy(scope: Scope, receive: Receive, send: Send) -> None:
    """Fails before it answers, with a completion in the message."""
    raise ValueError("the completion was: I am a secret")


async def buggy_half_way(scope: Scope, receive: Receive, send: Send) -> None:
    """Fails when part of the answer is out."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    raise ValueError("I am a secret")


def client(envelope: Envelope) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(envelope), base_url="http://service")


async def test_a_bug_is_answered_in_the_usual_shape_and_quotes_nothing(
    capsys: pytest.CaptureFixture[str],
) -> None:
    configure_logging("error", "json")
    async with client(Envelope(buggy, crowd=Crowd(1))) as service:
        answer = await service.get("/", headers={"X-Request-Id": "r1"})
    assert answer.status_code == 500
    assert (answer.json()["code"], answer.json()["request_id"]) == ("internal_error", "r1")
    (line,) = capsys.readouterr().err.splitlines()
    event = json.loads(line)
    assert (event["event"], event["error"], event["request_id"]) == (
        "request_failed",
        "ValueError",
        "r1",
    )
    assert "buggy" in event["where"][-1]
    assert "secret" not in answer.text + line


async def test_half_an_answer_is_never_completed() -> None:
    configure_logging("error", "json")
    async with client(Envelope(buggy_half_way, crowd=Crowd(1))) as service:
        with pytest.raises(ValueError, match="secret"):  # the server closes the connection
            await service.get("/")


async def test_ids_do_not_run_from_one_request_into_the_next(
    capsys: pytest.CaptureFixture[str],
) -> None:
    configure_logging("info", "json")
    async with client(Envelope(PlainTextResponse("fine"), crowd=Crowd(1))) as service:
        for given in ("a", "b"):
            await service.get("/", headers={"X-Request-Id": given})
    events = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    answered = [e["request_id"] for e in events if e["event"] == "request_answered"]
    assert answered == ["a", "b"]


async def test_one_request_too_many_is_refused_at_once_and_probes_are_not() -> None:
    entered, let_go = asyncio.Event(), asyncio.Event()

    async def slow(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == "/v1/rewards":
            entered.set()
            await let_go.wait()
        await PlainTextResponse("fine")(scope, receive, send)

    async with client(Envelope(slow, crowd=Crowd(1))) as service, asyncio.TaskGroup() as group:
        first = group.create_task(service.post("/v1/rewards"))
        await entered.wait()
        refused = await service.post("/v1/rewards")
        probed = await service.get("/livez")
        let_go.set()
    assert (refused.status_code, refused.json()["code"]) == (429, "overloaded")
    assert int(refused.headers["Retry-After"]) > 0
    assert (probed.status_code, (await first).status_code) == (200, 200)
