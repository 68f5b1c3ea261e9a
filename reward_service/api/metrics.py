"""`GET /metrics`: this process's figures in Prometheus's format. It needs no key, as probes do not;
no figure tells what anybody wrote."""

from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from reward_service.engine import Engine

metrics = APIRouter(tags=["probes"])


def exposition() -> Response:
    """The figures as they are."""
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)


@metrics.get("/metrics", operation_id="metrics", response_class=Response)
async def show_metrics(request: Request) -> Response:
    """Counters, gauges and histograms; the queue's are of this moment."""
    engine: Engine = request.app.state.engine
    engine.measure_queue()
    return exposition()
