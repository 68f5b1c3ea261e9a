"""
One end of a conversation in which either side uses objects of the other.

While a side waits for its answer it serves what the other one asks, so a function that a test hands
to the program can be called by it, and can call back in turn.
"""

import asyncio
import builtins
import copy
import sys
import threading
from typing import Any

from sandbox.agent.codec import Codec
from sandbox.agent.forms import BadValue
from sandbox.agent.link import Link, LinkBroken
from sandbox.agent.remote import SPECIAL, is_remote, number_of, remote_class, stand_in

MAX_NESTING = 150
"""Requests within requests; a recursive function that crosses at every call gets this deep."""

_AWAITED = ("coroutine", "async_generator_asend", "async_generator_athrow")
"""Classes of what `await` takes."""

_SENSELESS = (BadValue, TypeError, ValueError, LookupError, AttributeError, ArithmeticError)
"""What reading a message may raise that was written to be misread."""


class Peer:
    """Asks and serves. What is served to whom is decided by the two sides' subclasses."""

    resolves_names = False

    def __init__(self) -> None:
        self.link = Link()
        self.last_raised: BaseException | None = None
        """The last exception that came from the other side."""
        self._lock = threading.RLock()
        self._nesting = 0
        self._objects: list[Any] = []  # ours, known to the other side by their places here
        self._numbers: dict[int, int] = {}
        self._stand_ins: dict[int, Any] = {}
        self._classes: dict[int, type] = {}
        self._event_loop: asyncio.AbstractEventLoop | None = None
        self._undescribed: list[Any] = []  # classes that the next message has to explain

    # ---- asking

    def request(self, operation: str, target: int, *arguments: Any, **keywords: Any) -> Any:
        """Have the other side do something with an object of its own."""
        with self._lock:
            codec = Codec(self)
            body = [codec.encode(arguments), codec.encode(keywords)]
            self._send(["q", operation, target, *body])
            while True:
                message = self._receive()
                if message[0] == "q":
                    self._serve(message)
                else:
                    return self._taken(message, codec)

    def _taken(self, message: list[Any], codec: Codec) -> Any:
        try:
            kind, changes, form = message
            codec.apply(changes)
            value = codec.decode(form)
        except _SENSELESS as error:
            raise self.link.broken(f"an answer that makes no sense: {error}") from None
        if kind == "x" and isinstance(value, BaseException):
            self.last_raised = value
            raise value
        if kind != "r":
            raise self.link.broken("an answer of no known form")
        return value

    def forget(self, ours: int, theirs: int) -> None:
        """Go back to when so many objects of either side had been referred to."""
        for value in self._objects[ours:]:
            del self._numbers[id(value)]
        del self._objects[ours:]
        self._stand_ins = {n: value for n, value in self._stand_ins.items() if n < theirs}
        self._classes = {n: kind for n, kind in self._classes.items() if n < theirs}

    # ---- serving

    def _serve(self, message: list[Any]) -> None:
        codec = Codec(self)
        try:
            _, operation, target, *body = message
            arguments, keywords = map(codec.decode, body)
            subject = self._objects[target] if target >= 0 else None
        except _SENSELESS as error:
            raise self.link.broken(f"a request that makes no sense: {error}") from None
        codec.remember()
        kind, value = self._attempt(operation, subject, arguments, keywords)
        try:
            answer = [kind, codec.changes(), codec.encode(value)]
        except ValueError as error:
            answer = ["x", [], Codec(self).encode(error)]
        self._send(answer)

    def _attempt(
        self, operation: str, subject: Any, arguments: tuple[Any, ...], keywords: dict[str, Any]
    ) -> tuple[str, Any]:
        if self._nesting >= MAX_NESTING:
            return "x", RecursionError("too many calls between test and program within each other")
        self._nesting += 1
        try:
            return "r", self.perform(operation, subject, arguments, keywords)
        except LinkBroken:
            raise
        except BaseException as error:
            return "x", error
        finally:
            self._nesting -= 1

    def perform(
        self, operation: str, subject: Any, arguments: tuple[Any, ...], keywords: dict[str, Any]
    ) -> Any:
        """Do what the other side asks, with an object of ours."""
        match operation:
            case "call":
                return subject(*arguments, **keywords)
            case "get":
                return getattr(subject, *arguments)
            case "set":
                return setattr(subject, *arguments)
            case "del":
                return delattr(subject, *arguments)
            case "op" if arguments[0] in SPECIAL:
                return _special_method(subject, arguments[0])(*arguments[1:])
            case "copy" | "deepcopy":
                return getattr(copy, operation)(subject)
            case "await":
                return self._loop().run_until_complete(_awaited(subject))
        raise AttributeError(f"nothing is known of {operation}")

    # ---- the wire

    def _send(self, message: list[Any]) -> None:
        described, self._undescribed = self._undescribed, []
        self.link.send([*message, described, self.printed()])

    def _receive(self) -> list[Any]:
        try:
            *message, described, printed = self.link.receive()
            for description in described:
                self._learn(*description)
        except _SENSELESS as error:
            raise self.link.broken(f"a class that makes no sense: {error}") from None
        self.show(printed)
        return message

    def printed(self) -> str:
        """What was written to `sys.stdout` here and should be seen over there."""
        return ""

    def show(self, text: Any) -> None:
        """Print what was written over there."""
        if type(text) is not str:
            raise self.link.broken("a text that is none")
        if text and sys.stdout is not None:
            sys.stdout.write(text)

    # ---- objects

    def refer(self, value: Any, codec: Codec) -> list[Any]:
        """A handle for an object, of ours or of the other side."""
        if is_remote(value):
            return ["g", number_of(value)]
        if isinstance(value, type):
            return ["H", self._class_number(value)]
        handle = ["h", self._number(value), self._class_number(type(value))]
        if isinstance(value, BaseException):
            handle.append(codec.encode(BaseException.args.__get__(value)))  # type: ignore[attr-defined]
        return handle

    def _number(self, value: Any) -> int:
        if id(value) not in self._numbers:
            self._numbers[id(value)] = len(self._objects)
            self._objects.append(value)
        return self._numbers[id(value)]

    def _class_number(self, kind: type) -> int:
        if id(kind) not in self._numbers:
            number = self._number(kind)
            name = kind.__name__ if kind.__name__.isidentifier() else "Unnamed"
            special = [method for method in SPECIAL if _is_own(kind, method)]
            # Its bases are described first: the list is still without it.
            self._undescribed.append([number, name, self._bases(kind), special])
        return self._numbers[id(kind)]

    def _bases(self, kind: type) -> list[Any]:
        """Numbers of the bases, and names of built-in exceptions among them."""
        found: list[Any] = []
        for base in kind.__bases__:
            if issubclass(base, BaseException) and base.__module__ == "builtins":
                found.append(base.__name__)
            elif base.__module__ == kind.__module__ and base is not object:
                found.append(self._class_number(base))
            else:
                found += self._bases(base)
        return list(dict.fromkeys(found))

    def resolve(self, form: list[Any], codec: Codec) -> Any:
        """What a handle stands for."""
        match form:
            case ["g", int(number)] if number >= 0:
                return self._objects[number]
            case ["H", int(number)]:
                return self._classes[number]
            case ["h", int(number), int(kind), *arguments]:
                if number not in self._stand_ins:
                    values = codec.decode(arguments[0]) if arguments else ()
                    self._stand_ins[number] = stand_in(self, number, self._classes[kind], values)
                    if self._classes[kind].__name__ in _AWAITED:  # asyncio wants a real one
                        self._stand_ins[number] = self._waiting(number)
                return self._stand_ins[number]
        raise BadValue("a handle of no known form")

    def _loop(self) -> asyncio.AbstractEventLoop:
        """One for all that is awaited: an asynchronous generator lives in its loop."""
        if self._event_loop is None:
            self._event_loop = asyncio.new_event_loop()
        return self._event_loop

    async def _waiting(self, number: int) -> Any:
        """Runs to its end over there, where its event loop is."""
        return self.request("await", number)

    def _learn(self, number: int, name: str, bases: list[Any], special: list[str]) -> None:
        kinds = tuple(
            self._classes[base] if type(base) is int else _exception(base) for base in bases
        )
        self._classes.setdefault(number, remote_class(self, number, name, kinds, special))

    def is_plain(self, kind: type) -> bool:
        """Whether values of this subclass of a built-in type cross as their base's."""
        return True

    def equals(self, one: Any, other: Any) -> Any:
        """Ask the object over there."""
        return self.request("op", number_of(one), "__eq__", other)

    def may_operate(self, one: Any, operands: tuple[Any, ...]) -> bool:
        """Whether the other side's object may see these operands."""
        return True

    def made(self, one: Any, kind: Any) -> Any:
        """Note that this object was made by calling a class here."""
        return one


async def _awaited(subject: Any) -> Any:
    return await subject


def _defined(kind: type, name: str) -> Any:
    """What a class has by this name, its metaclass left out."""
    return next((vars(base)[name] for base in kind.__mro__ if name in vars(base)), None)


def _is_own(kind: type, name: str) -> bool:
    """Whether a class has a special method beyond what every object has."""
    found = _defined(kind, name)
    return found is not None and found is not vars(object).get(name)


def _special_method(subject: Any, name: str) -> Any:
    """Of an object, found as Python finds it: in the class, which may hold no function at all."""
    kind = type(subject)
    found = _defined(kind, name)
    if found is None:
        raise TypeError(f"{kind.__name__!r} object has no {name}")
    return found.__get__(subject, kind) if hasattr(type(found), "__get__") else found


def _exception(name: Any) -> type:
    kind = getattr(builtins, name)
    if not (isinstance(kind, type) and issubclass(kind, BaseException)):
        raise TypeError("a base that is no exception")
    return kind
