"""
Half a surrogate pair, which a policy can write and `json.dumps` spells as an escape.

JSON parsers refuse the escape and UTF-8 has no bytes for it. It is text all the same, so it is
replaced before parsing, by something that nobody else writes.
"""

import re

REPLACED = "\ufffe"
"""Stands for an unpaired surrogate; a noncharacter, so that the completion can be flagged."""

_HIGH = rb"\\u[dD][89abAB][0-9a-fA-F]{2}"
_LOW = rb"\\u[dD][c-fC-F][0-9a-fA-F]{2}"
_LONE = re.compile(_HIGH + rb"(?!" + _LOW + rb")|(?<!" + _HIGH + rb")" + _LOW)


def without_lone_surrogates(body: bytes | bytearray) -> bytes | bytearray:
    """Spell each unpaired surrogate escape of a JSON text as U+FFFE, in three linear passes.

    An escaped backslash before `ud800` is no such escape, hence the mask: the byte 0xFF occurs in
    no UTF-8, so it can stand for escaped backslashes meanwhile.
    """
    if b"\xff" in body:
        return body
    masked = body.replace(rb"\\", b"\xff\xff")
    return _LONE.sub(rb"\\ufffe", masked).replace(b"\xff\xff", rb"\\")
