"""
What every adapter does with the answers: the rule for items that have no reward.

`on_error` says which:
    mask    the trainer is told to leave the item out; refused for trainers that cannot
    raise   NotScored or the client's error is raised, and the trainer decides
    retry   items that may yet be scored are sent again for up to `patience_s`, then as `raise`

A request that is refused as it stands (an unknown verifier, a wrong key) always raises: masked, a
misspelled configuration would train on nothing without a word.
"""

import asyncio
import json
import os
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast

from reward_client.adapters.labels import Verifiers
from reward_client.async_client import AsyncRewardClient
from reward_client.calls import KEY_VARIABLE, URL_VARIABLE, Item
from reward_client.client import RewardClient
from reward_client.errors import BadRequest, NotScored, RewardClientError
from reward_client.retries import Retries
from reward_client.wire import Result

OnError = Literal["mask", "raise", "retry"]

VERIFIERS_VARIABLE = "RULEGRADE_VERIFIERS"
ON_ERROR_VARIABLE = "RULEGRADE_ON_ERROR"
PAUSES = Retries(first_s=1.0, longest_s=30.0)


@dataclass(frozen=True, slots=True)
class Rule:
    """What is done about items without a reward."""

    on_error: OnError = "raise"
    patience_s: float = 600.0


class RemoteRewards:
    """Results from the service, with the rule for failures applied. Can be pickled.

    Every argument but `can_mask` may also come from the environment, for trainers that can name a
    function and pass it nothing: RULEGRADE_URL, RULEGRADE_API_KEY, RULEGRADE_VERIFIERS (a preset's
    name or JSON), RULEGRADE_ON_ERROR.
    """

    def __init__(
        self,
        url: str | None = None,
        *,
        api_key: str | None = None,
        verifiers: Verifiers | None = None,
        on_error: OnError | None = None,
        patience_s: float = 600.0,
        deadline_ms: int = 60_000,
        grace_s: float = 10.0,
        can_mask: bool = False,
    ) -> None:
        rule = on_error or os.environ.get(ON_ERROR_VARIABLE) or ("mask" if can_mask else "raise")
        if rule not in ("mask", "raise", "retry"):
            raise ValueError(f"on_error is mask, raise or retry, not {rule!r}")
        if rule == "mask" and not can_mask:
            raise ValueError("this trainer cannot leave a sample out: on_error is raise or retry")
        self.verifiers = verifiers if verifiers is not None else _from_environment()
        self.blocking = RewardClient(url, api_key=api_key, grace_s=grace_s)
        self.coroutine = AsyncRewardClient(url, api_key=api_key, grace_s=grace_s)
        self._rule = Rule(cast("OnError", rule), patience_s)
        self._deadline_ms = deadline_ms

    def score(self, items: Sequence[Item]) -> list[Result]:
        """One result per item, in order; a reward in it is None only under `mask`."""
        return self._settle(items, self._send_batch)

    async def score_async(self, items: Sequence[Item]) -> list[Result]:
        """As `score`, for coroutines."""
        return await self._settle_async(items, self._send_batch_async)

    def score_one(self, item: Item) -> Result:
        """One item's result; calls of other threads at the same time share the request."""
        return self._settle([item], self._send_one)[0]

    async def score_one_async(self, item: Item) -> Result:
        """As `score_one`; calls of other tasks at the same time share the request."""
        return (await self._settle_async([item], self._send_one_async))[0]

    def _settle(
        self, items: Sequence[Item], send: Callable[[list[Item]], list[Result]]
    ) -> list[Result]:
        pending = _Pending(self._rule, items)
        while left := pending.left():
            try:
                pending.take(left, send(left))
            except BadRequest:
                raise
            except RewardClientError as error:
                pending.lose(error)
            time.sleep(pending.pause_s())
        return pending.settled()

    async def _settle_async(
        self, items: Sequence[Item], send: Callable[[list[Item]], Awaitable[list[Result]]]
    ) -> list[Result]:
        pending = _Pending(self._rule, items)
        while left := pending.left():
            try:
                pending.take(left, await send(left))
            except BadRequest:
                raise
            except RewardClientError as error:
                pending.lose(error)
            await asyncio.sleep(pending.pause_s())
        return pending.settled()

    def _send_batch(self, items: list[Item]) -> list[Result]:
        return self.blocking.score(items, deadline_ms=self._deadline_ms)["results"]

    async def _send_batch_async(self, items: list[Item]) -> list[Result]:
        return (await self.coroutine.score(items, deadline_ms=self._deadline_ms))["results"]

    def _send_one(self, items: list[Item]) -> list[Result]:
        return [self.blocking.score_one(items[0], deadline_ms=self._deadline_ms)]

    async def _send_one_async(self, items: list[Item]) -> list[Result]:
        return [await self.coroutine.score_one(items[0], deadline_ms=self._deadline_ms)]


_shared: dict[str, RemoteRewards] = {}
_VARIABLES = (URL_VARIABLE, KEY_VARIABLE, VERIFIERS_VARIABLE, ON_ERROR_VARIABLE)
_OPTIONS = ("url", "api_key", "verifiers", "on_error", "patience_s", "deadline_ms", "grace_s")


def shared_remote(options: Mapping[str, Any]) -> RemoteRewards:
    """The one for these options, for trainers that call a function and keep nothing for it.

    Options that are not RemoteRewards' own are left out: trainers add some of theirs.
    """
    given = {key: _plain(options[key]) for key in _OPTIONS if options.get(key) is not None}
    key = repr((sorted(given.items()), [os.environ.get(name) for name in _VARIABLES]))
    return _shared.get(key) or _shared.setdefault(key, RemoteRewards(**given))


def _plain(value: Any) -> Any:
    """Lists and mappings of a configuration library as Python's own."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_plain(item) for item in value]
    return value


class _Pending:
    """The items of one call until each is decided, or not to be waited for any more."""

    def __init__(self, rule: Rule, items: Sequence[Item]) -> None:
        self._rule = rule
        self._items: list[Item] = [{**item, "id": str(at)} for at, item in enumerate(items)]
        self._results: dict[str, Result] = {}
        self._lost: RewardClientError | None = None
        self._due = time.monotonic() + rule.patience_s
        self._rounds = 0

    def left(self) -> list[Item]:
        """What is to be sent next."""
        is_over = self._rounds > 0 and (
            self._rule.on_error != "retry" or time.monotonic() >= self._due
        )
        return [] if is_over else [item for item in self._items if self._may_change(item["id"])]

    def take(self, sent: Sequence[Item], results: Sequence[Result]) -> None:
        """Note the answer to `sent`."""
        self._lost = None
        self._results.update((item["id"], one) for item, one in zip(sent, results, strict=True))
        self._rounds += 1

    def lose(self, error: RewardClientError) -> None:
        """Note that no answer came."""
        self._lost = error
        self._rounds += 1

    def pause_s(self) -> float:
        """Seconds before the next round, 0 without one."""
        return PAUSES.pause_s(min(self._rounds, 8)) if self.left() else 0.0

    def settled(self) -> list[Result]:
        """The results. Raises for the first item without a reward, unless such are masked."""
        if self._rule.on_error != "mask":
            if self._lost is not None:
                raise self._lost
            for result in self._results.values():
                if result["reward"] is None:
                    raise NotScored(_why(result))
        return [self._results.get(item["id"]) or _unknown(self._lost) for item in self._items]

    def _may_change(self, name: str) -> bool:
        result = self._results.get(name)
        return result is None or (result["error"] is not None and result["error"]["retryable"])


def _why(result: Result) -> str:
    error = result["error"]
    return f"{error['code']}: {error['message']}" if error else result["status"]


def _unknown(error: RewardClientError | None) -> Result:
    """The result of an item that the service was never heard of about."""
    return {
        "id": "",
        "index": 0,
        "status": "error",
        "reward": None,
        "mask_sample": True,
        "components": {},
        "error": {
            "code": "unreachable",
            "stage": "client",
            "message": str(error),
            "retryable": True,
            "attempts": 1,
        },
        "flags": [],
        "metadata": {},
    }


def _from_environment() -> Verifiers | None:
    text = os.environ.get(VERIFIERS_VARIABLE)
    if text and text.lstrip().startswith(("[", "{")):
        found: Any = json.loads(text)
        return cast("Verifiers", found)
    return text or None


def reward(result: Result) -> float:
    """The reward of a result that has one, as every rule but `mask` guarantees."""
    value = result["reward"]
    if value is None:
        raise NotScored(_why(result))
    return float(value)


def is_correct(result: Result) -> bool:
    """Whether every rule that was paid for is met."""
    paid = [part for part in result["components"].values() if part["weight"] > 0]
    return bool(paid) and all(part["verdict"] == "correct" for part in paid)
