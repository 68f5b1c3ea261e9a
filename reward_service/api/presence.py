"""Work for a caller goes on only while the caller is there: a killed trainer's burst must not keep
the next one waiting."""

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

from starlette.requests import ClientDisconnect, Request

T = TypeVar("T")


async def while_present(request: Request, work: Awaitable[T]) -> T:
    """What `work` returns. Cancels it and raises ClientDisconnect when the caller goes away.

    The body must have been read: what arrives after it can only be the end of the connection.
    """
    watch = _Watch(request)
    try:
        return await work
    except asyncio.CancelledError:
        if watch.has_left and not watch.working.uncancel():
            raise ClientDisconnect from None
        raise  # the server ends, whether or not the caller went first
    finally:
        watch.end()


class _Watch:
    """Cancels the task that made it when the caller goes away.

    It begins in the loop's next turn, so that work which waits for nothing costs no second task.
    """

    def __init__(self, request: Request) -> None:
        task = asyncio.current_task()
        assert task is not None, "a request is served in a task"  # noqa: S101 - for the type checker
        self.working = task
        self.has_left = False
        self._request = request
        self._leaving: asyncio.Task[None] | None = None
        self._start = asyncio.get_running_loop().call_soon(self._begin)

    def end(self) -> None:
        """Watch no more."""
        self._start.cancel()
        if self._leaving is not None:
            self._leaving.cancel()

    def _begin(self) -> None:
        self._leaving = asyncio.ensure_future(self._wait())

    async def _wait(self) -> None:
        while (await self._request.receive())["type"] != "http.disconnect":
            pass
        self.has_left = True
        self.working.cancel()
