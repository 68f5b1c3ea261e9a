"""
C++: both programs are typed by the submission's signatures, read by `cpp_types`.

Only what the test code calls and does not define itself gets a stand-in. Functions that the
standard library has, too, like `abs`, stay the library's: a submission that defines its own must
not get between a result and its comparison. Where nothing else is called, or where the task names
it, such a function is the one under test.
"""

import re
from dataclasses import dataclass, field

from sandbox.two_box.base import Sources, Uncallable, compares, runtime
from sandbox.two_box.cpp_types import (
    C_TEXT,
    Function,
    Names,
    Parameter,
    macros,
    read_function,
)
from sandbox.two_box.tokens import Cursor, NotThis, Token, check_brackets, end_of_group, tokenize

_LIBRARY_TEXT = """
abort abs accumulate acos advance alignof all_of any_cast any_of apply as_const asin assert atan
atan2 atof atoi atol atoll back_inserter bcmp begin binary_search bind bit_ceil bit_floor
bit_width cbegin cbrt ceil cend cerr cin clamp clock cmp_equal cmp_greater cmp_less cmp_not_equal
copysign cos cosh count countl_zero countr_zero cout data decay decltype declval defined difftime
distance div drand48 empty end endl equal erf exchange exit exp exp2 expm1 fabs fabsf fabsl fdim
fflush fill fixed floor fma fmax fmin fmod forward fpclassify fprintf free frexp from_chars fscanf
function gcd get get_if getenv getline greater has_single_bit hash holds_alternative hypot ilogb
in_range iota is_same isalnum isalpha isdigit isfinite isgraph isgreater isgreaterequal isinf
isless islessequal islower isnan isnormal isprint ispunct isspace isunordered isupper isxdigit j0
labs lcm ldexp lerp less lgamma llabs llround log log10 log1p log2 logb lrand48 lrint lround main
make_optional make_pair make_shared make_tuple make_unique malloc max memcmp memcpy memmove memset
midpoint min minmax modf move nan nearbyint next nextafter nexttoward noexcept none_of norm
popcount pow powf prev printf putchar puts quick_exit quoted raise rand rand_r random rbegin
reduce ref remainder rend rint rotl rotr round scalbn scanf setprecision signal signbit sin sincos
sinh size sizeof sleep snprintf sprintf sqrt sqrtf srand ssize static_assert stod stof stoi stol
stold stoll stoul stoull strcasecmp strcat strchr strcmp strcoll strcpy strcspn strdup strlen
strncasecmp strncmp strncpy strpbrk strrchr strspn strstr strtod strtok strtol swap system tan
tanh tgamma tie time to_chars to_string to_wstring toascii tolower toupper trunc tuple_cat typeid
uncaught_exceptions usleep visit wcscmp wcslen y0
"""
LIBRARY = frozenset(_LIBRARY_TEXT.split())
"""What test code may call of the library with plain values, or names like a function."""

_WORDS_TEXT = """
and break case catch const_cast continue co_return delete do dynamic_cast else false for goto if
new not or reinterpret_cast return static_cast switch throw true try using while xor auto bool
char class const constexpr double enum float int long namespace operator private public protected
short signed static struct template this typedef typename union unsigned void volatile string
vector map set pair tuple list deque optional array std
"""
_WORDS = frozenset(_WORDS_TEXT.split())
_NO_CALL = frozenset((".", "->", "::"))
_DIRECTIVE = re.compile(r"^[ \t]*#(?:\\\n|[^\n])*", re.MULTILINE)


@dataclass(slots=True)
class Class:
    """A class of the submission's, made and used through a number."""

    name: str
    constructors: list[Function] = field(default_factory=list)
    methods: list[Function] = field(default_factory=list)


@dataclass(slots=True)
class Offer:
    """What the submission defines at its top level, and why some of it cannot be called."""

    functions: list[Function] = field(default_factory=list)
    classes: list[Class] = field(default_factory=list)
    refusals: dict[str, str] = field(default_factory=dict)


def split(source: str, test_code: str, entry_point: str | None) -> Sources:
    """The two programs. Uncallable if the submission defines nothing that the test code calls."""
    tests = tokenize(test_code, "cpp")
    wanted = names_to_call([*tests, *_in_directives(test_code)], entry_point)
    defined_macros, names = macros(source)
    used = {token.text for token in tests}
    offer = read_offer(tokenize(source, "cpp"), names, wanted, used)
    if not offer.functions and not offer.classes:
        why = [f"{name}: {reason}" for name, reason in offer.refusals.items()]
        raise Uncallable("; ".join(why) or f"no function {' or '.join(sorted(wanted)) or 'at all'}")
    stubs, cases = _Generator(offer).texts()
    hidden = {name: None for name in (f.name for f in offer.functions) if name in LIBRARY}
    return Sources(
        program=_program(source, defined_macros, cases),
        judge=_judge(test_code, tests, stubs, list(hidden)),
    )


def check(test_code: str) -> None:
    """ValueError for test code that is not well formed or calls nothing."""
    tests = tokenize(test_code, "cpp")
    check_brackets(tests)
    if not names_to_call([*tests, *_in_directives(test_code)], None):
        raise ValueError("it calls nothing that it does not define itself")


def names_to_call(tests: list[Token], entry_point: str | None) -> set[str]:
    """Names that the test code uses as the submission's."""
    used = set()
    for at, token in enumerate(tests):
        before = tests[at - 1].text if at else ""
        if token.kind == "name" and before not in _NO_CALL:
            used.add(token.text)
    used -= declared_names(tests) | _WORDS
    used = {name for name in used if not name.startswith("__")}
    other = {name for name in used - LIBRARY if not compares(name)}
    if entry_point is not None:
        return other | {entry_point.partition(".")[0]}
    called = {token.text for at, token in enumerate(tests[:-1]) if tests[at + 1].text == "("} & used
    return other if called & other else called - {"assert", "main"}


def _in_directives(test_code: str) -> list[Token]:
    """What macros of the test code may call."""
    texts = (match[0].strip().lstrip("#") for match in _DIRECTIVE.finditer(test_code))
    return [Token("mark", ";", 0), *(t for text in texts for t in tokenize(text, "cpp"))]


def declared_names(tests: list[Token]) -> set[str]:
    """Functions and classes that the test code itself defines outside any function."""
    found, at = set(), 0
    while at < len(tests):
        token = tests[at]
        if token.text in ("class", "struct", "union", "enum", "define") and at + 1 < len(tests):
            found.add(tests[at + 1].text)
        if token.text == "(" and at > 1 and tests[at - 1].kind == "name":
            found |= {tests[at - 1].text} if tests[at - 2].text not in _NO_CALL else set()
        if token.text == "{" and _is_namespace(tests, at):
            at += 1
        elif token.text in ("(", "{", "["):
            at = end_of_group(tests, at)
        else:
            at += 1
    return found


def _is_namespace(tokens: list[Token], at: int) -> bool:
    return "namespace" in [token.text for token in tokens[max(0, at - 2) : at]]


def read_offer(tokens: list[Token], names: Names, wanted: set[str], used: set[str]) -> Offer:
    """What of the `wanted` functions and classes a text defines, of classes the `used` methods."""
    offer, at = Offer(), 0
    while at < len(tokens):
        end = _end_of_statement(tokens, at)
        word = tokens[at].text
        try:
            if word in ("using", "typedef"):
                names.alias(Cursor(tokens, at))
            elif word in ("class", "struct"):
                _read_class(tokens, at, names, offer, wanted, used)
            else:
                _read_function(tokens, (at, end), names, offer, wanted)
        except NotThis:
            pass
        at = end
    return offer


def _end_of_statement(tokens: list[Token], at: int) -> int:
    """Behind the `;` or the `{…}` that ends what begins at `at`."""
    while at < len(tokens):
        text = tokens[at].text
        if tokens[at].kind == "mark" and text in ("(", "[", "{"):
            at = end_of_group(tokens, at)
            if text == "{" and (at >= len(tokens) or tokens[at].text not in (";", ",", ")")):
                return at
        elif text == ";":
            return at + 1
        else:
            at += 1
    return at


def _read_function(
    tokens: list[Token], span: tuple[int, int], names: Names, offer: Offer, wanted: set[str]
) -> None:
    start, end = span
    try:
        function = read_function(Cursor(tokens, start), names)
    except NotThis as reason:
        named = {tokens[i].text for i in range(start, end - 1) if tokens[i + 1].text in "(="}
        offer.refusals |= {name: str(reason) for name in named & wanted}
        return
    if function.name in wanted and function not in offer.functions:
        offer.functions.append(function)


def _read_class(
    tokens: list[Token], at: int, names: Names, offer: Offer, wanted: set[str], used: set[str]
) -> None:
    cursor = Cursor(tokens, at)
    is_public = cursor.take().text == "struct"
    name = cursor.name()
    if name not in wanted or cursor.peek().text != "{":
        return
    found = Class(name)
    end = cursor.end_of_group()
    cursor.take()
    while cursor.at < end - 1:
        if cursor.peek().text in ("public", "private", "protected") and cursor.peek(1).text == ":":
            is_public = cursor.take().text == "public"
            cursor.take()
            continue
        next_at = _end_of_statement(tokens, cursor.at)
        try:
            member = read_function(cursor, names, name)
        except NotThis:
            pass
        else:
            if is_public and (not member.result or member.name in used):
                (found.methods if member.result else found.constructors).append(member)
        cursor.at = next_at
    found.constructors = found.constructors or [Function(name, "", ())]
    offer.classes.append(found)


class _Generator:
    """Numbers the functions, and writes each twice: as a stand-in and as a case of the server's."""

    def __init__(self, offer: Offer) -> None:
        self._offer = offer
        self._stubs: list[str] = []
        self._cases: list[str] = []

    def texts(self) -> tuple[str, str]:
        """Stand-ins for the judge, cases for the program."""
        for function in self._offer.functions:
            self._add(function, function.name, f"::{function.name}", "")
        for each in self._offer.classes:
            self._stubs.append(f"class {each.name} {{\n  std::uint32_t handle_;\n public:")
            self._stubs.append(f"  {each.name}(const {each.name}&) = delete;")
            for made in each.constructors:
                self._add(made, each.name, f"std::make_shared<::{each.name}>", each.name)
            for method in each.methods:
                owner = "" if method.is_static else f"rulegrade::object<::{each.name}>(in)."
                target = f"{owner}{method.name}" if owner else f"::{each.name}::{method.name}"
                self._add(method, method.name, target, each.name)
            self._stubs.append("};")
        return "\n".join(self._stubs), "\n".join(self._cases)

    def _add(self, function: Function, name: str, target: str, owner: str) -> None:
        needed = sum(not parameter.has_default for parameter in function.parameters)
        for count in range(needed, len(function.parameters) + 1):
            self._add_arity(function, name, target, owner, count)

    def _add_arity(
        self, function: Function, name: str, target: str, owner: str, count: int
    ) -> None:
        number = len(self._cases)
        parameters = list(enumerate(function.parameters[:count]))
        head = ", ".join(f"{p.declared} a{i}" for i, p in parameters)
        is_method = bool(owner and function.result and not function.is_static)
        lines = [f"rulegrade::Call call({number});"]
        lines += ["call.object(handle_);"] if is_method else []
        lines += [f"call.give<{p.wire}>({_given(p.declared, i)});" for i, p in parameters]
        lines += ["call.ask();", *_taken(function, name)]
        back = [f"a{i} = call.take<{p.wire}>();" for i, p in parameters if p.is_sent_back]
        at = len(lines) - (function.result not in ("void", ""))
        lines[at:at] = back
        static = "static " if owner and function.is_static else ""
        const = " const" if is_method else ""
        result = f"{function.result} " if function.result else ""
        self._stubs.append(f"{static}{result}{name}({head}){const} {{ {' '.join(lines)} }}")
        self._cases.append(f"case {number}: {{ {_case(function, target, parameters)} return; }}")


def _given(declared: str, index: int) -> str:
    return f"std::string(a{index})" if declared in (C_TEXT, "std::string_view") else f"a{index}"


def _taken(function: Function, name: str) -> list[str]:
    match function.result:
        case "":
            return ["handle_ = call.take<std::uint32_t>();"]
        case "void":
            return []
        case "const char*":
            # Lives as long as the judge does, like the literals that such functions return.
            return [
                "auto& result = *new std::string(call.take<std::string>());",
                "return result.c_str();",
            ]
        case result:
            return [f"auto result = call.take<{result}>();", "return result;"]


def _case(function: Function, target: str, parameters: list[tuple[int, Parameter]]) -> str:
    lines = []
    is_method = target.startswith("rulegrade::object")
    if is_method:
        owner, _, name = target.rpartition(".")
        lines.append(f"auto& self = {owner};")
        target = f"self.{name}"
    given = []
    for index, parameter in parameters:
        lines.append(f"auto a{index} = rulegrade::get<{parameter.wire}>(in);")
        given.append(parameter.passed.format(f"a{index}"))
    call = f"{target}({', '.join(given)})"
    if function.result == "":
        lines.append(f"rulegrade::keep(out, {call});")
    elif function.result == "void":
        lines.append(f"{call};")
    else:
        wire = "std::string" if function.result == C_TEXT else function.result
        lines.append(f"const {wire}& result = {call}; rulegrade::put<{wire}>(out, result);")
    lines += [
        f"rulegrade::put<{p.wire}>(out, a{index});" for index, p in parameters if p.is_sent_back
    ]
    return " ".join(lines)


def set_aside(source: str, defined_macros: list[str]) -> str:
    """The submission's text, with nothing that would change what stands behind it.

    A main of its own, with examples perhaps, is no harm; it is not the one that starts.
    """
    undefined = "".join(f"#undef {name}\n" for name in defined_macros)
    has_main = re.search(r"\bmain\b", source, re.ASCII) is not None
    renamed = "#define main rulegrade_unused_main\n#line 1\n" if has_main else ""
    return f"{renamed}{source}\n{undefined}#undef main\n"


def _program(source: str, defined_macros: list[str], cases: str) -> str:
    return (
        f"{set_aside(source, defined_macros)}"
        f"{runtime('traits.hpp')}{runtime('wire.hpp')}{runtime('server.hpp')}"
        "void rulegrade::answer(std::uint32_t function, Reader& in, Writer& out) {\n"
        f"switch (function) {{\n{cases}\n}}\nthrow rulegrade::Broken();\n}}\n"
    )


def _judge(test_code: str, tests: list[Token], stubs: str, hidden: list[str]) -> str:
    # The header comes first: then the compiler takes the one it has parsed before.
    parts = [
        "#include <bits/stdc++.h>\n#include <unistd.h>\nusing namespace std;\n",
        runtime("traits.hpp"),
        runtime("wire.hpp"),
        runtime("judge.hpp"),
        f"namespace rulegrade_program {{\n{stubs}\n}}\nusing namespace rulegrade_program;\n",
        *(f"#define {name}(...) rulegrade_program::{name}(__VA_ARGS__)\n" for name in hidden),
    ]
    if "main" in declared_names(tests):
        return "".join([*parts, "#line 1\n", test_code, "\n"])
    directives = "\n".join(_DIRECTIVE.findall(test_code))
    statements = _DIRECTIVE.sub("", test_code)
    return "".join([*parts, directives, "\nint main() {\n#line 1\n", statements, "\n}\n"])
