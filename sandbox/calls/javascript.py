"""
JavaScript and TypeScript: values know their own types, so only the name has to be told.
"""

import json

from sandbox.calls.base import driver
from sandbox.two_box.javascript import RESERVED

_READ_FIRST = 'var rulegradeRequest = require("fs").readFileSync(0, "utf8"); '
"""On the submission's first line, so that its lines keep their numbers."""


def with_driver(source: str, entry_point: str) -> str:
    """The submission's text, followed by what calls its function."""
    head, _, name = entry_point.rpartition(".")
    class_name = head or "Solution"
    askable = {each: None for each in (class_name, name) if each not in RESERVED}
    thunks = ", ".join(f"{json.dumps(each)}: () => {each}" for each in askable)
    entry = ", ".join(map(json.dumps, (class_name, name, bool(head))))
    if source.startswith("#!"):
        source = f"//{source}"
    # The thunks stand outside, or else they would find the driver's own names.
    return (
        f"{_READ_FIRST}{source}\n;(function (named, className, name, isMethod) {{\n"
        f"{driver('call.js')}}})({{ {thunks} }}, {entry});\n"
    )
