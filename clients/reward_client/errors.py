"""
What can go wrong between a trainer and the service.

RewardClientError
├── Unreachable           no answer came: connection refused or lost, or too late
└── RewardServiceError    the service refused the whole request

A null reward is no exception: it is in the answer, beside the rewards that were scored.
"""

from typing import Self

import httpx


class RewardClientError(Exception):
    """Base of everything this client raises."""


class Unreachable(RewardClientError):
    """No answer came. The batch may or may not have been scored."""


class RewardServiceError(RewardClientError):
    """The service refused the request with HTTP `status`; `problems` are (field, message)."""

    def __init__(
        self, status: int, code: str, message: str, problems: tuple[tuple[str, str], ...] = ()
    ) -> None:
        told = "".join(f"\n  {field}: {text}" for field, text in problems)
        super().__init__(f"{status} {code}: {message}{told}")
        self.status = status
        self.code = code
        self.problems = problems

    @classmethod
    def of(cls, response: httpx.Response) -> Self:
        """Read a refusal; one that is not the service's own is named by its status alone."""
        try:
            body = response.json()
            problems = tuple((p["field"], p["message"]) for p in body["problems"])
            return cls(response.status_code, body["code"], body["message"], problems)
        except (ValueError, KeyError, TypeError):
            return cls(response.status_code, "http_error", response.reason_phrase)
