"""
The judge's side of a test: runs test code that finds stand-ins where it expects the program.

The program's module is whatever the test code imports that exists nowhere else. For what the test
code uses without defining it see `names`.
"""

import importlib.abc
import importlib.machinery
import importlib.util
import inspect
import io
import sys
import time
import unittest
import unittest.mock
from collections.abc import Sequence
from dataclasses import dataclass
from types import FunctionType, ModuleType, SimpleNamespace
from typing import Any

from sandbox.agent.codec import Codec
from sandbox.agent.peer import Peer
from sandbox.agent.remote import RemoteClass, is_remote, number_of

TESTS = "/box/"

_PACKAGES = """
    pandas scipy sympy sklearn torch tensorflow matplotlib networkx requests yaml hypothesis
    parameterized freezegun nose attr pydantic bs4 lxml PIL cv2 nltk
    assertpy hamcrest expects sure ddt testtools testfixtures deepdiff dirty_equals nose2
    pytest_check pytest_asyncio pytest_mock responses dateutil flask django aiohttp httpx
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
MAX_TALKING_S = 4.0
"""CPU time for all that the program says, which is less than a judge has in all."""
READING_S = 2e-7
"""CPU time that a byte of a message takes at most, once it is parsed."""

_OWN_METHODS = (FunctionType, classmethod, staticmethod)
"""What a class of the tests does stays what the tests say it does."""

_PREDICATES = frozenset(
    f"""
    startswith endswith issubset issuperset isdisjoint is_integer {
        " ".join(name for name in dir(str) if name.startswith("is"))
    }
    """.split()
)
"""What tests ask of texts, numbers and sets. An object that is none would only have to say yes."""

_MOCKS_OWN = ("configure_mock", "reset_mock", "attach_mock", "mock_add_spec")
"""What would let a program forge what it did with a mock."""

_NAMES = ("__name__", "__qualname__", "__module__", "__doc__")
"""What `functools.wraps` takes over from a function."""

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
        self.awaits_stop = False
        """Whether the tests name StopIteration: then they may get it from any call."""
        self._mark: tuple[int, int] | None = None
        self._is_talking = False
        self._talked_s = 0.0
        self._since = 0.0

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
        if operation == "get" and arguments[0] in _PREDICATES and is_object(one) and not was_made:
            raise TypeError(f"{arguments[0]} was asked of what is no text, number or set")
        try:
            found = self._timed(operation, target, *arguments, **keywords)
        except StopIteration:
            if self.awaits_stop or arguments[:1] == ("__next__",):
                raise
            # Else it would end the loop around a call, and with it the test.
            raise RuntimeError("the program raised StopIteration") from None
        # `x += 1` is still what the test made, and `x + y` is as good.
        if was_made and operation == "op" and type(found) is type(one):
            _note_made(found)
        if operation in ("get", "find") and isinstance(found, RemoteClass):
            _note_name(found, str(arguments[0]))
        return found

    def _timed(self, operation: str, target: int, *arguments: Any, **keywords: Any) -> Any:
        if self._is_talking:
            return super().request(operation, target, *arguments, **keywords)
        self._is_talking, self._since = True, time.process_time()
        try:
            return super().request(operation, target, *arguments, **keywords)
        finally:
            self._is_talking = False
            self._talked_s += time.process_time() - self._since

    def _receive(self) -> list[Any]:
        """The next message; one that would use up the judge's time is the program's fault."""
        message = super()._receive()
        talked_s = self._talked_s + time.process_time() - self._since
        if talked_s + self.link.last_size * READING_S > MAX_TALKING_S:
            raise self.link.broken("the program says more than its tests have time to read")
        return message

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

    def made(self, one: Any, kind: Any) -> Any:
        """Note it, if the tests know the class by a class's name.

        Else a program could put a class where a function should be, and learn from `f(2) - 4.0`
        what is expected.
        """
        if is_object(one) and type.__getattribute__(kind, "__dict__").get("_has_name"):
            _note_made(one)
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
                is_own = (name.startswith("_") and name not in _NAMES) or name in _MOCKS_OWN
                return is_open and not is_own
            case "set" | "del":
                name = str(arguments[0])
                is_mock = isinstance(subject, unittest.mock.NonCallableMock)
                is_method = isinstance(inspect.getattr_static(subject, name, None), _OWN_METHODS)
                return is_open and not is_mock and not is_method and not name.startswith("_")
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


def is_object(one: Any) -> bool:
    """Whether it stands for an object of the program that is no class."""
    return is_remote(one) and not isinstance(one, type)


def _is_made(one: Any) -> bool:
    """Whether the test made it by calling its class, and has had it to itself since."""
    return is_object(one) and "_is_made" in object.__getattribute__(one, "__dict__")


def _note_made(one: Any) -> None:
    object.__getattribute__(one, "__dict__")["_is_made"] = True


def _note_name(kind: RemoteClass, name: str) -> None:
    """A class that the tests know by some other name, too, counts as a function."""
    is_capitalized = name.rpartition(".")[2].lstrip("_")[:1].isupper() and "_" not in name.strip(
        "_"
    )
    has_name = type.__getattribute__(kind, "__dict__").get("_has_name", True)
    type.__setattr__(kind, "_has_name", has_name and is_capitalized)


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
