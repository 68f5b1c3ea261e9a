"""
The judge's side of a test: runs test code that finds stand-ins where it expects the program.

The program's module is whatever the test code imports that exists nowhere else. What the test code
uses without defining it is looked for in the program, too.
"""

import builtins
import importlib.abc
import importlib.machinery
import importlib.util
import io
import symtable
import sys
import unittest
import unittest.mock
from collections.abc import Sequence
from dataclasses import dataclass
from types import FunctionType, ModuleType, SimpleNamespace
from typing import Any

from sandbox.agent.codec import Codec
from sandbox.agent.peer import Peer
from sandbox.agent.remote import is_remote, number_of

TESTS = "/box/"

_PACKAGES = """
    pandas scipy sympy sklearn torch tensorflow matplotlib networkx requests yaml hypothesis
    parameterized freezegun nose attr pydantic bs4 lxml PIL cv2 nltk
"""
FOREIGN = frozenset(_PACKAGES.split())
"""Packages that test code may want and a program is never called; an image may lack them."""

_OPEN_CLASSES = (
    io.IOBase,
    SimpleNamespace,
    unittest.mock.NonCallableMock,
    BaseException,
    FunctionType,
)
_MOCKS_OWN = ("configure_mock", "reset_mock", "attach_mock", "mock_add_spec")
"""What would let a program forge what it did with a mock."""

_ITERATION = ("__iter__", "__next__", "__len__", "__getitem__", "__contains__", "__reversed__")


class Judge(Peer):
    """Uses the program for its tests, and serves it no more than tests hand to it."""

    def __init__(self) -> None:
        super().__init__()
        self.flags: set[str] = set()
        self.uses = 0
        """How often the tests asked for anything of the program."""
        self.missing: str | None = None
        """A package that the test code needs and the image lacks."""
        self._mark: tuple[int, int] | None = None

    # ---- the program

    def module(self, name: str) -> Any:
        """The program, loaded under this name if it was not loaded yet."""
        try:
            return self.request("load", -1, name)
        except BaseException:
            self.uses += 1  # and of no use: which is the program's fault
            raise

    def find(self, entry_point: str) -> Any:
        """What a task calls the program's function."""
        return self.request("find", -1, entry_point)

    def request(self, operation: str, target: int, *arguments: Any, **keywords: Any) -> Any:
        """Have the program do something."""
        self.uses += operation not in ("load", "fork", "end")
        one = self._stand_ins.get(target)
        was_made = _is_made(one)
        found = super().request(operation, target, *arguments, **keywords)
        if found is one and was_made and operation == "op":  # `x += 1` is still what the test made
            self.made(one)
        return found

    def begin_test(self) -> None:
        """From here on the program is a copy of itself, which the next test will not meet."""
        if not self.link.is_broken:
            theirs = self.request("fork", -1)
            if type(theirs) is int:
                self._mark = (len(self._objects), theirs)

    def end_test(self) -> None:
        """Back to the program as it was at `begin_test`."""
        if self._mark is not None and not self.link.is_broken:
            self.request("end", -1)
            self.forget(*self._mark)
        self._mark = None

    # ---- what decides

    def equals(self, one: Any, other: Any) -> Any:
        """A program's object equals no plain data but what it holds as a list, a string …

        Two objects of the program are equal if it says so.
        """
        if is_remote(other):
            self.flags.add("object_eq")
            found = self.request("op", number_of(one), "__eq__", other)
            return found if found is NotImplemented else bool(found)
        data = self.request("data", number_of(one))
        return data is not NotImplemented and not is_remote(data) and bool(data == other)

    def may_operate(self, one: Any, operands: tuple[Any, ...]) -> bool:
        """Operands may be what the test expects of `one`, unless the test made it itself."""
        return _is_made(one) or all(is_remote(operand) for operand in operands)

    def made(self, one: Any) -> Any:
        """Note it."""
        if is_remote(one) and not isinstance(one, type):
            object.__getattribute__(one, "__dict__")["_is_made"] = True
        return one

    def resolve(self, form: list[Any], codec: Codec) -> Any:
        """What a handle stands for. Once the program gives it back, it is the program's work."""
        found = super().resolve(form, codec)
        if _is_made(found):
            del object.__getattribute__(found, "__dict__")["_is_made"]
        return found

    # ---- what the program may do with objects of the tests

    def perform(
        self, operation: str, subject: Any, arguments: tuple[Any, ...], keywords: dict[str, Any]
    ) -> Any:
        """Call what tests handed over, and use objects of classes that tests define."""
        if subject is None or not self._permits(operation, subject, arguments):
            raise AttributeError("this is not for the program to do")
        return super().perform(operation, subject, arguments, keywords)

    def _permits(self, operation: str, subject: Any, arguments: tuple[Any, ...]) -> bool:
        is_open = self._is_open(subject)
        match operation:
            case "call":
                return is_open or not isinstance(subject, type | unittest.TestCase | ModuleType)
            case "op":
                return is_open or arguments[0] in _ITERATION
            case "get":
                name = str(arguments[0])
                return is_open and not name.startswith("_") and name not in _MOCKS_OWN
            case "set" | "del":
                is_mock = isinstance(subject, unittest.mock.NonCallableMock)
                return is_open and not is_mock and not str(arguments[0]).startswith("_")
        return False

    def _is_open(self, subject: Any) -> bool:
        """Whether it is of a class, or is one, that tests define or give away with all it has."""
        kind = subject if isinstance(subject, type) else type(subject)
        if issubclass(kind, unittest.TestCase):
            return False
        return not self.is_plain(kind) or isinstance(subject, _OPEN_CLASSES)

    def is_plain(self, kind: type) -> bool:
        """Objects of classes that tests define stay here, whatever they are made from."""
        file = getattr(sys.modules.get(kind.__module__), "__file__", None) or ""
        return not file.startswith(TESTS)

    def refer(self, value: Any, codec: Codec) -> list[Any]:
        """A handle; but a module of both sides would lead to everything."""
        if isinstance(value, ModuleStandIn):
            return ["g", number_of(value.__dict__["__program__"])]
        return super().refer(value, codec)


class ModuleStandIn(ModuleType):
    """The program's module, as test code imports it."""

    def __getattr__(self, name: str) -> Any:
        program = self.__dict__["__program__"]
        if name == "__all__":
            return getattr(program, "__all__", None) or _names(program)
        if name.startswith("__") and name != "__doc__":
            raise AttributeError(name)
        return getattr(program, name)

    def __setattr__(self, name: str, value: Any) -> None:
        if name.startswith("__"):
            super().__setattr__(name, value)
        else:
            setattr(self.__dict__["__program__"], name, value)

    def __delattr__(self, name: str) -> None:
        delattr(self.__dict__["__program__"], name)


def _is_made(one: Any) -> bool:
    """Whether the test made it by calling its class, and has had it to itself since."""
    is_object = is_remote(one) and not isinstance(one, type)
    return is_object and "_is_made" in object.__getattribute__(one, "__dict__")


def _names(program: Any) -> Any:
    ends, number = object.__getattribute__(program, "__dict__")["_place"]
    return ends.request("names", number)


class ProgramFinder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds the program wherever test code, and nobody else, imports what does not exist."""

    def __init__(self, judge: Judge) -> None:
        self._judge = judge

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """The last to be asked."""
        if path is not None or not _is_asked_by_tests():
            return None
        if fullname in FOREIGN or fullname in sys.stdlib_module_names:
            self._judge.missing = fullname
            return None
        return importlib.util.spec_from_loader(fullname, self)

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType:
        """The program under this name."""
        module = ModuleStandIn(spec.name)
        module.__dict__["__program__"] = self._judge.module(spec.name)
        return module

    def exec_module(self, module: ModuleType) -> None:
        """It has been, over there."""


def _is_asked_by_tests() -> bool:
    frame = sys._getframe(2)
    while frame is not None and "importlib" in frame.f_code.co_filename:
        frame = frame.f_back  # type: ignore[assignment]
    return frame is not None and frame.f_code.co_filename.startswith(TESTS)


@dataclass(frozen=True, slots=True)
class Code:
    """Test code, and how to run it."""

    source: bytes
    file: str
    entry_point: str | None
    is_fail_fast: bool
    """Whether nothing can change after the first test that did not pass."""


def undefined_names(source: bytes, file: str) -> list[str]:
    """Global names that code reads, and that neither it nor Python defines."""
    top = symtable.symtable(source.decode("utf-8", "replace"), file, "exec")
    defined = {
        name.get_name() for name in top.get_symbols() if name.is_assigned() or name.is_imported()
    }
    read, tables = set(), [top]
    for table in tables:
        tables += table.get_children()
        for name in table.get_symbols():
            if name.is_referenced() and (name.is_global() or table is top):
                read.add(name.get_name())
    return sorted(read - defined - set(vars(builtins)))


def program_names(judge: Judge, code: Code) -> dict[str, Any]:
    """What of the test code's undefined names the program defines."""
    found = {}
    wanted = undefined_names(code.source, code.file)
    if code.entry_point is not None and "." not in code.entry_point:
        found[code.entry_point] = judge.find(code.entry_point)
    program = judge.module("solution") if wanted else None
    lacking = 0
    for name in wanted:
        if name not in found and not name.startswith("__"):
            try:
                found[name] = getattr(program, name)
            except AttributeError:  # the test code will say so, if it ever gets there
                lacking += 1
    judge.uses = lacking + sum(not is_remote(value) for value in found.values())
    return found
