"""
Rust: the types of the arguments are those that the submission declares; results know their own.

A `main` of the submission's own stays, under another name. Where the function is missing, or takes
what JSON cannot hold, the compiler is made to say so.
"""

import json
from collections.abc import Iterator
from itertools import pairwise

from sandbox.calls.base import driver
from sandbox.two_box.base import MAX_SOURCE
from sandbox.two_box.rust_types import Parameter, read_aliases, read_head, read_parameters
from sandbox.two_box.tokens import Cursor, NotThis, Token, end_of_group, tokenize

SOLUTION = "Solution"
_TYPES = ("struct", "enum", "type", "union")


def with_driver(source: str, entry_point: str) -> str:
    """The submission's text, followed by a `main` that calls its function."""
    head, _, name = entry_point.rpartition(".")
    is_short = len(source) <= MAX_SOURCE  # reading longer ones takes too long
    tokens = tokenize(source, "rust") if is_short else []
    try:
        body = _body(tokens, head, name)
    except NotThis as reason:
        why = reason if is_short else f"the program is longer than {MAX_SOURCE} characters"
        body = f"compile_error!({json.dumps(f'{name}: {why}', ensure_ascii=False)})"
    drivers = "".join(map(driver, ("read.rs", "write.rs", "call.rs")))
    return (
        f"{_set_aside(source, tokens)}\n{_solution(tokens)}mod rulegrade {{\n{drivers}"
        f"pub fn answer(from: &mut Reader) -> String {{\n{body}\n}}\n}}\n"
        "fn main() { rulegrade::serve(rulegrade::answer); }\n"
    )


def _body(tokens: list[Token], head: str, name: str) -> str:
    aliases = read_aliases(tokens)
    top = next(_functions(tokens, 0, len(tokens), name), None)
    if top is not None and not head:
        cursor = Cursor(tokens, top)
        read_head(cursor)
        return _case(read_parameters(cursor, aliases), f"crate::{name}", "")
    owner = head or SOLUTION
    method = next(_methods(tokens, owner, name), None)
    if method is None:
        raise NotThis("no such function")
    cursor = Cursor(tokens, method)
    read_head(cursor)
    if _takes_self(cursor):
        made = f"let mut rulegrade_self = {_made(tokens, owner)};"
        return _case(read_parameters(cursor, aliases), f"rulegrade_self.{name}", made)
    return _case(read_parameters(cursor, aliases), f"crate::{owner}::{name}", "")


def _case(parameters: tuple[Parameter, ...], target: str, before: str) -> str:
    taken = [f"let mut a{i} = from.argument::<{p.wire}>();" for i, p in enumerate(parameters)]
    passed = ", ".join(p.passed.format(f"a{i}") for i, p in enumerate(parameters))
    return "\n".join([*taken, "from.done();", before, f"json({target}({passed}))"])


def _functions(tokens: list[Token], start: int, end: int, name: str) -> Iterator[int]:
    """Where functions of this name are declared in a range, not within braces."""
    at = start
    while at + 1 < end:
        if tokens[at].text == "fn" and tokens[at + 1].text == name:
            yield at
        at = end_of_group(tokens, at) if tokens[at].text == "{" else at + 1


def _methods(tokens: list[Token], owner: str, name: str) -> Iterator[int]:
    """Where functions of this name are declared in what implements a type alone, no trait."""
    at = 0
    while at < len(tokens):
        begin = at
        while at < len(tokens) and tokens[at].text not in ("{", ";"):
            at += 1
        end = end_of_group(tokens, at) if at < len(tokens) else at
        if _is_impl_of([token.text for token in tokens[begin:at]], owner):
            yield from _functions(tokens, at + 1, end - 1, name)
        at = max(end, at + 1)


def _is_impl_of(head: list[str], owner: str) -> bool:
    """Whether an item that begins so implements a type, and no trait."""
    if "impl" not in head or "fn" in head or "for" in head:
        return False
    after = head[head.index("impl") + 1 :]
    return after[:1] == [owner] or (after[:1] == ["<"] and owner in after)


def _takes_self(cursor: Cursor) -> bool:
    """Whether it is a method; if so, go past what it is called on."""
    ahead = 0
    while cursor.peek(ahead).text in ("&", "mut") or cursor.peek(ahead).kind == "lifetime":
        ahead += 1
    if cursor.peek(ahead).text != "self":
        return False
    cursor.at += ahead + 1
    cursor.accept(",")
    return True


def _made(tokens: list[Token], owner: str) -> str:
    """An expression that makes an instance without arguments."""
    new = next(_methods(tokens, owner, "new"), None)
    if new is not None and [token.text for token in tokens[new + 2 : new + 4]] == ["(", ")"]:
        return f"crate::{owner}::new()"
    fields = next(
        (
            "".join(token.text for token in tokens[at + 2 : at + 4])
            for at, (word, name) in enumerate(pairwise(tokens))
            if word.text == "struct" and name.text == owner
        ),
        ";",
    )
    if fields in ("{}", "()"):
        return f"crate::{owner}{fields}"
    return f"crate::{owner}" if fields[:1] == ";" else f"<crate::{owner} as Default>::default()"


def _solution(tokens: list[Token]) -> str:
    """The type that many a solution implements and leaves to its judge to declare."""
    words = [(word.text, name.text) for word, name in pairwise(tokens)]
    is_declared = any(word in _TYPES and name == SOLUTION for word, name in words)
    return "" if is_declared or ("impl", SOLUTION) not in words else f"pub struct {SOLUTION};\n"


def _set_aside(source: str, tokens: list[Token]) -> str:
    """The submission's text, with its `main` under another name."""
    main = next(_functions(tokens, 0, len(tokens), "main"), None)
    if main is None:
        return source
    at = tokens[main + 1].at
    return f"{source[:at]}rulegrade_unused_main{source[at + len('main') :]}"
