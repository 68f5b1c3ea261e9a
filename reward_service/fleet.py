"""
The workers of a shared queue, as an API process sees them: who is there, and what can be run.

It answers the same questions as `Programs`, from what the workers say of themselves.
"""

from collections.abc import Mapping
from typing import Any

from reward_service.broker.base import Codec
from reward_service.broker.redis_members import Member
from reward_service.broker.redis_streams import RedisBroker
from reward_service.chunks import Done, Evaluation
from reward_service.errors import SandboxDown
from reward_service.settings import Settings
from reward_service.telemetry import WORKERS

OFF = "code rewards are switched off (RULEGRADE_SANDBOX_BACKEND=off)"
NOBODY = "no worker that runs programs has joined the queue"


class Fleet:
    """What the workers of `broker` can do; `is_off` where programs are not wanted at all."""

    def __init__(self, broker: RedisBroker[Evaluation, Done], *, is_off: bool) -> None:
        self._broker = broker
        self._is_off = is_off
        for kind in ("pool",) if is_off else ("pool", "sandbox"):
            WORKERS.labels(kind).set(0)  # so that a kind that nobody ever joined for is seen

    @property
    def languages(self) -> Mapping[str, str] | None:
        """Version by name of what every sandbox can run; None while there is none to ask."""
        if self._is_off:
            return {}
        held = [facts["languages"] for facts in self._sandboxes() if facts["state"] == "ok"]
        if not held:
            return None
        return {name: held[0][name] for name in held[0] if all(name in one for one in held)}

    def known_languages(self) -> Mapping[str, str]:
        """Version by name of every language that can be run. Raises SandboxDown."""
        if self.languages is None:
            raise SandboxDown(NOBODY)
        return self.languages

    @property
    def state(self) -> str:
        """`ok`, `off`, `starting`, or `down: why`; of several sandboxes the best one's."""
        if self._is_off:
            return "off"
        states = [str(facts["state"]) for facts in self._sandboxes()]
        for best in ("ok", "starting"):
            if best in states:
                return best
        return states[0] if states else f"down: {NOBODY}"

    @property
    def trouble(self) -> str | None:
        """Why no program can be run although code is not switched off; None while it can be."""
        state = self.state
        return state.removeprefix("down: ") if state.startswith("down: ") else None

    @property
    def isolation(self) -> Mapping[str, str]:
        """What isolates programs, as the first worker with a sandbox says; empty without one."""
        said = [facts.get("isolation", {}) for facts in self._sandboxes() if facts["state"] == "ok"]
        return said[0] if said else {}

    def parts(self) -> dict[str, str]:
        """The state of each part that rewards need."""
        has_pool = any("pool" in member.capacity for member in self._broker.members)
        is_away = self._broker.is_away
        return {
            "queue": "down: Redis does not answer" if is_away else "ok",
            "pool": "ok" if has_pool else "down: no worker for rules has joined the queue",
            "sandbox": self.state,
        }

    def _sandboxes(self) -> list[dict[str, Any]]:
        found = (member.facts.get("sandbox") for member in self._broker.members)
        return [facts for facts in found if facts is not None]


def join_queue(
    settings: Settings, codec: Codec[Evaluation, Done], generation: str, member: Member | None
) -> RedisBroker[Evaluation, Done]:
    """The shared queue of `settings.redis_url`, as a worker or, without `member`, as a caller."""
    return RedisBroker(
        settings.redis_url or "",
        codec,
        generation=generation,
        max_items=settings.max_queue_items,
        max_bytes=settings.max_queue_mb * 2**20,
        member=member,
        asks=member is None,
        lease_s=settings.lease_s,
    )
