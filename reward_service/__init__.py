"""The rule-based reward service: completions in over HTTP, rewards with reasons out."""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("rulegrade")
except PackageNotFoundError:  # a source tree that was never installed
    __version__ = "0+unknown"
