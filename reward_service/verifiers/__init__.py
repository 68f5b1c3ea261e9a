"""Rules that score a completion. To add one: write its module, add its class to `VERIFIERS`."""

from reward_service.verifiers.base import Verifier
from reward_service.verifiers.code import Code
from reward_service.verifiers.format import Format
from reward_service.verifiers.language import Language
from reward_service.verifiers.math import Math

VERIFIERS: dict[str, type[Verifier]] = {
    "code": Code,
    "format": Format,
    "language": Language,
    "math": Math,
}
