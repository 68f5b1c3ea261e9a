"""
Go: a function's types are found at run time.
"""

from sandbox.calls.base import driver
from sandbox.two_box.base import MAX_SOURCE
from sandbox.two_box.tokens import Token, end_of_group, tokenize

SOLUTION = "Solution"
# On the line of its package, so that the program's lines keep their numbers.
_IMPORTS = (
    "; import (rulegradeIo `io`; rulegradeOs `os`; rulegradeReflect `reflect`; "
    "rulegradeStrconv `strconv`; rulegradeUtf16 `unicode/utf16`);"
)


def with_driver(source: str, entry_point: str) -> str:
    """The submission's text, followed by a `main` that calls its function.

    A text without a package gets one. A `main` of its own stays, under another name.
    """
    if len(source) > MAX_SOURCE:  # reading it takes too long
        return f"package main\n\nvar _ = this_program_is_longer_than_{MAX_SOURCE}_characters\n"
    head, _, name = entry_point.rpartition(".")
    tokens = tokenize(source, "go")
    declared = _declared(tokens)
    names = {token.text for token in declared}
    is_function = not head and (name in names or SOLUTION not in names)
    target = name if is_function else f"new({head or SOLUTION}).{name}"
    edits = [(t.at, t.text, "rulegrade_unused_main") for t in declared if t.text == "main"]
    if [token.text for token in tokens[:1]] == ["package"] and len(tokens) > 1:
        edits.append((tokens[1].at, tokens[1].text, f"main{_IMPORTS}"))
    else:
        edits.append((0, "", f"package main{_IMPORTS}"))
    for at, old, new in sorted(edits, reverse=True):
        source = f"{source[:at]}{new}{source[at + len(old) :]}"
    drivers = "".join(map(driver, ("call.go", "read.go", "write.go")))
    return f"{source}\n{drivers}\nfunc main() {{ rulegradeServe({target}) }}\n"


def _declared(tokens: list[Token]) -> list[Token]:
    """Names of functions, types and variables at the top."""
    found, at = [], 0
    while at + 1 < len(tokens):
        if tokens[at].text in ("func", "type", "var") and tokens[at + 1].kind == "name":
            found.append(tokens[at + 1])
        at = end_of_group(tokens, at) if tokens[at].text in ("{", "(") else at + 1
    return found
