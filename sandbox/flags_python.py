"""
What the syntax tree of a Python program hints at. See `flags` for what a hint is worth.

The tree, and not the text: a comment, a docstring or a name inside a string is no attempt.
"""

import ast
import re
import warnings
from collections.abc import Callable, Iterator, Mapping

_WORTH_A_LOOK = re.compile(
    r"__(?:eq|ne)__|\bANY\b|frame|f_back|f_globals|f_locals|\bgc\b|inspect|conftest|TestReport"
    r"|SkipTest|pytest|unittest|modules|builtins|/proc|socket|requests|urllib|http|ftplib|smtplib"
    r"|_exit|\bexec[lv]"
)
"""Parsing takes a millisecond; few programs hold one of these words."""

_FRAMES = {"_getframe", "_current_frames", "currentframe", "f_back", "f_globals", "f_locals"} | {
    "tb_frame",
    "gi_frame",
    "cr_frame",
}
_OBJECTS = {"get_objects", "get_referrers", "get_referents"}
_NETWORK = {"socket", "requests", "urllib3", "httpx", "aiohttp", "ftplib", "smtplib", "telnetlib"}
_NETWORK_PARTS = {"urllib.request", "http.client", "http.server", "xmlrpc.client"}
_IMPORTERS = {"__import__", "import_module"}


def flags_of_python(source: str) -> set[str]:
    """Names of the hints; none in what does not parse, for it does not run either."""
    if not _WORTH_A_LOOK.search(source):
        return set()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the program's own oddities
            tree = ast.parse(source)
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        return set()
    docstrings = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    nodes = [node for node in ast.walk(tree) if id(node) not in docstrings]
    return {name for name, is_hint in _HINTS.items() if any(map(is_hint, nodes))}


def _is_constant_equality(node: ast.AST) -> bool:
    match node:
        case ast.FunctionDef(name="__eq__" | "__ne__" as name):
            returned = [part.value for part in ast.walk(node) if isinstance(part, ast.Return)]
            return bool(returned) and all(_is_forged(name, value) for value in returned)
        case ast.Assign(targets=[ast.Name(id=name) | ast.Attribute(attr=name)], value=ast.Lambda()):
            return _is_forged(name, node.value.body)  # type: ignore[attr-defined]
        case ast.Call(args=[_, ast.Constant(value=str(name)), ast.Lambda(body=body)]):
            return _is_forged(name, body)
        case ast.Dict():
            pairs = zip(node.keys, node.values, strict=True)
            return any(_is_forged_entry(key, value) for key, value in pairs)
        case ast.ImportFrom(module="unittest.mock" | "mock", names=names):
            return any(alias.name == "ANY" for alias in names)
        case ast.Attribute(attr="ANY", value=value):
            return _name_of(value).endswith("mock")
    return False


def _is_forged(name: str, returned: ast.expr | None) -> bool:
    if name not in ("__eq__", "__ne__") or not isinstance(returned, ast.Constant):
        return False
    return bool(returned.value) is (name == "__eq__")


def _is_forged_entry(key: ast.expr | None, value: ast.expr) -> bool:
    match key, value:
        case ast.Constant(value=str(name)), ast.Lambda(body=body):
            return _is_forged(name, body)
    return False


def _walks_frames(node: ast.AST) -> bool:
    match node:
        case ast.Attribute(attr=name):
            owner = _name_of(node.value)
            return (
                name in _FRAMES
                or (name in _OBJECTS and owner == "gc")
                or (name in ("stack", "trace") and owner == "inspect")
            )
        case ast.Call(func=ast.Name(id="getattr"), args=[_, ast.Constant(value=str(name)), *_]):
            return name in _FRAMES
        case ast.ImportFrom(module="sys" | "inspect" | "gc", names=names):
            return any(alias.name in _FRAMES | _OBJECTS for alias in names)
    return False


def _tampers_with_tests(node: ast.AST) -> bool:
    match node:
        case ast.Attribute(attr="TestReport" | "SkipTest") | ast.Name(id="SkipTest"):
            return True
        case ast.Attribute(attr="skip" | "xfail" | "exit", value=ast.Name(id="pytest")):
            return True
        case ast.Constant(value=str(text)):
            return text.endswith("conftest.py")
        case ast.Assign(targets=targets):
            return any(_is_of_the_harness(target) for target in targets)
    return any(name == "conftest" for name in _imported(node))


def _is_of_the_harness(target: ast.expr) -> bool:
    match target:
        case ast.Subscript(value=value):
            return _name_of(value) == "sys.modules"
        case ast.Attribute():
            return _name_of(target).partition(".")[0] in ("unittest", "pytest", "builtins")
    return False


def _reads_proc(node: ast.AST) -> bool:
    match node:
        case ast.Constant(value=str(text)):
            return text == "/proc" or text.startswith("/proc/")
        case ast.Constant(value=bytes(text)):
            return text.startswith(b"/proc/")
    return False


def _wants_the_network(node: ast.AST) -> bool:
    return any(
        name.partition(".")[0] in _NETWORK or name in _NETWORK_PARTS for name in _imported(node)
    )


def _leaves_early(node: ast.AST) -> bool:
    match node:
        case ast.Attribute(attr=name, value=ast.Name(id="os" | "posix")):
            return _is_exit(name)
        case ast.ImportFrom(module="os" | "posix", names=names):
            return any(_is_exit(alias.name) for alias in names)
    return False


def _is_exit(name: str) -> bool:
    return name == "_exit" or re.fullmatch(r"exec[lv]p?e?", name) is not None


def _imported(node: ast.AST) -> Iterator[str]:
    """Names of the modules that a node imports, `a.b` for `from a import b` too."""
    match node:
        case ast.Import(names=names):
            yield from (alias.name for alias in names)
        case ast.ImportFrom(module=str(module), names=names):
            yield module
            yield from (f"{module}.{alias.name}" for alias in names)
        case ast.Call(func=func, args=[ast.Constant(value=str(name)), *_]):
            if _name_of(func).rpartition(".")[2] in _IMPORTERS:
                yield name


def _name_of(node: ast.expr) -> str:
    """`a.b.c`, or what of it can be told."""
    parts = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    if isinstance(node, ast.Name):
        parts.append(node.id)
    return ".".join(reversed(parts))


_HINTS: Mapping[str, Callable[[ast.AST], bool]] = {
    "constant_eq": _is_constant_equality,
    "early_exit": _leaves_early,
    "frame_walk": _walks_frames,
    "network": _wants_the_network,
    "proc_read": _reads_proc,
    "test_tampering": _tampers_with_tests,
}
