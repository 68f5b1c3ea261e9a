"""
Where spans are made, and what is known of them: nothing, until `start_tracing` is told to.

Off, nothing of OpenTelemetry's SDK is imported and each seam costs a comparison. In a span may be
what may be in the log: names, ids, counts, codes, times. Never a completion, a reference or a key.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, Any

from reward_service.origins import Origin, ids_of
from reward_service.settings import BadSettings, Settings

if TYPE_CHECKING:
    from opentelemetry.trace import TracerProvider

    from reward_service.otel import Recorder

Caller = Any
"""The span of who asks for something, an opaque token; there is none where nothing is traced."""
Attributes = Mapping[str, str | int | Sequence[str]]

_recorder: "Recorder | None" = None
_NOTHING: AbstractContextManager[None] = nullcontext()


@contextmanager
def tracing(settings: Settings, service: str) -> Iterator[None]:
    """Record spans within the block, if the settings say so, as those of `service`.

    Raises BadSettings where the packages for it are missing.
    """
    global _recorder
    if settings.tracing == "off":
        yield
        return
    try:
        from reward_service.otel import Recorder
    except ImportError as error:
        raise BadSettings(
            "tracing: otlp needs packages that are not installed; "
            "get them with `pip install 'rulegrade[server,otel]'`, or set RULEGRADE_TRACING=off"
        ) from error
    _recorder = Recorder(service, queue="redis" if settings.redis_url else "memory")
    try:
        yield
    finally:
        recorder, _recorder = _recorder, None
        recorder.close()


def provider() -> "TracerProvider | None":
    """For libraries that make spans by themselves; None where nothing is traced."""
    return None if _recorder is None else _recorder.provider


def callers() -> list[Caller]:
    """Who asks here: the current span, or nobody where nothing is traced."""
    return [] if _recorder is None else [_recorder.current()]


def trace_id() -> str | None:
    """The current trace, in hexadecimal digits."""
    return None if _recorder is None else _recorder.trace_id()


def trace_id_of(trace: str) -> dict[str, str]:
    """The id in a `traceparent`, as a field of a log line; no field if that is empty."""
    return {"trace_id": trace.split("-")[1]} if trace else {}


def traceparent() -> str:
    """The current span, in W3C's words; empty where nothing is traced."""
    return "" if _recorder is None else _recorder.traceparent()


def describe(attributes: Attributes) -> None:
    """Add to the current span."""
    if _recorder is not None:
        _recorder.current().set_attributes(attributes)


def fail(code: str) -> None:
    """Note that what the current span is about failed for a reason of ours."""
    if _recorder is not None:
        _recorder.fail(code)


def span(name: str, trace: str = "", **attributes: str | int) -> AbstractContextManager[object]:
    """A span around the block: of the current one, or of what `trace` names.

    Attributes are named `rulegrade.…`.
    """
    return _NOTHING if _recorder is None else _recorder.span(name, trace, attributes)


def send(kind: str, callers: Sequence[Caller], *, jobs: int, items: int) -> str:
    """Note that jobs are queued for `callers`; the `traceparent` that they carry.

    Of several callers the first one's trace goes on, and the others' spans are linked with it.
    """
    return "" if _recorder is None else _recorder.send(kind, callers, jobs=jobs, items=items)


def process(
    kind: str, trace: str, *, created: float, origins: Sequence[Sequence[Origin]]
) -> AbstractContextManager[object]:
    """A span around the work on a job, and one of its waiting since `created` (monotonic)."""
    if _recorder is None:
        return _NOTHING
    ids = ids_of(origin for of_part in origins for origin in of_part)
    return _recorder.process(kind, trace, created=created, attributes=ids)
