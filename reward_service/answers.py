"""
Answers by idempotency key: a request that is sent again is answered as the first time.

While the first one runs, its key is claimed with a short lease that is renewed, so that the key of
a process that was killed is free again in seconds.
"""

import asyncio
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from hashlib import sha256

from reward_service.errors import Conflict
from reward_service.store.base import Store

RUNNING_S = 15.0
_RUNNING, _DONE = b"running", b"done"


class Answers:
    """The answers in `store`."""

    def __init__(self, store: Store, *, kept_s: int) -> None:
        self._store = store
        self._kept_s = kept_s

    async def once(
        self, name: str, fingerprint: bytes, answer: Callable[[], Awaitable[bytes]]
    ) -> tuple[bytes, bool]:
        """What `answer` gives, or gave the first time, and whether it is from then.

        `name` is the key with all that it is for; `fingerprint` stands for the body. An answer that
        raises is not kept. Raises Conflict: another body came with this key, or the first one is
        still being answered.
        """
        key = f"answer:{sha256(name.encode()).hexdigest()}"
        if not await self._store.claim(key, _RUNNING + b" " + fingerprint, kept_s=RUNNING_S):
            found = (await self._store.get_many([key])).get(key, b"")
            return self._replayed(found, fingerprint), True
        try:
            async with self._renewed(key):
                body = await answer()
        except BaseException:
            await self._store.delete(key)
            raise
        kept = b" ".join((_DONE, fingerprint, zlib.compress(body, 1)))
        await self._store.put_many({key: kept}, kept_s=self._kept_s)
        return body, False

    def _replayed(self, found: bytes, fingerprint: bytes) -> bytes:
        state, _, rest = found.partition(b" ")
        first, _, body = rest.partition(b" ")
        if found and first != fingerprint:
            message = "this Idempotency-Key came with another body before"
            raise Conflict("idempotency_key_reused", message, status=422)
        if state != _DONE:
            message = "the first request with this Idempotency-Key is still being answered"
            raise Conflict("still_running", message, retry_after_s=1.0)
        return zlib.decompress(body)

    @asynccontextmanager
    async def _renewed(self, key: str) -> AsyncIterator[None]:
        async def renew_for_ever() -> None:
            while True:
                await asyncio.sleep(RUNNING_S / 3)
                await self._store.renew(key, kept_s=RUNNING_S)

        renewing = asyncio.ensure_future(renew_for_ever())
        try:
            yield
        finally:
            renewing.cancel()
            await asyncio.gather(renewing, return_exceptions=True)
