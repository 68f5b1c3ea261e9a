"""Rules that score a completion. To add one: write its module, add its class to `VERIFIERS`."""

from reward_service.verifiers.base import Verifier
from reward_service.verifiers.choice import Choice
from reward_service.verifiers.code import Code
from reward_service.verifiers.exact import Exact
from reward_service.verifiers.format import Format
from reward_service.verifiers.instructions import Instructions
from reward_service.verifiers.json_schema import JsonSchema
from reward_service.verifiers.language import Language
from reward_service.verifiers.length import Length
from reward_service.verifiers.math import Math
from reward_service.verifiers.repetition import Repetition

VERIFIERS: dict[str, type[Verifier]] = {
    "choice": Choice,
    "code": Code,
    "exact": Exact,
    "format": Format,
    "instructions": Instructions,
    "json_schema": JsonSchema,
    "language": Language,
    "length": Length,
    "math": Math,
    "repetition": Repetition,
}
