"""
Spans by OpenTelemetry's SDK, exported by OTLP over HTTP. Nobody else imports the SDK.

Ended spans wait in a bounded buffer for a thread of the SDK that exports them: a collector that is
slow or away costs spans, never a request. `OTEL_…` variables configure the SDK, as everywhere.
"""

import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Link, Span, SpanKind, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from opentelemetry.util.types import AttributeValue

from reward_service import __version__

CLOSE_S = 2.0
"""How long the last spans may take to leave when the process ends."""

_W3C = TraceContextTextMapPropagator()
_Attributes = Mapping[str, AttributeValue]


class Recorder:
    """Makes spans and has them exported; `queue` is the kind of queue that jobs go through."""

    def __init__(self, service: str, *, queue: str) -> None:
        named = {"service.name": service, "service.version": __version__}
        given = OTELResourceDetector().detect().attributes
        resource = Resource.create({**named, **given})
        self.provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        self.provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        self._tracer = self.provider.get_tracer("rulegrade", __version__)
        self._queue = queue

    def close(self) -> None:
        """Export what is left, but do not wait for long: the SDK would, for a dead collector."""
        closing = threading.Thread(target=self.provider.shutdown, daemon=True)
        closing.start()
        closing.join(CLOSE_S)

    def current(self) -> Span:
        """The current span; one that records nothing where there is none."""
        return trace.get_current_span()

    def trace_id(self) -> str | None:
        """Of the current span."""
        context = trace.get_current_span().get_span_context()
        return trace.format_trace_id(context.trace_id) if context.is_valid else None

    def traceparent(self) -> str:
        """Of the current span."""
        return _traceparent(trace.get_current_span())

    def fail(self, code: str) -> None:
        """Note a failure on the current span."""
        span = trace.get_current_span()
        span.set_attribute("error.type", code)
        span.set_status(StatusCode.ERROR)

    @contextmanager
    def span(self, name: str, parent: str, attributes: _Attributes) -> Iterator[None]:
        """A span around the block."""
        context = _context(parent) if parent else None
        named = {f"rulegrade.{key}": value for key, value in attributes.items()}
        with self._around(name, SpanKind.INTERNAL, context, named):
            yield

    def send(self, kind: str, callers: Sequence[Span], *, jobs: int, items: int) -> str:
        """A span that the jobs carry along; it is over at once, since nobody waits for a put."""
        contexts = {span: span.get_span_context() for span in callers}
        first = next((s for s in callers if contexts[s].trace_flags.sampled), callers[0])
        others = {s: context for s, context in contexts.items() if s is not first}
        span = self._tracer.start_span(
            f"send {kind}",
            trace.set_span_in_context(first),
            SpanKind.PRODUCER,
            self._messaging("send", kind)
            | {"messaging.batch.message_count": jobs, "rulegrade.items": items},
            [Link(context) for context in others.values() if context.is_valid],
        )
        for other in others:
            if other.is_recording():
                other.add_link(span.get_span_context())
        span.end()
        return _traceparent(span)

    @contextmanager
    def process(
        self, kind: str, parent: str, *, created: float, attributes: _Attributes
    ) -> Iterator[None]:
        """A span around the work on a job, and one of its waiting."""
        context = _context(parent)
        now_ns = time.time_ns()
        waited_ns = max(0, int((time.monotonic() - created) * 1e9))
        wait = self._tracer.start_span(f"wait {kind}", context, start_time=now_ns - waited_ns)
        wait.end(now_ns)
        named = {f"rulegrade.{key}": value for key, value in attributes.items()}
        with self._around(
            f"process {kind}", SpanKind.CONSUMER, context, self._messaging("process", kind) | named
        ):
            yield

    @contextmanager
    def _around(
        self, name: str, kind: SpanKind, context: Context | None, attributes: _Attributes
    ) -> Iterator[None]:
        """Without the text of exceptions, which may quote a completion."""
        with self._tracer.start_as_current_span(
            name,
            context,
            kind,
            attributes,
            record_exception=False,
            set_status_on_exception=False,
        ):
            try:
                yield
            except Exception as error:
                self.fail(type(error).__name__)
                raise

    def _messaging(self, operation: str, kind: str) -> dict[str, AttributeValue]:
        return {
            "messaging.system": self._queue,
            "messaging.operation.name": operation,
            "messaging.operation.type": operation,
            "messaging.destination.name": kind,
        }


def _context(traceparent: str) -> Context:
    return _W3C.extract({"traceparent": traceparent}, Context())


def _traceparent(span: Span) -> str:
    carrier: dict[str, str] = {}
    _W3C.inject(carrier, trace.set_span_in_context(span))
    return carrier.get("traceparent", "")
