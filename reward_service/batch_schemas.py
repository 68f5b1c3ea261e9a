"""The wire of what is kept: batches that are fetched later, and stored tasks."""

from typing import Literal

from reward_service.schemas import Wire

BatchState = Literal["running", "done", "cancelled", "failed"]


class BatchStatus(Wire):
    """How far a batch is."""

    batch_id: str
    status: BatchState
    """`done` when every item is answered; `failed` when the queue would not take it in time."""
    count: int
    """How many items it has."""
    answered: int
    """How many of them have a result."""
    scored: int
    errors: int
    skipped: int
    message: str | None = None
    """Why it failed."""


class StoredTask(Wire):
    """A task that items may name in later requests."""

    id: str
    digest: str
    """SHA-256 of its content."""
    kept_s: int
    """Seconds for which it is kept after its last use."""
