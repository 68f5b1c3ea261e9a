"""
Metric names, and log set-up: one event a line, ours and the libraries' in the same shape.

What may be logged: names, counts, codes, times. Never a completion, a prompt or a key.
"""

import logging
import sys
from typing import Literal

import structlog
from prometheus_client import Counter, Gauge, Histogram
from structlog.typing import EventDict, Processor, WrappedLogger

from reward_service import tracing
from reward_service.origins import about, ids_of

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 40, 60, 120)

ITEMS = Counter("rulegrade_items", "Items answered, by how they ended", ["status"])
for _status in ("scored", "error", "skipped"):
    ITEMS.labels(_status)  # from 0 on: a rate cannot see the first of a series that was not there
COMPONENTS = Counter(
    "rulegrade_components", "Verifiers' parts of results, by outcome", ["verifier", "outcome"]
)
ERRORS = Counter("rulegrade_errors", "Failures of ours", ["stage", "code"])
SCORES = Histogram(
    "rulegrade_score", "Scores by verifier", ["verifier"], buckets=(-1, 0, 0.25, 0.5, 0.75, 1)
)
SCORE_POINTS = Counter(
    "rulegrade_score_points",
    "Sum of scores above 0, and of those below it without their sign: a counter only grows",
    ["verifier", "sign"],
)
ALL_ZERO = Counter(
    "rulegrade_allzero_batches", "Batches of eight items or more whose rewards are all 0"
)
REQUEST_SECONDS = Histogram(
    "rulegrade_request_seconds", "HTTP requests", ["route", "status"], buckets=_SECONDS
)
REJECTED = Counter("rulegrade_rejected", "Requests refused, by error code", ["code"])
QUEUE_ITEMS = Gauge("rulegrade_queue_items", "Items that wait in this process")
QUEUE_BYTES = Gauge("rulegrade_queue_bytes", "Bytes of text that wait in this process")
QUEUE_OLDEST_SECONDS = Gauge(
    "rulegrade_queue_oldest_seconds", "Age of what waits longest in this process", ["kind"]
)
ITEM_QUEUE_SECONDS = Histogram(
    "rulegrade_item_queue_seconds", "Waiting time", ["kind"], buckets=_SECONDS
)
ITEM_WORK_SECONDS = Histogram(
    "rulegrade_item_work_seconds", "Running time", ["kind"], buckets=_SECONDS
)
IN_HAND = Gauge("rulegrade_jobs_in_hand", "Jobs that this worker is at", ["kind"])
WORKERS = Gauge("rulegrade_workers", "Workers that have joined the queue", ["kind"])
REDELIVERED = Counter("rulegrade_redelivered", "Jobs taken over from a worker that died")
GIVEN_UP = Counter("rulegrade_given_up", "Jobs that no worker could do", ["code"])
UNWANTED = Counter("rulegrade_unwanted_results", "Second or late results for an item, ignored")
CACHE_LOOKUPS = Counter("rulegrade_cache_lookups", "Outcomes looked for in the cache")
CACHE_HITS = Counter("rulegrade_cache_hits", "Outcomes found in it", ["level"])
COMPILATIONS = Counter("rulegrade_compilations", "Times that a compiler ran on a program")
COMPILATIONS_REUSED = Counter(
    "rulegrade_compilations_reused", "Times that a compiler had run on the same program before"
)
KILLS = Counter("rulegrade_sandbox_kills", "Runs of programs that went over a limit", ["reason"])
for _limit in ("time", "memory", "output"):
    KILLS.labels(_limit)


def _add_ids(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    """What the line is about, unless it says so itself."""
    if origins := about.get():
        event = {**ids_of(origins), **event}
    if (trace_id := tracing.trace_id()) is not None:
        event.setdefault("trace_id", trace_id)
    return event


_SHARED: list[Processor] = [
    structlog.contextvars.merge_contextvars,
    _add_ids,
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
]


def configure_logging(level: str, style: Literal["json", "console"]) -> None:
    """Send every event of `level` and above to standard error, as JSON or for a terminal."""
    structlog.configure(
        processors=[*_SHARED, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.make_filtering_bound_logger(level),
    )
    renderer: Processor = structlog.processors.JSONRenderer()
    if style == "console":
        renderer = structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    handler = logging.StreamHandler()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=_SHARED,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                renderer,
            ],
        )
    )
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    logging.getLogger("uvicorn").setLevel(logging.WARNING)  # its start and stop are prose
