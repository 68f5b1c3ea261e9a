"""Rules that score a completion. To add one: write its module, add its class to `VERIFIERS`."""

from reward_service.verifiers.base import Verifier
from reward_service.verifiers.format import Format
from reward_service.verifiers.language import Language

VERIFIERS: dict[str, type[Verifier]] = {
    "format": Format,
    "language": Language,
}
"""Name on the wire -> parameter model."""
