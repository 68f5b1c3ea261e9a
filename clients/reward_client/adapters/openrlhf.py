"""
OpenRLHF's Python reward function: `--reward.remote_url /path/to/this/file.py`.

`python -m reward_client.adapters.openrlhf` prints that path. The service's own `/get_reward` needs
no file at all; this one raises where that answers with a marked 0. OpenRLHF logs what is raised,
and ends the run because there is no reward.
"""

import re
from collections.abc import Sequence
from typing import Any

from reward_client.adapters.labels import item_of
from reward_client.adapters.remote import is_correct, reward, shared_remote

# what tokenizers write at the end, for which no format rule has a place
_END_MARKS = re.compile(
    r"(?:\s{0,8}(?:<\|[^<>|\s]{1,40}\|>|</s>|<eos>|<end_of_turn>)){1,8}\s{0,8}$"
)


def reward_func(
    queries: Sequence[str], prompts: Sequence[str], labels: Sequence[Any], **_: Any
) -> dict[str, Any]:
    """Score queries, each its prompt and the response as the tokenizer wrote them."""
    remote = shared_remote({})
    items = [
        item_of(_after(query, prompt), {"label": label}, remote.verifiers, prompt=prompt)
        for query, prompt, label in zip(queries, prompts, labels, strict=True)
    ]
    # OpenRLHF calls from many threads, with one query each: those travel together
    results = [remote.score_one(items[0])] if len(items) == 1 else remote.score(items)
    rewards = [reward(result) for result in results]
    correct = [float(is_correct(result)) for result in results]
    return {"rewards": rewards, "scores": correct, "extra_logs": {"correct": correct}}


def _after(query: str, prompt: str) -> str:
    start = query.find(prompt)
    if start < 0:
        raise ValueError("a query that does not hold its prompt: an answer might be read from it")
    text = query[start + len(prompt) :]
    marks = _END_MARKS.search(text, max(0, len(text) - 400))
    return text[: marks.start()] if marks else text


if __name__ == "__main__":
    print(__file__)
