"""NeMo Gym's ServerClient finds the service as a resources server at URL, and verifies."""

import asyncio
import json
import sys
from typing import Any
from urllib.parse import urlsplit

from nemo_gym import server_utils
from nemo_gym.config_types import BaseServerConfig
from omegaconf import OmegaConf

MESSAGE = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "status": "completed",
    "content": [{"type": "output_text", "text": "It is \\boxed{4}.", "annotations": []}],
}
RESPONSE = {
    "id": "resp_1",
    "created_at": 1.0,
    "model": "m",
    "object": "response",
    "output": [MESSAGE],
    "parallel_tool_calls": True,
    "tool_choice": "auto",
    "tools": [],
}


def row(**fields: Any) -> dict[str, Any]:
    """A row of a data set, answered."""
    asked = {"input": [{"role": "user", "content": "What is 8/2?"}]}
    return {"responses_create_params": asked, "response": RESPONSE, **fields}


def address(url: str) -> tuple[str, int]:
    """Host and port, which is how NeMo Gym's configuration names a server."""
    parts = urlsplit(url)
    return str(parts.hostname), int(parts.port or 80)


async def main(host: str, port: int) -> dict[str, Any]:
    """Seed, verify, aggregate."""
    server = {"entrypoint": "app.py", "host": host, "port": port, "domain": "math"}
    config = OmegaConf.create({"rewards": {"resources_servers": {"rewards": server}}})
    server_utils.set_global_aiohttp_client(
        server_utils.GlobalAIOHTTPAsyncClientConfig.model_validate({})
    )
    client = server_utils.ServerClient(
        head_server_config=BaseServerConfig(host=host, port=port), global_config_dict=config
    )

    async def post(path: str, body: dict[str, Any]) -> Any:
        response = await client.post("rewards", path, json=body)
        response.raise_for_status()
        return await response.json()

    seeded = await post("/seed_session", row(expected_answer="4"))
    answers = [
        await post("/verify", row(expected_answer=label, _ng_task_index=0))
        for label in ("4", "5", "((")
    ]
    metrics = await post("/aggregate_metrics", {"verify_responses": answers})
    mode = await (await client.get("rewards", "/reverify_mode")).json()
    return {
        "seeded": seeded,
        "rewards": [answer["reward"] for answer in answers],
        "masked": [answer["mask_sample"] for answer in answers],
        "mean": metrics["key_metrics"]["mean/reward"],
        "mode": mode,
    }


if __name__ == "__main__":
    print("RESULT " + json.dumps(asyncio.run(main(*address(sys.argv[1])))))
