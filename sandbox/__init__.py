"""Runs untrusted programs in warm containers. Imports nothing of the reward service."""
