"""One connection pool to one service; a batch in, rewards with reasons out."""

from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, Self

import httpx

from reward_client.errors import RewardServiceError, Unreachable

Json = dict[str, Any]
GRACE_S = 10.0  # what transfer and queueing may add to a deadline


class RewardClient:
    """Talks to the service at `url`. Not for sharing between processes."""

    def __init__(self, url: str, *, api_key: str | None = None) -> None:
        headers = {} if api_key is None else {"X-API-Key": api_key}
        self._http = httpx.Client(base_url=url, headers=headers)

    def score(
        self,
        items: Sequence[Mapping[str, Any]],
        *,
        tasks: Mapping[str, Mapping[str, Any]] | None = None,
        deadline_ms: int = 60_000,
    ) -> Json:
        """Score a batch and wait; the answer of `POST /v1/rewards` as it came.

        A null reward in it means that the service failed on that item: mask it, never take it
        for 0. Raises RewardServiceError when the whole request was refused and Unreachable when
        no answer came in time.
        """
        body = {"items": list(items), "tasks": tasks or {}, "deadline_ms": deadline_ms}
        timeout = httpx.Timeout(10.0, read=deadline_ms / 1000 + GRACE_S)
        try:
            response = self._http.post("/v1/rewards", json=body, timeout=timeout)
        except httpx.TransportError as error:
            raise Unreachable(f"no answer from {self._http.base_url}: {error!r}") from error
        if response.is_error:
            raise RewardServiceError.of(response)
        answer: Json = response.json()
        return answer

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
