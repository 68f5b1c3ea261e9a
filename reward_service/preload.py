"""
Imported by the fork server alone: what every worker process is born with.

Importing sympy takes a second and its first answers are many times slower than later ones.
"""

from reward_service.verifiers import VERIFIERS

for _verifier in VERIFIERS.values():
    _verifier.warm_up()
