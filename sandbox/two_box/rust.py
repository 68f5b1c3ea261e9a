"""
Rust: both programs are typed by the submission's signatures, read by `rust_types`.

The submission becomes a module of its own program, so it may have a `main`. Test functions are
found in the text and run one after the other, without the compiler's own test harness: that one
says how tests ended on stdout and by an exit status only.
"""

import re
from dataclasses import dataclass
from itertools import pairwise

from sandbox.two_box.base import Sources, Uncallable, compares, runtime
from sandbox.two_box.rust_types import Function, read_aliases, read_function
from sandbox.two_box.tokens import Cursor, NotThis, Token, check_brackets, end_of_group, tokenize

_PRELUDE = (
    "#[allow(unused_imports)] use std::collections::*;\n"
    "#[allow(unused_imports)] use std::{cmp::*, fmt, iter, mem, str::FromStr};\n"
)
_ROOTS = ("super", "crate", "self")
_LITERAL = re.compile(r'"(?:[^"\\]|\\.)*"')
_MAIN = "rulegrade_tests_main"
_LIBRARY = frozenset(("Some", "Ok", "Err", "drop", "max", "min", "main"))


@dataclass(frozen=True, slots=True)
class Test:
    """A test function of the test code."""

    path: str
    should_panic: str | None
    """A literal that the message has to hold."""


def split(source: str, test_code: str, entry_point: str | None) -> Sources:
    """The two programs. Uncallable if the submission defines nothing that the test code calls."""
    tests = tokenize(test_code, "rust")
    wanted = names_to_call(tests, entry_point)
    functions, refusals = _offered(tokenize(source, "rust"), wanted)
    if not functions:
        why = [f"{name}: {reason}" for name, reason in refusals.items()]
        raise Uncallable("; ".join(why) or f"no function {' or '.join(sorted(wanted)) or 'at all'}")
    return Sources(
        program=_program(source, functions),
        judge=_judge(test_code, tests, functions),
    )


def check(test_code: str) -> None:
    """ValueError for test code that is not well formed or holds no test."""
    tests = tokenize(test_code, "rust")
    check_brackets(tests)
    if not _Opener(test_code, tests).opened()[1]:
        raise ValueError("no function marked #[test], and no main")


def names_to_call(tests: list[Token], entry_point: str | None) -> set[str]:
    """Names that the test code calls and does not define."""
    defined = {after.text for token, after in pairwise(tests) if token.text == "fn"}
    called = {
        token.text
        for at, token in enumerate(tests[:-1])
        if token.kind == "name"
        and tests[at + 1].text == "("
        and (at == 0 or tests[at - 1].text not in (".", "::") or tests[at - 2].text in _ROOTS)
    }
    called -= defined | _LIBRARY
    other = {name for name in called if not compares(name)}
    return (other or called) if entry_point is None else other | {entry_point}


def _offered(tokens: list[Token], wanted: set[str]) -> tuple[list[Function], dict[str, str]]:
    aliases = read_aliases(tokens)
    functions: dict[str, Function] = {}
    refusals: dict[str, str] = {}
    at = 0
    while at < len(tokens):
        if tokens[at].text == "fn" and at + 1 < len(tokens) and tokens[at + 1].text in wanted:
            try:
                function = read_function(Cursor(tokens, at), aliases)
                functions.setdefault(function.name, function)
            except NotThis as reason:
                refusals[tokens[at + 1].text] = str(reason)
        at = end_of_group(tokens, at) if tokens[at].text == "{" else at + 1
    return list(functions.values()), refusals


def _stub(number: int, function: Function) -> str:
    parameters = list(enumerate(function.parameters))
    head = ", ".join(f"a{i}: {p.declared}" for i, p in parameters)
    result = f" -> {function.result}" if function.result else ""
    given = " ".join(f"call.give(&a{i});" for i, _ in parameters)
    back = " ".join(p.sent_back.format(i) for i, p in parameters if p.sent_back)
    return (
        f"pub fn {function.name}({head}){result} {{ "
        f"let mut call = rulegrade::Call::new({number}); {given} let mut reply = call.ask(); "
        f"let result = {function.taken}; {back} result }}"
    )


def _case(number: int, function: Function) -> str:
    parameters = list(enumerate(function.parameters))
    given = " ".join(
        f"let mut a{i} = <{p.wire} as crate::rulegrade::Get>::get(from)?;" for i, p in parameters
    )
    passed = ", ".join(p.passed.format(f"a{i}") for i, p in parameters)
    back = " ".join(
        f"crate::rulegrade::Put::put(&a{i}, out);" for i, p in parameters if p.sent_back
    )
    return (
        f"{number} => {{ {given} let result = {function.name}({passed}); "
        f"crate::rulegrade::Put::put(&result, out); {back} }}"
    )


def _program(source: str, functions: list[Function]) -> str:
    cases = "\n".join(_case(number, function) for number, function in enumerate(functions))
    return (
        f"mod rulegrade_submission {{ {source}\n"
        "pub fn rulegrade_answer<'a>(function: u32, from: &mut crate::rulegrade::Reader<'a>, "
        "out: &mut ::std::vec::Vec<u8>)"
        " -> ::std::result::Result<(), crate::rulegrade::Broken> {\n"
        f"match function {{\n{cases}\n"
        "_ => return ::std::result::Result::Err(crate::rulegrade::Broken) }\n"
        "::std::result::Result::Ok(()) }\n}\n"
        f"mod rulegrade {{\n{runtime('wire.rs')}{runtime('server.rs')}}}\n"
        "fn main() { let _ = rulegrade::serve(rulegrade_submission::rulegrade_answer); }\n"
    )


def _judge(test_code: str, tokens: list[Token], functions: list[Function]) -> str:
    text, tests = _Opener(test_code, tokens).opened()
    stubs = "\n".join(_stub(number, function) for number, function in enumerate(functions))
    table = ", ".join(_entry(test) for test in tests)
    return (
        f"{text}\n{_PRELUDE}{stubs}\n"
        f"mod rulegrade {{\n{runtime('wire.rs')}{runtime('judge.rs')}}}\n"
        f"fn main() {{ rulegrade::run(&[{table}]); }}\n"
    )


def _entry(test: Test) -> str:
    run = f"|| rulegrade::Outcome::check({test.path}())"
    should_panic = f"Some({test.should_panic})" if test.should_panic else "None"
    return f'rulegrade::Test {{ name: "{test.path}", run: {run}, should_panic: {should_panic} }}'


class _Opener:
    """Makes the test functions of a text callable from outside, and says where they are.

    A `main` in a text without test functions is the one test.
    """

    def __init__(self, text: str, tokens: list[Token]) -> None:
        self._text = text
        self._tokens = tokens
        self._edits: list[tuple[int, int, str]] = []
        self._tests: list[Test] = []
        self._modules: list[tuple[str, int]] = []
        self._attributes: list[str] = []

    def opened(self) -> tuple[str, list[Test]]:
        """The changed text, and its tests."""
        at = 0
        while at < len(self._tokens) - 2:
            self._modules = [(name, end) for name, end in self._modules if at < end]
            at = self._step(at)
        if any(edit[2] == _MAIN for edit in self._edits) and not self._tests:
            self._tests.append(Test(_MAIN, should_panic=None))
        text = self._text
        for start, end, replacement in sorted(self._edits, reverse=True):
            text = text[:start] + replacement + text[end:]
        return text, self._tests

    def _step(self, at: int) -> int:
        word, following = self._tokens[at].text, self._tokens[at + 1].text
        if word == "#" and following == "[":
            return self._attribute(at)
        if word == "mod" and self._tokens[at + 2].text == "{":
            self._modules.append((following, end_of_group(self._tokens, at + 2)))
            self._publish(at)
        elif word == "fn" and "test" in self._attributes:
            self._test(at, following)
        elif word == "fn" and following == "main" and not self._modules:
            start = self._tokens[at + 1].at
            self._edits.append((start, start + len("main"), _MAIN))
        if word not in ("pub", "async", "unsafe"):
            self._attributes = []
        return at + 1

    def _attribute(self, at: int) -> int:
        end = end_of_group(self._tokens, at + 1)
        attribute = "".join(token.text for token in self._tokens[at + 2 : end - 1])
        self._attributes.append(attribute)
        if attribute.split("(")[0].split("=")[0] in ("test", "cfg", "ignore", "should_panic"):
            self._edits.append((self._tokens[at].at, self._tokens[end - 1].at + 1, ""))
        return end

    def _test(self, at: int, name: str) -> None:
        self._publish(at)
        if any(attribute.startswith("ignore") for attribute in self._attributes):
            return
        path = "::".join([*(module for module, _ in self._modules), name])
        panics = [a for a in self._attributes if a.startswith("should_panic")]
        expected = [literal for a in panics for literal in _LITERAL.findall(a)]
        self._tests.append(Test(path, (*expected, '""')[0] if panics else None))

    def _publish(self, at: int) -> None:
        if at == 0 or self._tokens[at - 1].text not in ("pub", ")"):
            self._edits.append((self._tokens[at].at, self._tokens[at].at, "pub "))
