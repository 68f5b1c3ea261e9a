"""Text to countable units: words, and single characters in scripts written without spaces."""

import re

_UNSPACED = re.compile(
    "[\u3005\u3007\u3041-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\u0e00-\u0eff"
    "\U00020000-\U0003134f]"
)
_WORD = re.compile(r"[^\W_](?:[^\W_]|['’\u0300-\u036f\u0610-\u065f\u0900-\u0dff])*")


def units_of(text: str) -> list[str]:
    """Lower-case words in order; numbers are words, punctuation is nothing."""
    return _WORD.findall(_UNSPACED.sub(r" \g<0> ", text.lower()))
