"""A collector's door for tests: takes OTLP over HTTP, keeps what came, and can be read as spans."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

PATIENCE_S = 60.0


@dataclass(frozen=True, slots=True)
class ReceivedSpan:
    """One span, ids in hexadecimal digits; attributes as text."""

    service: str
    name: str
    kind: int
    trace_id: str
    span_id: str
    parent_id: str
    links: tuple[str, ...]
    """Span ids."""
    attributes: dict[str, str]
    has_failed: bool


@dataclass
class OtlpReceiver:
    """What was exported to `url` so far."""

    url: str = ""
    bodies: list[bytes] = field(default_factory=list)
    answers: threading.Event = field(default_factory=threading.Event)
    """Clear it, and exports are neither taken nor refused."""

    def spans(self) -> list[ReceivedSpan]:
        return [span for body in list(self.bodies) for span in _read(body)]

    def wait_for(self, is_there: Callable[[list[ReceivedSpan]], bool]) -> list[ReceivedSpan]:
        """All spans, as soon as those that are waited for have come."""
        deadline = time.monotonic() + PATIENCE_S
        while not is_there(spans := self.spans()):
            assert time.monotonic() < deadline, [(s.service, s.name) for s in spans]
            time.sleep(0.05)
        return spans


@contextmanager
def otlp_receiver() -> Iterator[OtlpReceiver]:
    """Receive until the block ends."""
    receiver = OtlpReceiver()
    receiver.answers.set()

    class Door(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            receiver.answers.wait()
            receiver.bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Door) as server:
        receiver.url = f"http://127.0.0.1:{server.server_port}"
        serving = threading.Thread(target=server.serve_forever, daemon=True)
        serving.start()
        yield receiver
        receiver.answers.set()
        server.shutdown()
        serving.join()


def _read(body: bytes) -> Iterator[ReceivedSpan]:
    for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
        named = {one.key: one.value.string_value for one in resource.resource.attributes}
        for scope in resource.scope_spans:
            for span in scope.spans:
                yield ReceivedSpan(
                    service=named["service.name"],
                    name=span.name,
                    kind=span.kind,
                    trace_id=span.trace_id.hex(),
                    span_id=span.span_id.hex(),
                    parent_id=span.parent_span_id.hex(),
                    links=tuple(link.span_id.hex() for link in span.links),
                    attributes={
                        one.key: one.value.string_value or str(one.value.int_value)
                        for one in span.attributes
                    },
                    has_failed=span.status.code == 2,
                )
