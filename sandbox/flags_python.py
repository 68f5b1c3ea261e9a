"""
What the text of a Python program hints at. See `flags` for what a hint is worth.

Comments, docstrings and the insides of strings are no attempts, so the text is cut into tokens
first. It is not parsed: a parser recurses, and this text is hostile and read in the service's own
process.
"""

import re
from collections.abc import Iterator, Mapping

_WORTH_A_LOOK = re.compile(
    r"__(?:eq|ne)__|\bANY\b|frame|f_back|f_globals|f_locals|\bgc\b|inspect|conftest|TestReport"
    r"|SkipTest|pytest|unittest|modules|builtins|/proc|socket|requests|urllib|http|ftplib|smtplib"
    r"|telnetlib|xmlrpc|_exit|\bexec[lv]"
)
"""Few programs hold one of these words; cutting into tokens takes a millisecond."""

_STRING_START = re.compile(r"(?<![A-Za-z0-9_])[A-Za-z]{0,2}('''|\"\"\"|'|\")")
_TOKEN = re.compile(r"#[^\n]*|(?<![A-Za-z0-9_])[A-Za-z]{0,2}(?:'''|\"\"\"|'|\")")
_REST_OF_STRING: Mapping[str, re.Pattern[str]] = {
    "'": re.compile(r"((?:[^'\\\n]|\\.)*)'?", re.DOTALL),
    '"': re.compile(r'((?:[^"\\\n]|\\.)*)"?', re.DOTALL),
    "'''": re.compile(r"((?:[^'\\]|\\.|'(?!''))*)(?:''')?", re.DOTALL),
    '"""': re.compile(r'((?:[^"\\]|\\.|"(?!""))*)(?:""")?', re.DOTALL),
}
_DOCSTRING = re.compile(r"^[ \t]*\0\d+\0[ \t]*;?[ \t]*$", re.MULTILINE)

_FRAME = r"(?:_getframe|_current_frames|currentframe|f_back|f_globals|f_locals|[tgc][bir]_frame)"
_OBJECTS = r"get_(?:objects|referrers|referents)"
_EXIT = r"(?:_exit|exec[lv]p?e?)\b"
_HARNESS = (
    r"(?:sys\.modules\[[^\]\n]{0,200}\]|\b(?:unittest|pytest|builtins)(?:\.\w+){1,8})[ \t]*=(?!=)"
)
_MODULES = r"(?:socket|requests|urllib3|httpx|aiohttp|ftplib|smtplib|telnetlib)\b"
_PARTS = r"(?:urllib\.request|http\.client|http\.server|xmlrpc\.client)\b"
_NETWORK = re.compile(rf"(?:{_MODULES}|{_PARTS})")
_IMPORT = re.compile(r"\b(from\s+([\w.]{1,100})\s+)?import\b([^\n;]{0,300})")

_IN_CODE: Mapping[str, re.Pattern[str]] = {
    "constant_eq": re.compile(
        r"\bdef\s+__eq__\s*\([^\n]{0,100}:\s{0,100}return\s+(?:True|1)[ \t]*$"
        r"|\bdef\s+__ne__\s*\([^\n]{0,100}:\s{0,100}return\s+(?:False|0)[ \t]*$"
        r"|\b__eq__\s*=\s*lambda\b[^\n:]{0,100}:\s*(?:True|1)\b"
        r"|\b__ne__\s*=\s*lambda\b[^\n:]{0,100}:\s*(?:False|0)\b"
        r"|\bmock\s+import\s[^\n]{0,300}\bANY\b|\bmock\.ANY\b",
        re.MULTILINE,
    ),
    "early_exit": re.compile(
        rf"\b(?:os|posix)\.{_EXIT}|\bfrom\s+(?:os|posix)\s+import\s[^\n]{{0,300}}\b{_EXIT}"
    ),
    "frame_walk": re.compile(
        rf"\.{_FRAME}\b|\bgc\.{_OBJECTS}\b|\binspect\.(?:stack|trace)\b"
        rf"|\bfrom\s+(?:sys|inspect|gc)\s+import\s[^\n]{{0,300}}\b(?:{_FRAME}|{_OBJECTS})\b"
    ),
    "test_tampering": re.compile(
        rf"\b(?:TestReport|SkipTest)\b|\bpytest\.(?:skip|xfail|exit)\b|^[ \t]*{_HARNESS}"
        r"|\bimport\s+conftest\b|\bfrom\s+conftest\b",
        re.MULTILINE,
    ),
}
_IN_STRINGS: Mapping[str, re.Pattern[str]] = {
    "proc_read": re.compile(r"/proc(?:/|$)"),
    "test_tampering": re.compile(r"(?:.*/)?conftest\.py$"),
}
_BEFORE_STRING: Mapping[str, tuple[re.Pattern[str], re.Pattern[str]]] = {
    "frame_walk": (re.compile(r"\bgetattr\s*\([^()\n]{{1,100}},\s*$"), re.compile(rf"{_FRAME}$")),
    "network": (
        re.compile(r"\b(?:__import__|import_module)\s*\(\s*$"),
        _NETWORK,
    ),
}
"""What has to stand before a string, and what in it."""

_LAMBDA_AFTER = re.compile(r"\s*[:,]\s*lambda\b[^\n:]{0,100}:\s*(True|False|1|0)\b")
NEAR = 200
"""Characters before a string that are looked at."""


def flags_of_python(source: str) -> set[str]:
    """Names of the hints."""
    if not _WORTH_A_LOOK.search(source):
        return set()
    code, strings = _lexed(source)
    found = {name for name, pattern in _IN_CODE.items() if pattern.search(code)}
    if any(map(_NETWORK.match, _imported(code))):
        found.add("network")
    for at, text in strings:
        found |= {name for name, pattern in _IN_STRINGS.items() if pattern.match(text)}
        before = code[max(0, at - NEAR) : at]
        for name, (context, inside) in _BEFORE_STRING.items():
            if inside.match(text) and context.search(before):
                found.add(name)
        if text in ("__eq__", "__ne__") and _is_forged(text, code, at):
            found.add("constant_eq")
    return found


def _imported(code: str) -> Iterator[str]:
    """Names of the modules that are imported, `a.b` for `from a import b` too."""
    for _, package, names in _IMPORT.findall(code):
        if package:
            yield package
        for name in names.replace("(", " ").split(","):
            yield f"{package}.{name.strip()}" if package else name.strip()


def _is_forged(name: str, code: str, at: int) -> bool:
    """Whether a class is given a constant equality by name, as by setattr() or type()."""
    made = _LAMBDA_AFTER.match(code, code.index("\0", at + 1) + 1)
    return made is not None and (made[1] in ("True", "1")) is (name == "__eq__")


def _lexed(source: str) -> tuple[str, list[tuple[int, str]]]:
    """The text without comments, docstrings and the insides of strings; and those, by place."""
    kept: list[str] = []
    texts: list[str] = []
    at = 0
    while (match := _TOKEN.search(source, at)) is not None:
        kept.append(source[at : match.start()])
        at = match.end()
        opening = _STRING_START.fullmatch(match.group())
        if opening is not None:
            rest = _REST_OF_STRING[opening[1]].match(source, at)
            if rest is not None:
                kept.append(f"\0{len(texts)}\0")
                texts.append(rest[1])
                at = rest.end()
    code = _DOCSTRING.sub("", "".join([*kept, source[at:]]))
    code = re.sub(r"\\\n", " ", code)
    places = re.finditer(r"\0(\d+)\0", code)
    return code, [(place.start(), texts[int(place[1])]) for place in places]
