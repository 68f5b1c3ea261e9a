"""verifiers v1: its NeMo Gym taskset verifies at URL, and a plugged reward calls the adapter."""

import asyncio
import json
import sys
from typing import Any

import verifiers.v1 as vf
from verifiers.v1.graph import MessageNode
from verifiers.v1.task import TaskConfig, TaskData
from verifiers.v1.tasksets.nemo_gym.taskset import NeMoGymData, NeMoGymTask, NeMoGymTaskConfig
from verifiers.v1.tasksets.nemo_gym.toolset import NeMoGymState
from verifiers.v1.trace import AgentInfo, Trace, TraceTask
from verifiers.v1.types import AssistantMessage, UserMessage


class Question(TaskData):  # type: ignore[misc]  # its base is Any where verifiers is missing
    """A row with a reference answer."""

    answer: str


def trace_of(task: Any, text: str) -> Any:
    """A finished rollout of one turn."""
    nodes = [
        MessageNode(message=UserMessage(content="What is 8/2?")),
        MessageNode(message=AssistantMessage(content=text), parent=0, sampled=True),
    ]
    return Trace(
        task=TraceTask(type=type(task).__name__, data=task.data),
        state=NeMoGymState(),
        agent=AgentInfo(config=vf.AgentConfig()),
        nodes=nodes,
    )


async def taskset(url: str, label: str) -> Any:
    """The reward that the NeMo Gym taskset records, or the error."""
    asked = {"input": [{"role": "user", "content": "What is 8/2?"}]}
    config = NeMoGymTaskConfig(resources_url=url, headers={"X-Reward-On-Failure": "refuse"})
    row = {"responses_create_params": asked, "expected_answer": label}
    task = NeMoGymTask(NeMoGymData(name="row", prompt="What is 8/2?", row=row), config)
    trace = trace_of(task, "It is \\boxed{4}.")
    return await scored(task, trace, setup=True)


async def plugged(label: str) -> Any:
    """The reward of a function that is named in the configuration."""
    function = vf.RewardFunctionConfig(fn="reward_client.adapters.verifiers:task_reward")
    config = TaskConfig(rewards={"rulegrade": function})
    task = vf.Task(Question(name="row", prompt="What is 8/2?", answer=label), config)
    return await scored(task, trace_of(task, "It is \\boxed{4}."))


async def scored(task: Any, trace: Any, *, setup: bool = False) -> Any:
    """Rewards by name, or the name of what was raised."""
    try:
        if setup:
            await task.setup(trace, None)
        await task.score(trace)
    except Exception as error:  # which one is what is asked for
        return type(error).__name__
    return {name: found.score for name, found in trace.rewards.items() if found is not None}


async def main(url: str) -> dict[str, Any]:
    """Right, wrong and unscorable."""
    labels = ("4", "5", "((")
    return {
        "taskset": [await taskset(url, label) for label in labels],
        "plugged": [await plugged(label) for label in labels],
    }


if __name__ == "__main__":
    print("RESULT " + json.dumps(asyncio.run(main(sys.argv[1]))))
