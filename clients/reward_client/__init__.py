"""The client of the reward service: httpx and pydantic only."""
