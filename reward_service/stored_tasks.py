"""
Tasks that are sent once and named in later requests: tests can be megabytes.

A task never changes under its id while it is kept, so rewards cannot change in the middle of a run:
another content is refused until the first is deleted. Equal contents are kept once.
"""

import time
from collections import OrderedDict
from hashlib import sha256

from reward_service.errors import Conflict
from reward_service.schemas import RewardRequest, Task
from reward_service.store.base import Store

REMEMBERED = 256
RENEW_S = 60.0


class StoredTasks:
    """The tasks in `store`, each seen only by the key that stored it."""

    def __init__(self, store: Store, *, kept_s: int) -> None:
        self._store = store
        self.kept_s = kept_s
        self._parsed: OrderedDict[str, Task] = OrderedDict()
        self._renewed: dict[str, float] = {}

    async def put(self, task_id: str, task: Task, *, key: str) -> tuple[str, bool]:
        """Keep a task; its digest, and whether it was not there. Raises Conflict."""
        content = task.model_dump_json(exclude_unset=True).encode()
        digest = sha256(content).hexdigest()
        await self._store.put_many({_content(digest): content}, kept_s=self.kept_s)
        name = _name(key, task_id)
        is_new = await self._store.claim(name, digest.encode(), kept_s=self.kept_s)
        if not is_new:
            found = await self._store.get_many([name])
            if found.get(name, digest.encode()) != digest.encode():
                message = "another task is stored under this id; delete it first"
                raise Conflict("task_exists", message)
            await self._store.renew(name, kept_s=self.kept_s)
        return digest, is_new

    async def get(self, task_id: str, *, key: str) -> tuple[str, Task] | None:
        """A task with its digest."""
        name = _name(key, task_id)
        if (digest := (await self._store.get_many([name])).get(name)) is None:
            return None
        task = await self._load(digest.decode())
        return None if task is None else (digest.decode(), task)

    async def delete(self, task_id: str, *, key: str) -> bool:
        """Forget it; False if there was none."""
        return await self._store.delete(_name(key, task_id))

    async def complete(self, batch: RewardRequest, *, key: str) -> RewardRequest:
        """The batch with those stored tasks that its items name and it does not bring."""
        named = {item.task_id for item in batch.items if item.task_id is not None}
        missing = sorted(named - batch.tasks.keys())
        if not missing:
            return batch
        names = {_name(key, task_id): task_id for task_id in missing}
        digests = await self._store.get_many(list(names))
        found = {}
        for name, digest in digests.items():
            if (task := await self._load(digest.decode())) is not None:
                found[names[name]] = task
                await self._renew(name, digest.decode())
        return batch.model_copy(update={"tasks": {**batch.tasks, **found}})

    async def _load(self, digest: str) -> Task | None:
        if digest not in self._parsed:
            content = (await self._store.get_many([_content(digest)])).get(_content(digest))
            if content is None:
                return None
            self._parsed[digest] = Task.model_validate_json(content)
            if len(self._parsed) > REMEMBERED:
                self._parsed.popitem(last=False)
        self._parsed.move_to_end(digest)
        return self._parsed[digest]

    async def _renew(self, name: str, digest: str) -> None:
        now = time.monotonic()
        if self._renewed.get(name, 0.0) + RENEW_S < now:
            self._renewed[name] = now
            await self._store.renew(name, kept_s=self.kept_s)
            await self._store.renew(_content(digest), kept_s=self.kept_s)


def _name(key: str, task_id: str) -> str:
    return f"task:{key}:{task_id}"


def _content(digest: str) -> str:
    return f"content:{digest}"
