"""
Every exception this package raises on purpose.

RewardError
├── BadTask            the request cannot be graded as written      -> 422
├── Conflict           it contradicts what was sent before          -> 409 or 422
├── Overloaded         a queue or tenant limit is reached           -> 429
└── InfraError         we failed, the completion did not            -> reward null
    ├── BrokerError        the queue is out of reach or broken
    ├── PoolError          no worker process could be had
    └── SandboxDown        code cannot be run at present

A wrong answer is not an exception. It is a Verdict.
"""


class RewardError(Exception):
    """Base of everything raised on purpose."""


class BadTask(RewardError):
    """The request cannot be graded as written. `field` is its path, e.g. `tasks.p1.verifiers.0`."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(f"{field}: {message}")
        self.field = field
        self.message = message

    def of_item(self) -> tuple[int, str] | None:
        """Index of the item that `field` is about, and the rest of its path; None for others."""
        place, _, rest = self.field.removeprefix("items.").partition(".")
        return (int(place), rest) if place.isdecimal() else None


class Conflict(RewardError):
    """The request contradicts one that came before. `code` is what the caller is told."""

    def __init__(
        self, code: str, message: str, *, status: int = 409, retry_after_s: float | None = None
    ) -> None:
        super().__init__(message)
        self.code = code
        self.status = status
        self.retry_after_s = retry_after_s


class Overloaded(RewardError):
    """A bounded queue is full. Ask again after `retry_after_s`."""

    def __init__(self, message: str, *, retry_after_s: float) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class InfraError(RewardError):
    """We failed; the completion did not. Never becomes a number."""

    code = "unavailable"
    """What an item that met this error is told."""


class BrokerError(InfraError):
    """The queue is out of reach or broken."""


class PoolError(InfraError):
    """No worker process could be had."""

    code = "pool_unavailable"


class SandboxDown(InfraError):
    """Code cannot be run at present."""

    code = "sandbox_unavailable"
