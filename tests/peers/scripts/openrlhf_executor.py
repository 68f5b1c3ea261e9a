"""
OpenRLHF's SingleTurnAgentExecutor generates one response and has it rewarded over HTTP.

    openrlhf_executor.py URL

Prints reward, score and logs of a right, a wrong and an unscorable one, and of the Python function.
"""

import asyncio
import json
import sys
from types import SimpleNamespace
from typing import Any

import torch
from openrlhf.utils.agent import SingleTurnAgentExecutor

from reward_client.adapters import openrlhf

PROMPT = "<|user|>What is 8/2? Not \\boxed{5}.<|assistant|>"


class Characters:
    """A tokenizer of one code point a token."""

    def __call__(self, text: str, **_: Any) -> dict[str, Any]:
        return {"input_ids": torch.tensor([[ord(char) for char in text]])}

    def decode(self, ids: Any, skip_special_tokens: bool = False) -> str:
        return "".join(map(chr, ids))


class Engine:
    """Stands for vLLM: writes what it was made with."""

    def __init__(self, text: str) -> None:
        self._ids = [ord(char) for char in text + "<|im_end|>"]

    async def generate(self, *_: Any, **__: Any) -> Any:
        output = SimpleNamespace(token_ids=self._ids, finish_reason="stop", logprobs=None)
        return SimpleNamespace(outputs=[output])


async def ask(endpoint: str, text: str, label: str) -> dict[str, Any]:
    """One rollout."""
    executor = SingleTurnAgentExecutor(remote_rm_url=endpoint)
    sampling = SimpleNamespace(max_tokens=64, logprobs=None)
    out = await executor.execute(PROMPT, label, sampling, 4096, Characters(), Engine(text))
    return {key: out[key] for key in ("reward", "scores", "extra_logs")}


async def main(url: str) -> list[dict[str, Any]]:
    """Four rollouts."""
    http = f"{url}/get_reward"
    return [
        await ask(http, "It is \\boxed{4}.", "4"),
        await ask(http, "I do not know.", "5"),
        await ask(http, "It is \\boxed{4}.", "(("),
        await ask(openrlhf.__file__, "It is \\boxed{4}.", "4"),
    ]


if __name__ == "__main__":
    print("RESULT " + json.dumps(asyncio.run(main(sys.argv[1])), default=str))
