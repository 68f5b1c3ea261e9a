"""
Spans that belong to no language: formulas, code, links and tags.

They are blanked with characters of the same count, so offsets hold. Prose of
four words or more inside such a span stays visible: a formula or a code block
is no place to hide a paragraph.
"""

import re

BLANK = "\x00"

_NEUTRAL = re.compile(
    r"```(?:[^`]++|`(?!``))*(?:```|\Z)"
    r"|~~~(?:[^~]++|~(?!~~))*(?:~~~|\Z)"
    r"|`[^`\n]{1,400}`"
    r"|\$\$(?:[^$]++|\$(?!\$))*\$\$"
    r"|\$[^$\n]{1,400}\$"
    r"|\\\[(?:[^\\]++|\\[^\[\]])*\\\]"
    r"|\\\((?:[^\\]++|\\[^()])*\\\)"
    r"|\\begin\{\w{1,20}\*?\}(?:[^\\]++|\\(?!begin\b|end\b))*\\end\{\w{1,20}\*?\}"
    r"|\\[A-Za-z]{1,40}"
    r"|(?:https?://|www\.)[!-;=?-~]{1,400}"
    r"|</?[A-Za-z!][^<>\n]{0,80}>"
)
# Only single characters are repeated possessively: before Python 3.11.5 a possessive group that
# could backtrack inside matches wrongly.
_LETTER = r"[^\W\d_]"
_PROSE = re.compile(
    rf"{_LETTER}{{2,30}}+(?:['’,]?[ \t]{{1,3}}{_LETTER}{{2,30}}+){{3,}}"
    r"|[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff]{7,}+"
)
_COMMAND = re.compile(r"\\[A-Za-z]{1,40}")
_COMMENT = re.compile(
    r"(?:#(?!include|define)|//|--[ \t])[^\n]*|/\*(?:[^*]++|\*(?!/))*(?:\*/|\Z)"
    r"|\"\"\"(?:[^\"]++|\"(?!\"\"))*(?:\"\"\"|\Z)"
)
_CODE_WORD = re.compile(r"\w+")


_SNAKE_PROSE = re.compile(rf"{_LETTER}{{1,30}}+(?:_{_LETTER}{{1,30}}+){{4,}}")
_LINK_MARK = re.compile(r"%20|[-/+_.&=]")
_LINK_PROSE = re.compile(rf"{_LETTER}{{2,30}}+(?:[ ]{{1,3}}{_LETTER}{{2,30}}+){{7,}}")


def blank_neutral(text: str) -> str:
    """`text` with every neutral span blanked, except for the prose inside.

    An identifier of five words or more is prose written with underscores, and is given its blanks.
    """
    readable = _NEUTRAL.sub(_blank, text)
    if "_" not in readable:
        return readable
    return _SNAKE_PROSE.sub(lambda name: name.group().replace("_", " "), readable)


def _blank(match: re.Match[str]) -> str:
    span = match.group()
    if len(span) < 12:
        return BLANK * len(span)
    if span[0] in "`~" and span[:3] in ("```", "~~~"):
        return _keep(span, _fence_prose(span), _PROSE)
    if span[0] in "hw":
        spaced = _LINK_MARK.sub(lambda mark: " " * len(mark.group()), span)
        return _keep(spaced, spaced, _LINK_PROSE)
    formula = _COMMAND.sub(lambda command: BLANK * len(command.group()), span)
    return _keep(span, formula, _PROSE)


def _fence_prose(span: str) -> str:
    """The block with its comments blanked, as long as they are not more than its code."""
    code = _COMMENT.sub(lambda comment: BLANK * len(comment.group()), span)
    words_of_code = len(_CODE_WORD.findall(code))
    return code if 2 * words_of_code >= len(_CODE_WORD.findall(span)) else span


def _keep(span: str, searched: str, prose: re.Pattern[str]) -> str:
    """`span` blanked but for what `prose` finds in `searched`, a text of the same length."""
    pieces, at = [], 0
    for found in prose.finditer(searched):
        pieces += [BLANK * (found.start() - at), span[found.start() : found.end()]]
        at = found.end()
    return "".join([*pieces, BLANK * (len(span) - at)])
