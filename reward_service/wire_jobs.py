"""
Evaluations and their outcomes as bytes, for the way to a worker in another process and back.

Plain JSON in both directions; nothing is unpickled. Texts that many completions share (tests can
be megabytes) travel apart, once, under their hash. A worker is trusted with references and tests:
they stop there, and never enter a sandbox.
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from hashlib import sha256
from typing import Any

from pydantic import TypeAdapter
from pydantic_core import from_json, to_json

from reward_service import __version__
from reward_service.chunks import Done, Evaluation
from reward_service.verdicts import SEMANTICS, Failure, dump_outcome, load_outcome
from reward_service.verifiers.base import Attempt

GENERATION = f"{__version__}-{SEMANTICS}"
"""Only processes of one version share work: no item is judged by two versions' rules."""

SHARED_FROM = 4_096
"""Characters from which a text travels apart."""

_Row = tuple[str, int, str, int | None, tuple[int, ...], bool, str | None]
_Times = tuple[float, float]
_ROWS: TypeAdapter[list[_Row]] = TypeAdapter(list[_Row])
_TEXTS: TypeAdapter[list[str | None]] = TypeAdapter(list[str | None])
_TIMES: TypeAdapter[_Times] = TypeAdapter(_Times)


class JobCodec:
    """See `reward_service.broker.base.Codec`."""

    def dump_payload(self, payload: Sequence[Evaluation]) -> tuple[bytes, Mapping[str, bytes]]:
        """The evaluations by rows that name their texts by position."""
        texts: dict[str, int] = {}
        rows = [_row(evaluation, texts) for evaluation in payload]
        long = {at: digest_of(text) for text, at in texts.items() if len(text) >= SHARED_FROM}
        kept = [None if at in long else text for text, at in texts.items()]
        shared = {long[at]: text.encode() for text, at in texts.items() if at in long}
        return to_json({"rows": rows, "texts": kept, "long": list(long.items())}), shared

    def load_payload(self, data: bytes, shared: Mapping[str, bytes]) -> list[Evaluation]:
        """Read both halves back; ValueError or KeyError when they do not fit."""
        read: dict[str, Any] = from_json(data)
        texts = _TEXTS.validate_python(read["texts"])
        for at, digest in read["long"]:
            texts[at] = shared[digest].decode()
        rows = _ROWS.validate_python(read["rows"])
        return [_evaluation(row, [text or "" for text in texts]) for row in rows]

    def dump_result(self, result: Done) -> bytes:
        """Times on the first line, the outcome on the second."""
        times = to_json((result.queue_ms, result.run_ms))
        return times + b"\n" + dump_outcome(result.outcome)

    def load_result(self, data: bytes) -> Done:
        """Read it back; what cannot be read is a failure of ours, for this item alone."""
        times, _, outcome = data.partition(b"\n")
        try:
            queue_ms, run_ms = _TIMES.validate_json(times)
            return Done(load_outcome(outcome), queue_ms, run_ms)
        except (ValueError, KeyError) as error:
            return self.given_up("unreadable_result", type(error).__name__)

    def given_up(self, code: str, message: str) -> Done:
        """What an item is told that no worker could do."""
        return Done(Failure(code, "queue", message, retryable=True))


@lru_cache(maxsize=64)  # a task's tests come with each of its completions
def digest_of(text: str) -> str:
    """SHA-256 of a text, in hexadecimal digits."""
    return sha256(text.encode()).hexdigest()


def _row(evaluation: Evaluation, texts: dict[str, int]) -> _Row:
    def at(text: str) -> int:
        return texts.setdefault(text, len(texts))

    attempt = evaluation.attempt
    return (
        evaluation.verifier,
        at(evaluation.params),
        attempt.completion,
        None if attempt.prompt is None else at(attempt.prompt),
        tuple(map(at, attempt.ground_truth)),
        attempt.think_prefilled,
        attempt.finish_reason,
    )


def _evaluation(row: _Row, texts: Sequence[str]) -> Evaluation:
    verifier, params, completion, prompt, truths, prefilled, finish_reason = row
    attempt = Attempt(
        completion=completion,
        prompt=None if prompt is None else texts[prompt],
        ground_truth=tuple(texts[at] for at in truths),
        think_prefilled=prefilled,
        finish_reason=finish_reason,
    )
    return Evaluation(verifier, texts[params], attempt)
