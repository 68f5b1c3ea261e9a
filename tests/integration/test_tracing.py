"""Traces: one for a request, from the door through Redis to the worker; and nothing by default."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.live_service import LiveService, live_service
from tests.live_worker import LiveWorker, live_worker
from tests.otlp_receiver import OtlpReceiver, ReceivedSpan, otlp_receiver

SERVER, PRODUCER, CONSUMER = 2, 4, 5
TRACE, CALLER = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
KEY = "rgk-not-for-any-collector"
WRITTEN, REFERENCE = "what the model wrote", "8675309"


@dataclass(frozen=True)
class Traced:
    """A service and its worker, with the collector that they export to."""

    service: LiveService
    worker: LiveWorker
    receiver: OtlpReceiver

    def score(self, items: list[dict[str, Any]], trace: str, **body: object) -> dict[str, Any]:
        headers = {"X-API-Key": KEY, "traceparent": f"00-{trace}-{CALLER}-01"}
        url = f"{self.service.url}/v1/rewards?note={KEY}"
        answer = httpx.post(url, json={"items": items, **body}, headers=headers, timeout=120)
        assert answer.status_code == 200, answer.text
        read: dict[str, Any] = answer.json()
        return read


@pytest.fixture(scope="module")
def traced(tmp_path_factory: pytest.TempPathFactory, redis_urls: Iterator[str]) -> Iterator[Traced]:
    directory = tmp_path_factory.mktemp("traced")
    redis_url = next(redis_urls)
    digest = f"sha256:{sha256(KEY.encode()).hexdigest()}"
    with ExitStack() as running:
        receiver = running.enter_context(otlp_receiver())
        environment = running.enter_context(pytest.MonkeyPatch.context())
        environment.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.url)
        environment.setenv("OTEL_BSP_SCHEDULE_DELAY", "50")
        worker = live_worker(directory, redis_url=redis_url, tracing="otlp")
        joined = running.enter_context(worker)
        api = live_service(
            directory,
            redis_url=redis_url,
            sandbox_backend="off",
            tracing="otlp",
            api_keys=digest,
        )
        yield Traced(running.enter_context(api), joined, receiver)


def item(item_id: str, truth: str = REFERENCE) -> dict[str, Any]:
    return {
        "id": item_id,
        "completion": f"{WRITTEN} \\boxed{{{REFERENCE}}}",
        "ground_truth": truth,
        "verifiers": [{"name": "math"}, {"name": "format"}],
    }


def named(spans: list[ReceivedSpan], name: str, trace: str) -> list[ReceivedSpan]:
    return [span for span in spans if (span.name, span.trace_id) == (name, trace)]


def test_a_request_is_one_trace_through_redis_and_the_worker(traced: Traced) -> None:
    items = [item("a"), *(item(f"b{n}", str(n)) for n in range(20))]
    traced.score(items, TRACE, request_id="step 7")
    spans = traced.receiver.wait_for(
        lambda spans: (
            len(named(spans, "process pool", TRACE)) == 21
            and len(named(spans, "POST /v1/rewards", TRACE)) == 1
        )
    )
    (request,) = named(spans, "POST /v1/rewards", TRACE)
    (sent,) = named(spans, "send pool", TRACE)
    assert (request.kind, request.service, request.parent_id) == (SERVER, "rulegrade-api", CALLER)
    assert (sent.kind, sent.service, sent.parent_id) == (
        PRODUCER,
        "rulegrade-api",
        request.span_id,
    )
    for name in ("wait pool", "process pool"):
        done = named(spans, name, TRACE)
        assert len(done) == 21
        assert {(s.service, s.parent_id) for s in done} == {("rulegrade-worker", sent.span_id)}
    assert {s.kind for s in named(spans, "process pool", TRACE)} == {CONSUMER}
    assert {s.attributes["messaging.system"] for s in named(spans, "process pool", TRACE)} == {
        "redis"
    }
    asked = {
        "http.response.status_code": "200",
        "http.route": "/v1/rewards",
        "rulegrade.request_id": "step 7",
        "rulegrade.items": "21",
        "rulegrade.evaluations.pool": "21",
        "rulegrade.evaluations.inline": "21",
        "rulegrade.items.scored": "21",
        "rulegrade.items.errors": "0",
    }
    assert asked.items() <= request.attributes.items()


def test_what_fails_is_marked_and_logged_with_ids_in_both_processes(traced: Traced) -> None:
    trace = uuid4().hex
    traced.score([item("good", "42"), item("bad", "\\frac{")], trace, request_id="step 8")
    spans = traced.receiver.wait_for(lambda spans: bool(named(spans, "POST /v1/rewards", trace)))
    assert not any(span.has_failed for span in named(spans, "POST /v1/rewards", trace))
    spans = traced.receiver.wait_for(lambda spans: len(named(spans, "process pool", trace)) == 2)
    (failed,) = [span for span in spans if span.trace_id == trace and span.has_failed]
    assert (failed.name, failed.attributes["error.type"]) == ("process pool", "gold_unparseable")
    assert failed.attributes["rulegrade.item_id"] == "bad"
    for log, event in (
        (traced.service.log, "item_failed"),
        (traced.worker.log, "evaluation_failed"),
    ):
        (line,) = [line for line in logged(log, event) if line["request_id"] == "step 8"]
        assert (line["item_id"], line["trace_id"]) == ("bad", trace)
        assert line["code"] == "gold_unparseable"


def test_requests_whose_work_is_shared_are_linked_with_it(traced: Traced) -> None:
    def shared(spans: list[ReceivedSpan]) -> list[ReceivedSpan]:
        return [span for span in spans if span.name == "send pool" and span.links]

    for turn in range(50):  # whether they meet is a matter of milliseconds
        same = [item("same", f"{REFERENCE}{turn}")]
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(traced.score, [same] * 8, [uuid4().hex for _ in range(8)]))
        time.sleep(0.2)
        if shared(traced.receiver.spans()):
            break
    (work, *_) = shared(traced.receiver.spans())
    spans = traced.receiver.wait_for(
        lambda spans: {s.span_id for s in spans if s.kind == SERVER} >= {*work.links}
    )
    requests = {span.span_id: span for span in spans if span.kind == SERVER}
    for other in work.links:
        assert requests[other].trace_id != work.trace_id
        assert work.span_id in requests[other].links
    assert requests[work.parent_id].trace_id == work.trace_id


def test_no_text_and_no_key_is_exported(traced: Traced) -> None:
    traced.score([item("a"), item("bad", "\\frac{12121212")], uuid4().hex)
    traced.receiver.wait_for(lambda spans: any(span.has_failed for span in spans))
    exported = b"".join(traced.receiver.bodies)
    assert b"rulegrade-worker" in exported
    for secret in (WRITTEN, REFERENCE, "12121212", KEY):
        assert secret.encode() not in exported
        for log in (traced.service.log, traced.worker.log):
            assert secret not in log.read_text()


def test_a_batch_that_is_fetched_later_goes_on_with_the_trace(traced: Traced) -> None:
    trace = uuid4().hex
    headers = {"X-API-Key": KEY, "traceparent": f"00-{trace}-{CALLER}-01"}
    body = {"items": [item("a", "later")]}
    httpx.post(f"{traced.service.url}/v1/batches", json=body, headers=headers, timeout=60)
    spans = traced.receiver.wait_for(
        lambda spans: len([span for span in spans if span.trace_id == trace]) == 5
    )
    by_id = {span.span_id: span.name for span in spans if span.trace_id == trace}
    assert {(by_id.get(s.parent_id), s.name) for s in spans if s.trace_id == trace} == {
        (None, "POST /v1/batches"),
        ("POST /v1/batches", "score batch"),
        ("score batch", "send pool"),
        ("send pool", "wait pool"),
        ("send pool", "process pool"),
    }


def test_a_collector_that_stops_answering_costs_no_request_and_no_drain(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with otlp_receiver() as receiver:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.url)
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "600")
        monkeypatch.setenv("OTEL_SERVICE_NAME", "rewards of one process")
        monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "50")
        monkeypatch.setenv("OTEL_BSP_MAX_QUEUE_SIZE", "16")
        monkeypatch.setenv("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "4")
        with live_service(tmp_path, sandbox_backend="off", tracing="otlp", drain_s=5) as service:
            service.score({"items": [item("a")]})
            spans = receiver.wait_for(lambda spans: len(spans) == 4)
            assert {span.service for span in spans} == {"rewards of one process"}
            assert {s.attributes.get("messaging.system", "memory") for s in spans} == {"memory"}
            receiver.answers.clear()
            for step in range(5):
                items = [item(f"{n}", f"{step}{n}") for n in range(20)]
                assert service.score({"items": items})["summary"]["scored"] == 20
            service.process.terminate()
            assert service.process.wait(timeout=25) == 0  # the SDK alone would wait for 30 s


def test_without_the_packages_the_service_says_what_to_install(tmp_path: Path) -> None:
    program = (
        "import sys; sys.modules['opentelemetry.sdk'] = None\n"
        "from reward_service.cli import run; sys.exit(run())"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program, "serve", "--port", "0", "--tracing", "otlp"],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ended.returncode == 2
    assert "tracing: " in ended.stderr
    assert "rulegrade[server,otel]" in ended.stderr


def test_without_the_setting_nothing_is_exported_and_the_log_has_the_ids_all_the_same(
    tmp_path: Path, redis_url: str, monkeypatch: pytest.MonkeyPatch, traced: Traced
) -> None:
    hang = {"name": "json_schema", "params": {"schema": {"type": "string", "pattern": "^(a+)+$"}}}
    slow = {"id": "slow", "completion": f'"{"a" * 60}!"', "verifiers": [hang]}
    with ExitStack() as running:
        receiver = running.enter_context(otlp_receiver())
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.url)
        workers = [
            running.enter_context(live_worker(tmp_path, redis_url=redis_url, lease_s=1.0))
            for _ in range(2)
        ]
        api = live_service(tmp_path, redis_url=redis_url, sandbox_backend="off")
        service = running.enter_context(api)
        body = {"request_id": "step 9", "items": [slow], "deadline_ms": 8_000}
        with ThreadPoolExecutor() as pool:
            asked = pool.submit(service.score, body)
            doomed = worker_at_work(workers)
            doomed.process.kill()
            assert asked.result()["rewards"] == [None]
        (other,) = [worker for worker in workers if worker is not doomed]
        for log, event in ((other.log, "job_reclaimed"), (service.log, "item_failed")):
            (line,) = logged(log, event)
            assert (line["request_id"], line["item_id"]) == ("step 9", "slow")
            assert "trace_id" not in line
            assert "aaaa" not in log.read_text()
        for process in (service.process, other.process):
            assert not has_protobuf(process.pid)
    assert has_protobuf(traced.service.process.pid)  # so that the look at it means something
    assert receiver.bodies == []


def worker_at_work(workers: list[LiveWorker]) -> LiveWorker:
    """The one that has a job in hand."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        for worker in workers:
            figures = httpx.get(f"{worker.url}/metrics", timeout=30).text
            if 'rulegrade_jobs_in_hand{kind="pool"} 1.0' in figures:
                return worker
        time.sleep(0.05)
    raise AssertionError("no worker took the job")


def logged(log: Path, event: str) -> list[dict[str, Any]]:
    """The events of that name, of which there will be one at least."""
    deadline = time.monotonic() + 60
    found: list[dict[str, Any]] = []
    while not found and time.monotonic() < deadline:
        lines = log.read_text().rpartition("\n")[0].splitlines()
        found = [line for line in map(json.loads, lines) if line["event"] == event]
        time.sleep(0.05)
    return found


def has_protobuf(pid: int) -> bool:
    """Whether the process has loaded what encodes spans."""
    return "google/_upb" in Path(f"/proc/{pid}/maps").read_text()
