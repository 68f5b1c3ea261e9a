"""
What can go wrong between a trainer and the service.

RewardClientError
├── Unreachable           no answer came: connection refused or lost, or too late
├── RewardServiceError    the service refused the whole request
│   ├── BadRequest        4xx: as it stands it will never be accepted
│   └── Unavailable       429, 5xx: it may be accepted later; retried before it is raised
└── NotScored             an adapter was told to raise for an item without a reward

A null reward is no exception in the client: it is in the answer, beside the rewards that were
scored. All of these can be pickled, because trainers score in worker processes.
"""

import json
from typing import Self

Problems = tuple[tuple[str, str], ...]


class RewardClientError(Exception):
    """Base of everything this client raises."""


class Unreachable(RewardClientError):
    """No answer came. The batch may or may not have been scored."""


class NotScored(RewardClientError):
    """The service failed on an item, so that there is no reward, not even 0."""


class RewardServiceError(RewardClientError):
    """The service refused the request with HTTP `status`; `problems` are (field, message)."""

    def __init__(self, status: int, code: str, message: str, problems: Problems = ()) -> None:
        told = "".join(f"\n  {field}: {text}" for field, text in problems)
        super().__init__(f"{status} {code}: {message}{told}")
        self.status = status
        self.code = code
        self.message = message
        self.problems = problems

    def __reduce__(self) -> tuple[type[Self], tuple[int, str, str, Problems]]:
        return type(self), (self.status, self.code, self.message, self.problems)


class BadRequest(RewardServiceError):
    """Sending the same again is of no use."""


class Unavailable(RewardServiceError):
    """The service is overloaded, or a part that the whole request needs is down."""


def refusal(status: int, reason: str, body: bytes) -> RewardServiceError:
    """Read a refusal; one that is not the service's own is named by its status alone."""
    kind = Unavailable if status == 429 or status >= 500 else BadRequest
    try:
        told = json.loads(body)
        problems = tuple((p["field"], p["message"]) for p in told["problems"])
        return kind(status, told["code"], told["message"], problems)
    except (ValueError, KeyError, TypeError):
        return kind(status, "http_error", reason)
