"""
Java: which method takes the arguments is found at run time, by its declared types.
"""

import json
from collections.abc import Iterable
from itertools import pairwise

from sandbox.calls.base import driver
from sandbox.two_box.base import MAX_SOURCE, runtime
from sandbox.two_box.tokens import tokenize

_TYPES = ("class", "record", "enum", "interface")


def with_driver(source: str, entry_point: str) -> str:
    """The submission's text, followed by a `main` that calls its method.

    A bare name is a method of a class `Solution`, else of the first class that has it.
    """
    head, _, name = entry_point.rpartition(".")
    classes = _classes(source)
    owners = [head] if head else dict.fromkeys(["Solution", *classes])
    drivers = "".join(map(driver, ("Call.java", "CallTypes.java", "CallJson.java")))
    return (
        f"{source}\n{runtime('Descriptor.java')}{drivers}"
        "class RulegradeEntry {\n"
        f"static final String METHOD = {json.dumps(name)};\n"
        f"static final String[] OWNERS = {_array(owners)};\n"
        f"static final String[] CLASSES = {_array(['', *classes])};\n}}\n"
    )


def _array(names: Iterable[str]) -> str:
    return f"{{{', '.join(map(json.dumps, names))}}}"


def _classes(source: str) -> list[str]:
    # Reading longer ones takes too long.
    tokens = tokenize(source, "java") if len(source) <= MAX_SOURCE else []
    return [
        after.text
        for token, after in pairwise(tokens)
        if token.text in _TYPES and token.kind == after.kind == "name"
    ]
