"""The process: how it starts, how it ends, and what it does about slow clients."""

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from reward_service.api.keys import new_api_key
from tests.live_service import LiveService, live_service

TIMEOUT_S = 2
BATCH = {"items": [{"id": "a", "completion": "x", "verifiers": [{"name": "format"}]}]}
ENDLESS = {"pattern": "^(a+)+$"}  # takes for ever on what nearly matches it
SLOW = {"verifiers": [{"name": "json_schema", "params": {"schema": ENDLESS}}]}
MATH = [{"name": "math"}]


def slow_answer(number: int) -> str:
    """A completion that keeps a worker busy until its CPU time is up; each number is another."""
    return f'"{"a" * 60}!{number}"'


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveService]:
    """With little patience for clients."""
    directory = tmp_path_factory.mktemp("server")
    with live_service(
        directory,
        sandbox_backend="off",
        pool_workers=1,
        client_timeout_s=TIMEOUT_S,
    ) as running:
        yield running


def connect(url: str) -> socket.socket:
    host, port = url.removeprefix("http://").split(":")
    return socket.create_connection((host, int(port)), timeout=30)


def read_all(connection: socket.socket) -> bytes:
    """What the service sends until it closes; a reset counts as closing."""
    received = b""
    try:
        while piece := connection.recv(65_536):
            received += piece
    except ConnectionResetError:
        pass
    return received


HEAD = b"POST /v1/rewards HTTP/1.1\r\nHost: x\r\n"


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(HEAD, id="half-the-headers"),
        pytest.param(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n" + HEAD, id="half-a-second-request"),
    ],
)
def test_a_client_that_never_finishes_its_headers_is_cut_off(
    service: LiveService, sent: bytes
) -> None:
    with connect(service.url) as connection:
        connection.sendall(sent)
        received = read_all(connection)
    assert received.count(b"HTTP/1.1") == sent.count(b"\r\n\r\n")


def test_a_body_that_trickles_in_is_refused(service: LiveService) -> None:
    with connect(service.url) as connection:
        connection.sendall(HEAD + b"Content-Length: 1000\r\n\r\n{")
        received = read_all(connection)
    assert received.startswith(b"HTTP/1.1 408")
    assert b'"code":"request_timeout"' in received


def test_a_client_that_never_reads_its_answer_is_cut_off(service: LiveService) -> None:
    metadata = {"m": "x" * 1_000_000}
    items = [{**BATCH["items"][0], "id": str(i), "metadata": metadata} for i in range(30)]
    body = json.dumps({"items": items}).encode()
    with connect(service.url) as connection:
        connection.sendall(HEAD + f"Content-Length: {len(body)}\r\n\r\n".encode() + body)
        time.sleep(3 * TIMEOUT_S)
        assert len(read_all(connection)) < len(body)
    assert httpx.get(f"{service.url}/livez").status_code == 200


def test_what_is_not_http_is_refused_in_the_same_shape(service: LiveService) -> None:
    with connect(service.url) as connection:
        connection.sendall(b"\x16\x03\x01 this is no HTTP\r\n\r\n")
        head, _, body = read_all(connection).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400")
    assert json.loads(body)["code"] == "invalid_http"


@pytest.mark.parametrize(
    "begun",
    [
        pytest.param(HEAD, id="head"),
        pytest.param(HEAD + b"Transfer-Encoding: chunked\r\n\r\n0\r\n", id="trailers"),
        pytest.param(HEAD + b"Transfer-Encoding: chunked\r\n\r\n1;", id="chunk-extension"),
    ],
)
def test_what_belongs_to_no_body_is_bounded_while_it_arrives(
    service: LiveService, begun: bytes
) -> None:
    with connect(service.url) as connection:
        connection.sendall(begun)
        with contextlib.suppress(ConnectionError):
            for _ in range(64):  # as one header, or one extension, without an end
                connection.sendall(b"x" * 16_384)
        received = read_all(connection)
    assert b"request_timeout" not in received  # which it would be told if it were read for ever
    assert not received or b'"code":"invalid_http"' in received  # a reset may overtake the answer


def spelt(item_id: str, *headers: bytes) -> bytes:
    """A whole request."""
    body = json.dumps({"items": [{**BATCH["items"][0], "id": item_id}]}).encode()
    length = f"Content-Length: {len(body)}".encode()
    return HEAD + b"\r\n".join((*headers, length, b"", body))


def test_requests_sent_ahead_are_answered_in_order(service: LiveService) -> None:
    last = spelt("last", b"Connection: close")
    with connect(service.url) as connection:
        connection.sendall(spelt("first") + spelt("second") + last)
        received = read_all(connection)
    assert re.findall(rb'"results":\[\{"id":"(\w+)"', received) == [b"first", b"second", b"last"]


def test_an_offered_upgrade_is_not_taken(service: LiveService) -> None:
    offer = (b"Connection: Upgrade", b"Upgrade: h2c")
    probe = b"GET /livez HTTP/1.1\r\nHost: x\r\n" + b"\r\n".join(offer) + b"\r\n\r\n"
    with connect(service.url) as connection:
        connection.sendall(probe + spelt("a", *offer) + spelt("b", b"Connection: close"))
        received = read_all(connection)
    assert received.count(b"HTTP/1.1 200 OK") == 3
    assert b'"id":"b"' in received


def test_a_client_that_goes_away_leaves_no_trace_but_a_line(service: LiveService) -> None:
    for sent in (HEAD + b"Content-Length: 1000\r\n\r\n{", HEAD + b"Content-Length: 5\r\n\r\n"):
        with connect(service.url) as connection:
            connection.sendall(sent)
    assert httpx.post(f"{service.url}/v1/rewards", json=BATCH).status_code == 200
    assert "request_failed" not in service.log.read_text()


@contextmanager
def started(directory: Path, *flags: str, **settings: str) -> Iterator["subprocess.Popen[str]"]:
    """`rulegrade serve` with its output at hand, wherever it has got to."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("RULEGRADE_")}
    env |= {f"RULEGRADE_{name.upper()}": value for name, value in settings.items()}
    env |= {"RULEGRADE_POOL_WORKERS": "1", "RULEGRADE_LOG_LEVEL": "warning"}
    with (directory / "errors").open("wb") as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", "reward_service", "serve", *flags],
            env=env,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def url_of(process: "subprocess.Popen[str]") -> str:
    """Where it listens, once it does."""
    assert process.stdout is not None
    return process.stdout.readline().strip().removeprefix("rulegrade listens on ")


def refusal_to_start(directory: Path, *flags: str, **settings: str) -> str:
    """What it says when it will not start."""
    with started(directory, *flags, **settings) as process:
        assert process.wait(timeout=60) == 2
        errors = (directory / "errors").read_text()
    assert "Traceback" not in errors
    return errors


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example.org"])  # noqa: S104
def test_listening_beyond_loopback_needs_a_key(tmp_path: Path, host: str) -> None:
    errors = refusal_to_start(tmp_path, "--host", host, sandbox_backend="off")
    assert "no API key is set" in errors
    assert "rulegrade keys new" in errors


def test_a_key_in_place_of_its_hash_is_refused_and_not_repeated(tmp_path: Path) -> None:
    key, digest = new_api_key()
    errors = refusal_to_start(tmp_path, sandbox_backend="off", api_keys=f"{digest},{key}")
    assert "api_keys: entry 2" in errors
    assert key not in errors


def test_a_taken_port_is_told_at_once(tmp_path: Path, service: LiveService) -> None:
    port = service.url.rpartition(":")[2]
    errors = refusal_to_start(tmp_path, "--port", port, sandbox_backend="off")
    assert f"port {port}" in errors
    assert "--port" in errors


def test_not_ready_says_which_part_is_down_and_serves_the_rest(tmp_path: Path) -> None:
    with started(
        tmp_path, "--port", "0", sandbox_backend="docker", sandbox_image="rulegrade/no-such-image"
    ) as process:
        url = url_of(process)
        answer = httpx.get(f"{url}/readyz", timeout=60)
        assert answer.status_code == 503
        assert answer.json()["ready"] is False
        assert answer.json()["parts"]["sandbox"] not in ("ok", "off")
        assert httpx.get(f"{url}/livez").status_code == 200
        assert httpx.post(f"{url}/v1/rewards", json=BATCH, timeout=60).status_code == 200


def test_a_full_queue_says_when_to_come_back(tmp_path: Path) -> None:
    items = [{**SLOW, "id": str(i), "completion": slow_answer(i)} for i in range(60)]
    body = {"items": items, "deadline_ms": 8_000}
    with live_service(
        tmp_path, sandbox_backend="off", pool_workers=1, max_queue_items=4
    ) as running:
        # Alone it is taken whatever its size; the next one finds a full queue.
        first = threading.Thread(target=lambda: running.score(body))
        first.start()
        time.sleep(1)
        answer = httpx.post(f"{running.url}/v1/rewards", json={"items": items}, timeout=60)
        first.join()
    assert answer.status_code == 429
    assert answer.json()["code"] == "overloaded"
    assert int(answer.headers["retry-after"]) >= 1


def test_what_the_items_of_a_task_share_fills_the_queue_once(tmp_path: Path) -> None:
    schema = {"enum": [f"{word} {'x' * 60_000}" for word in range(10)] + ["yes"]}
    rule = {"name": "json_schema", "params": {"schema": schema}}
    items = [{"id": str(i), "task_id": "t", "completion": f'"{i}"'} for i in range(3)]
    items.append({"id": "last", "task_id": "t", "completion": '"yes"'})
    body = {"tasks": {"t": {"verifiers": [rule]}}, "items": items}
    with live_service(tmp_path, sandbox_backend="off", pool_workers=1, max_queue_mb=1) as running:
        assert running.score(body)["rewards"] == [0.0, 0.0, 0.0, 1.0]


def test_more_hangs_than_workers_keep_nobody_waiting(tmp_path: Path) -> None:
    schemas = [{**ENDLESS, "title": str(i)} for i in range(32)]  # a job each
    hangs = [
        {
            "id": str(i),
            "completion": slow_answer(i),
            "verifiers": [{"name": "json_schema", "params": {"schema": schema}}],
        }
        for i, schema in enumerate(schemas)
    ]
    easy = {"id": "easy", "completion": "\\boxed{0.5}", "ground_truth": "1/2", "verifiers": MATH}
    with live_service(tmp_path, sandbox_backend="off", pool_workers=1) as running:
        sender = threading.Thread(
            target=lambda: running.score({"items": hangs, "deadline_ms": 20_000})
        )
        sender.start()
        time.sleep(3)  # by then every place among the slow ones is taken
        answer = running.score({"items": [easy], "deadline_ms": 5_000})
        sender.join()
    assert answer["rewards"] == [1.0]


def test_work_for_a_client_that_went_away_is_given_up(tmp_path: Path) -> None:
    items = [{**SLOW, "id": str(i), "completion": slow_answer(i)} for i in range(64)]
    body = json.dumps({"items": items, "deadline_ms": 600_000}).encode()
    with live_service(
        tmp_path, sandbox_backend="off", pool_workers=1, max_queue_items=64
    ) as running:
        with connect(running.url) as connection:
            connection.sendall(HEAD + f"Content-Length: {len(body)}\r\n\r\n".encode() + body)
            time.sleep(1)
        time.sleep(0.5)
        easy = [
            {
                "id": str(i),
                "completion": f"\\boxed{{{i}}}",
                "ground_truth": str(i),
                "verifiers": MATH,
            }
            for i in range(64)
        ]
        assert running.score({"items": easy})["rewards"] == [1.0] * 64


def test_requests_in_flight_finish_after_sigterm(tmp_path: Path) -> None:
    item = {**SLOW, "id": "a", "completion": slow_answer(0)}
    answers: list[dict[str, Any]] = []
    with started(tmp_path, "--port", "0", sandbox_backend="off") as process:
        url = url_of(process)
        body = {"items": [item], "deadline_ms": 60_000}
        sender = threading.Thread(
            target=lambda: answers.append(
                httpx.post(f"{url}/v1/rewards", json=body, timeout=60).json()
            )
        )
        sender.start()
        time.sleep(0.5)
        process.send_signal(signal.SIGTERM)
        sender.join()
        assert process.wait(timeout=60) == 0
    assert answers[0]["summary"]["count"] == 1
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{url}/livez")


def test_requests_beyond_the_drain_time_do_not_hold_the_process(tmp_path: Path) -> None:
    with (
        started(tmp_path, "--port", "0", sandbox_backend="off", drain_s="1") as process,
        connect(url_of(process)) as connection,
    ):
        connection.sendall(HEAD + b"Content-Length: 1000\r\n\r\n{")
        time.sleep(0.2)
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=20) == 0


def test_sigterm_during_the_start_ends_it_cleanly(tmp_path: Path) -> None:
    with started(tmp_path, "--port", "0", sandbox_backend="off") as process:
        time.sleep(1.0)
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=60) in (0, -signal.SIGTERM)
