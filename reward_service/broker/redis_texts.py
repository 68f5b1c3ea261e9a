"""Long texts that jobs share, tests above all: fetched once by a worker, and kept for a while."""

from collections import OrderedDict
from collections.abc import Mapping

from redis.asyncio import Redis

from reward_service.broker.redis_connection import Keys, call

KEPT_BYTES = 256 * 2**20


class SharedTexts:
    """Those that this worker has seen last."""

    def __init__(self, client: "Redis", keys: Keys) -> None:
        self._client = client
        self._keys = keys
        self._kept: OrderedDict[str, bytes] = OrderedDict()
        self._bytes = 0

    async def get(self, digests: list[str]) -> Mapping[str, bytes]:
        """The texts by digest; KeyError when Redis has one no more."""
        found: dict[str, bytes] = {}
        for digest in digests:
            if digest in self._kept:
                self._kept.move_to_end(digest)
            else:
                self._keep(digest, await self._fetch(digest))
            found[digest] = self._kept[digest]
        self._shrink()
        return found

    async def _fetch(self, digest: str) -> bytes:
        text: bytes | None = await call(self._client, "GET", self._keys.text(digest))
        if text is None:
            raise KeyError(digest)
        return text

    def _keep(self, digest: str, text: bytes) -> None:
        self._bytes += len(text) if digest not in self._kept else 0
        self._kept[digest] = text

    def _shrink(self) -> None:
        while self._bytes > KEPT_BYTES and len(self._kept) > 1:
            _, text = self._kept.popitem(last=False)
            self._bytes -= len(text)
