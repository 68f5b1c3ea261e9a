"""
When a request is sent again, and after how long.

Only where sending again can help and cannot do harm: the connection failed, or the service (or a
proxy before it) answered 429, 502, 503 or 504. Every attempt carries the same `Idempotency-Key`.
"""

import random
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import httpx

from reward_client.errors import Unreachable, refusal

RETRIED = frozenset({429, 502, 503, 504})
_CONFLICT = 409
_FINAL = (httpx.UnsupportedProtocol, httpx.LocalProtocolError)
_RANDOM = random.SystemRandom()  # forked workers would share a seeded one, and collide again


@dataclass(frozen=True, slots=True)
class Retries:
    """How often and how patiently. Pauses have full jitter: anything from 0 to a bound."""

    attempts: int = 8
    first_s: float = 0.25
    """Bound of the first pause; it doubles with every attempt."""
    longest_s: float = 10.0
    """Largest bound."""

    def pause_s(self, attempt: int) -> float:
        """Seconds to wait after the `attempt`-th attempt, counted from 1."""
        return _RANDOM.uniform(0, min(self.longest_s, self.first_s * 2 ** (attempt - 1)))


class Tries:
    """The attempts at one request, of which all together may take `total_s` seconds."""

    def __init__(self, retries: Retries, total_s: float) -> None:
        self._retries = retries
        self._due = time.monotonic() + total_s
        self._made = 0
        self._was_lost = False

    @property
    def left_s(self) -> float:
        """Seconds left for the next attempt; never quite 0, which would mean no limit."""
        return max(0.001, self._due - time.monotonic())

    def after_loss(self, error: httpx.TransportError | TimeoutError) -> float:
        """Seconds to pause after no answer came. Raises Unreachable instead of a last pause."""
        self._was_lost = True
        pause = self._next_pause(0.0)
        if pause is None or isinstance(error, _FINAL):
            raise Unreachable(f"no answer after {self._made} attempts: {error!r}") from error
        return pause

    def after(self, response: httpx.Response, body: bytes) -> float | None:
        """None to take the answer, or seconds to pause. Raises RewardServiceError for the rest."""
        status = response.status_code
        if status < 400:
            return None
        # 409: the service still works on the attempt whose connection we lost
        is_retried = status in RETRIED or (status == _CONFLICT and self._was_lost)
        pause = self._next_pause(_asked_pause_s(response.headers)) if is_retried else None
        if pause is None:
            raise refusal(status, response.reason_phrase, body)
        return pause

    def _next_pause(self, asked_s: float) -> float | None:
        self._made += 1
        pause = asked_s + self._retries.pause_s(self._made)
        is_last = self._made >= self._retries.attempts or time.monotonic() + pause >= self._due
        return None if is_last else pause


def _asked_pause_s(headers: httpx.Headers) -> float:
    """`Retry-After`, as seconds or a date; 0 without one, or with one that says nothing."""
    text = headers.get("retry-after", "0").strip()
    if text.isdecimal():
        return float(text)
    try:
        return max(0.0, (parsedate_to_datetime(text) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError):
        return 0.0
