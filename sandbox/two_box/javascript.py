"""
JavaScript and TypeScript: values know their own types, so only names have to be told.

The program is asked which of the test code's names it has. Names that the language itself knows
stay the language's, unless the task says that the submission defines one of them.
"""

import json
import re

from sandbox.two_box.base import Sources, compares, runtime

_COMMENT = re.compile(r"/\*.*?(?:\*/|\Z)|(?<![:\\])//[^\n]*", re.DOTALL)
_NAME = re.compile(r"(?:(?<![\w$.])|(?<=\.\.\.))[A-Za-z_$][\w$]*", re.ASCII)
_NEW = re.compile(r"\bnew\s+([A-Za-z_$][\w$]*)", re.ASCII)
_BUILT_IN_TEXT = """
Array BigInt Boolean Date Error Function Map Number Object Promise Proxy RangeError RegExp Set
String Symbol TypeError WeakMap WeakSet
"""
_BUILT_IN = frozenset(_BUILT_IN_TEXT.split())

MAX_NAMES = 2000

_NOT_NAMES_TEXT = (
    "arguments async await break case catch class const continue debugger default delete do else "
    "enum eval export exports extends false finally for from function get if implements import in "
    "instanceof interface let module new null of package private protected public require return "
    "set static super switch this throw true try typeof undefined var void while with yield "
    "__dirname __filename"
)
RESERVED = frozenset(_NOT_NAMES_TEXT.split())


def names_to_ask(test_code: str, entry_point: str | None) -> list[str]:
    """Names of the test code that the submission may define.

    Too many do no harm: what the test code declares itself comes before what is asked for.
    """
    text = _COMMENT.sub(" ", test_code)
    found = dict.fromkeys(_NAME.findall(text))
    head = entry_point.partition(".")[0] if entry_point else None
    names = [name for name in found if name not in RESERVED and not compares(name)]
    return [*([head] if head else ()), *names][:MAX_NAMES]


def check(test_code: str) -> None:
    """ValueError for test code that names nothing a submission could define."""
    if not names_to_ask(test_code, None):
        raise ValueError("it calls nothing")


def split(source: str, test_code: str, entry_point: str | None) -> Sources:
    """The two programs of a submission; also for TypeScript, whose types nobody checks."""
    names = names_to_ask(test_code, entry_point)
    thunks = ", ".join(f"{json.dumps(name)}: () => {name}" for name in names)
    # Objects of the program's are the tests' own business only where these make some.
    makes_objects = not _BUILT_IN.issuperset(_NEW.findall(test_code))
    head = entry_point.partition(".")[0] if entry_point else None
    return Sources(
        program=(
            # The thunks stand outside, or else they would find the server's own names.
            f"{source}\n;(function (named) {{\n"
            f"{runtime('wire.js')}{runtime('server.js')}}})({{ {thunks} }});\n"
        ),
        judge=(
            f"(function () {{\nconst names = {json.dumps(names)};\n"
            f"const entryPoint = {json.dumps(head)};\n"
            f"const makesObjects = {json.dumps(makes_objects)};\n"
            f"{runtime('wire.js')}{runtime('judge.js')}}})();\n{test_code}\n"
        ),
    )
