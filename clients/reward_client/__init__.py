"""The client of the reward service: httpx and pydantic only."""

from reward_client.client import RewardClient
from reward_client.errors import RewardClientError, RewardServiceError, Unreachable

__all__ = ["RewardClient", "RewardClientError", "RewardServiceError", "Unreachable"]
