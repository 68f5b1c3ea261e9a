"""
The client of the reward service, for threads and for coroutines: httpx and pydantic only.

`adapters` has one module for each trainer.
"""

from reward_client.async_client import AsyncRewardClient
from reward_client.client import RewardClient
from reward_client.errors import (
    BadRequest,
    NotScored,
    RewardClientError,
    RewardServiceError,
    Unavailable,
    Unreachable,
)
from reward_client.retries import Retries
from reward_client.wire import Component, ErrorInfo, Result, Rewards

__all__ = [
    "AsyncRewardClient",
    "BadRequest",
    "Component",
    "ErrorInfo",
    "NotScored",
    "Result",
    "Retries",
    "RewardClient",
    "RewardClientError",
    "RewardServiceError",
    "Rewards",
    "Unavailable",
    "Unreachable",
]
