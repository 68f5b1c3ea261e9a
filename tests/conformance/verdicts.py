"""Sends programs with their tests to a server and keeps what it says about each."""

from functools import cached_property
from typing import Any

import httpx
import pytest

Json = dict[str, Any]

BATCH = 32
DEADLINE_MS = 600_000


class Server:
    """A server of the wire format, asked about many programs at once."""

    def __init__(self, client: httpx.Client) -> None:
        self._client = client
        self._asked: dict[str, list[Json]] = {}

    @cached_property
    def languages(self) -> set[str]:
        """Names of the languages it runs."""
        answer = self._client.get("/v1/languages")
        answer.raise_for_status()
        return {entry["name"] for entry in answer.json()["languages"]}

    def is_ready(self) -> bool:
        """Whether it says that every part of it works."""
        return self._client.get("/readyz").status_code == 200

    def result(self, suite: str, items: list[Json], index: int) -> Json:
        """What it says about `items[index]`; all of `suite` is sent when first asked."""
        language = items[index]["verifiers"][0]["params"]["language"]
        if language not in self.languages:
            pytest.skip(f"the server does not run {language}")
        if suite not in self._asked:
            self._asked[suite] = self._score(items)
        return self._asked[suite][index]

    def _score(self, items: list[Json]) -> list[Json]:
        results: list[Json] = [{} for _ in items]
        runnable = [
            i
            for i, item in enumerate(items)
            if item["verifiers"][0]["params"]["language"] in self.languages
        ]
        for start in range(0, len(runnable), BATCH):
            chosen = runnable[start : start + BATCH]
            for i, result in zip(chosen, self._batch([items[i] for i in chosen]), strict=True):
                results[i] = result
        return results

    def _batch(self, items: list[Json]) -> list[Json]:
        """One result per item; a refused batch is sent again item by item."""
        body = {"deadline_ms": DEADLINE_MS, "items": items}
        answer = self._client.post("/v1/rewards", json=body)
        if answer.status_code == 200:
            results: list[Json] = answer.json()["results"]
            return results
        if len(items) > 1:
            return [result for item in items for result in self._batch([item])]
        return [{"status": "refused", "reward": None, "error": answer.text[:2000]}]


def item(identifier: str, source: str, **params: Any) -> Json:
    """An item whose completion is `source` and nothing else."""
    verifier = {"name": "code", "params": {**params, "extract": "raw"}}
    return {"id": identifier, "completion": source, "verifiers": [verifier]}
