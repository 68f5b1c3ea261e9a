"""
Rewards on their way: asked for over HTTP in other threads, so that the trainer can go on.

A reward that cannot be had is None and the completion is masked; it never becomes 0. While the
service is away the request is repeated until `patience_s` has passed.
"""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from grpo_trainer.problems import Problem
from reward_client import Retries, RewardClient, RewardClientError, RewardServiceError

Json = Mapping[str, Any]
Score = Callable[[Sequence[Json], Mapping[str, Json]], Sequence[Json]]
"""Items and tasks to results, all as on the wire. May be called by several threads at once."""

FIRST_WAIT_S = 0.2
LONGEST_WAIT_S = 2.0
AT_ONCE = 8


@dataclass(frozen=True, slots=True)
class Graded:
    """What the service said about one completion."""

    reward: float | None
    """None: the service failed on it. The completion must be masked."""
    components: Json
    """By verifier, as on the wire."""
    error: str | None = None
    """Code of the failure."""

    def score(self, verifier: str) -> float | None:
        """Return the score of one verifier, None where it gave none."""
        score: float | None = self.components.get(verifier, {}).get("score")
        return score

    def is_right(self, verifier: str) -> bool:
        """Whether `verifier` found the completion correct."""
        return bool(self.components.get(verifier, {}).get("verdict") == "correct")

    def answer(self, verifier: str) -> str | None:
        """Return what `verifier` read as the answer, where it says so."""
        details = self.components.get(verifier, {}).get("details", {})
        found = details.get("extracted")
        return None if found is None else str(found)


class OverHttp:
    """Scores with the service at `url`.

    It waits for a service that is down, restarting or full for `patience_s` seconds, then gives
    null rewards. A refusal of the request itself is raised: it would be refused again.
    """

    def __init__(
        self,
        url: str,
        *,
        api_key: str | None = None,
        patience_s: float = 300.0,
        deadline_ms: int = 120_000,
    ) -> None:
        self._client = RewardClient(url, api_key=api_key, retries=Retries(attempts=1))
        self._patience_s, self._deadline_ms = patience_s, deadline_ms
        self._is_closed = threading.Event()

    def __call__(self, items: Sequence[Json], tasks: Mapping[str, Json]) -> Sequence[Json]:
        """As `Score`."""
        end = time.monotonic() + self._patience_s
        wait = FIRST_WAIT_S
        while True:
            try:
                answer = self._client.score(items, tasks=tasks, deadline_ms=self._deadline_ms)
            except RewardClientError as error:
                if is_final(error):
                    raise
                if time.monotonic() + wait > end or self._is_closed.wait(wait):
                    return [unanswered(error)] * len(items)
            else:
                results: Sequence[Json] = answer["results"]
                return results
            wait = min(2 * wait, LONGEST_WAIT_S)

    def close(self) -> None:
        """Close the connections, and wait no longer for a service that is away."""
        self._is_closed.set()
        self._client.close()


def is_final(error: RewardClientError) -> bool:
    """Whether the same request would fail again however long one waits."""
    return isinstance(error, RewardServiceError) and error.status < 500 and error.status != 429


def unanswered(error: RewardClientError) -> Json:
    """Return the result of an item that nobody scored."""
    failure = {"code": type(error).__name__.lower()}
    return {"reward": None, "components": {}, "error": failure}


class RewardRequests:
    """Sends completions for scoring and hands out what will hold the answer."""

    def __init__(self, score: Score) -> None:
        self._score = score
        self._threads = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="rewards")

    def send(
        self, problems: Sequence[Problem], texts: Sequence[str], truncated: Sequence[bool]
    ) -> "Future[list[Graded]]":
        """Ask for the reward of texts[i] as an answer to problems[i]; returns at once."""
        rows = enumerate(zip(problems, texts, truncated, strict=True))
        items = [
            {
                "id": str(number),
                "task_id": problem.id,
                "completion": text,
                "finish_reason": "length" if cut else "stop",
            }
            for number, (problem, text, cut) in rows
        ]
        tasks = {problem.id: {"prompt": problem.prompt, **problem.task} for problem in problems}
        return self._threads.submit(self._graded, items, tasks)

    def close(self) -> None:
        """Give up what was not begun, and wait for nothing."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _graded(self, items: Sequence[Json], tasks: Mapping[str, Json]) -> list[Graded]:
        return [
            Graded(
                reward=result["reward"],
                components=result["components"],
                error=(result["error"] or {}).get("code"),
            )
            for result in self._score(items, tasks)
        ]


def answered(graded: Sequence[Graded]) -> "Future[list[Graded]]":
    """Return a future that holds its answer already."""
    future: Future[list[Graded]] = Future()
    future.set_result(list(graded))
    return future
