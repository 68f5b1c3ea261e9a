"""
Outcomes by content: equal work is done once, whoever asks for it.

The key holds all that an outcome depends on: the rules' version, the rule, its parameters, the
attempt, and where programs run. Failures are never kept, nor what a busy machine may have caused.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256

import structlog
from pydantic_core import to_json

from reward_service.chunks import Evaluation
from reward_service.errors import InfraError
from reward_service.store.base import Store
from reward_service.telemetry import CACHE_HITS, CACHE_LOOKUPS
from reward_service.verdicts import Outcome, Score, Skip, Verdict, dump_outcome, load_outcome
from reward_service.wire_jobs import GENERATION, digest_of

KEPT_S = 3_600
"""How long the store keeps an outcome; the groups of one step come back much sooner."""
_OF_THE_MOMENT = {Verdict.TIME_LIMIT_EXCEEDED, Verdict.MEMORY_LIMIT_EXCEEDED}

log = structlog.stdlib.get_logger("reward_service.cache")


class ResultCache:
    """Outcomes in this process, and behind it in a store that processes share. `run` must run.

    Requests that look into the store at the same time do so in one command.
    """

    def __init__(self, *, max_bytes: int, place: str, store: Store | None = None) -> None:
        self._max_bytes = max_bytes
        self._place = place
        self._store = store
        self._kept: OrderedDict[str, bytes] = OrderedDict()
        self._bytes = 0
        self._asked: list[tuple[Sequence[str], asyncio.Future[Mapping[str, bytes]]]] = []
        self._wake = asyncio.Event()

    async def run(self) -> None:
        """Serve until cancelled."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            asked, self._asked = self._asked, []
            found = await self._stored(sorted({key for keys, _ in asked for key in keys}))
            for _, answer in asked:
                if not answer.done():
                    answer.set_result(found)

    async def find(self, evaluations: Iterable[Evaluation]) -> Mapping[Evaluation, Outcome]:
        """The outcomes that are known."""
        if not self._max_bytes:
            return {}
        keys = {self._key(evaluation): evaluation for evaluation in evaluations}
        CACHE_LOOKUPS.inc(len(keys))
        known = {key: self._kept[key] for key in keys if key in self._kept}
        CACHE_HITS.labels("memory").inc(len(known))
        for key in known:
            self._kept.move_to_end(key)
        for key, data in (await self._shared([key for key in keys if key not in known])).items():
            self._keep(key, data)
            known[key] = data
        return {keys[key]: load_outcome(data) for key, data in known.items()}

    async def keep(self, outcomes: Mapping[Evaluation, Outcome]) -> None:
        """Remember what will be the same the next time."""
        if not self._max_bytes:
            return
        data = {
            self._key(evaluation): dump_outcome(outcome)
            for evaluation, outcome in outcomes.items()
            if _is_lasting(outcome)
        }
        for key, text in data.items():
            self._keep(key, text)
        if self._store is not None and data:
            try:
                await self._store.put_many(data, kept_s=KEPT_S)
            except InfraError as error:  # the next one does the work again
                log.warning("cache_not_written", reason=str(error))

    async def _shared(self, keys: list[str]) -> dict[str, bytes]:
        if self._store is None or not keys:
            return {}
        answer = asyncio.get_running_loop().create_future()
        self._asked.append((keys, answer))
        self._wake.set()
        found = await answer
        return {key: found[key] for key in keys if key in found}

    async def _stored(self, keys: Sequence[str]) -> Mapping[str, bytes]:
        try:
            found = {} if self._store is None else await self._store.get_many(keys)
        except InfraError as error:
            log.warning("cache_not_read", reason=str(error))
            return {}
        CACHE_HITS.labels("store").inc(len(found))
        return found

    def _keep(self, key: str, data: bytes) -> None:
        self._bytes += len(data) - len(self._kept.pop(key, b""))
        self._kept[key] = data
        while self._bytes > self._max_bytes:
            _, oldest = self._kept.popitem(last=False)
            self._bytes -= len(oldest)

    def _key(self, evaluation: Evaluation) -> str:
        attempt = evaluation.attempt
        facts = (
            GENERATION,
            self._place,
            evaluation.verifier,
            digest_of(evaluation.params),
            None if attempt.prompt is None else digest_of(attempt.prompt),
            attempt.ground_truth,
            attempt.think_prefilled,
            attempt.finish_reason,
            attempt.completion,
        )
        return f"outcome:{sha256(to_json(facts)).hexdigest()}"


def _is_lasting(outcome: Outcome) -> bool:
    if isinstance(outcome, Score):
        return outcome.verdict not in _OF_THE_MOMENT
    return isinstance(outcome, Skip)
