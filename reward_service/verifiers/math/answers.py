"""
The grammar of whole answers: lists, sets, intervals, relations, matrices.

It sits on top of the expression parser. What has no shape here is Unreadable.
"""

from reward_service.verifiers.math.parser import Parser
from reward_service.verifiers.math.tokens import Token, tokenize
from reward_service.verifiers.math.tree import (
    Expr,
    Group,
    Matrix,
    Node,
    Num,
    Op,
    Ratio,
    Relation,
    Seq,
    SetOf,
    SetOp,
    Sym,
    Unreadable,
)
from reward_service.verifiers.math.vocabulary import (
    BARS,
    CLOSING,
    MATRICES,
    OPENING,
    RELATIONS,
    SET_SIGNS,
)

MAX_HEIGHT = 120
"""Levels of one tree; every recursion over a tree stays within Python's limit."""

_SEPARATORS = frozenset({",", ";", "\\\\"})
_IFS = frozenset({"if", "for", "when", "where", "otherwise if"})


def parse_answer(text: str, *, thousands: bool) -> Node:
    """The shape of cleaned `text`, unit taken off; raises Unreadable."""
    tokens = _without_outer_brackets(tokenize(text, thousands=thousands))
    parser = AnswerParser(tokens, text)
    node = parser.answer()
    _check_height(node)
    return node


def _without_outer_brackets(tokens: list[Token]) -> list[Token]:
    """Takes off pairs of brackets around the whole, however many, without recursion."""
    match = _matching(tokens)
    first, last = 0, len(tokens) - 1
    while first < last and tokens[first].text in ("(", "{") and match.get(first) == (last, False):
        first, last = first + 1, last - 1
    return tokens[first : last + 1] if first <= last else tokens


def _matching(tokens: list[Token]) -> dict[int, tuple[int, bool]]:
    """For each opening bracket: its closing one, and whether a separator stands between."""
    found: dict[int, tuple[int, bool]] = {}
    stack: list[list[int]] = []
    for place, token in enumerate(tokens):
        if token.kind not in ("sign", "cmd", "join", "env"):
            continue
        if token.text in OPENING or token.text == "{":
            stack.append([place, 0])
        elif (token.text in CLOSING or token.text == "}") and stack:
            opening, separators = stack.pop()
            found[opening] = (place, separators > 0)
        elif token.text in _SEPARATORS and token.text != "\\\\" and stack:
            stack[-1][1] += 1
    return found


def _check_height(node: Node) -> None:
    level: list[object] = [node]
    for _ in range(MAX_HEIGHT):
        level = [child for item in level for child in _children(item)]
        if not level:
            return
    raise Unreadable("too_deep", is_final=True)


def _children(node: object) -> tuple[object, ...]:
    if isinstance(node, Op):
        return node.args
    if isinstance(node, Group | Seq | SetOf):
        return node.items
    if isinstance(node, Relation):
        return node.sides
    if isinstance(node, SetOp):
        return (node.left, node.right)
    return ()


class AnswerParser(Parser):
    """Expressions and the shapes around them."""

    def __init__(self, tokens: list[Token], text: str) -> None:
        super().__init__(tokens, text)
        self.match = _matching(tokens)

    def answer(self) -> Node:
        """The whole answer, to the last token."""
        node = self._list(frozenset())
        if self.peek.kind != "end":
            raise Unreadable("trailing_tokens")
        return node

    def _list(self, stops: frozenset[str]) -> Node:
        items = [self._relation()]
        joiner = ","
        while self.peek.text in _SEPARATORS or self.peek.kind == "join":
            while self.peek.text in _SEPARATORS or self.peek.kind == "join":
                token = self.take()
                joiner = token.text if token.kind == "join" else joiner
            if self.peek.kind == "end" or self.peek.text in stops:
                break
            items.append(self._relation())
        if len(items) == 1:
            return items[0]
        return _shared_name(items, joiner) or Seq(tuple(items), joiner)

    def _relation(self) -> Node:
        sides = [self._side()]
        signs: list[str] = []
        while self.peek.kind in ("sign", "cmd") and self.peek.text in RELATIONS:
            signs.append(RELATIONS[self.take().text])
            sides.append(self._side())
        return Relation(tuple(signs), tuple(sides)) if signs else sides[0]

    def _side(self) -> Node:
        left = self._operand()
        while self.peek.text in SET_SIGNS:
            sign = SET_SIGNS[self.take().text]
            left = SetOp(sign, _as_set(left), _as_set(self._operand()))
        if self.peek.text == ":" and isinstance(left, Num | Sym | Op):
            return self._ratio(left)
        return left

    def _ratio(self, first: Expr) -> Ratio:
        parts = [first]
        while self.accept(":"):
            parts.append(self.expression())
        return Ratio(tuple(parts), self.text.replace(" ", ""))

    def _operand(self) -> Node:
        token = self.peek
        if token.kind == "env":
            return self._matrix()
        if token.kind in ("text", "word") and self._names_a_side():
            return Sym(f"text {self.take().text}")
        if token.text in ("\\ldots", "\\dots", "\\cdots"):
            self.take()
            return Sym("…")
        if token.kind in ("sign", "cmd") and (token.text in OPENING or token.text == "{"):
            shape = self._bracketed(token)
            if shape is not None:
                return shape
        return self.expression()

    def _names_a_side(self) -> bool:
        ahead = self.tokens[self.at + 1 : self.at + 2]
        return bool(ahead) and ahead[0].text == "="

    def _bracketed(self, token: Token) -> Node | None:
        """A tuple, interval, set or bracketed matrix; None where it is only a parenthesis."""
        if self.at not in self.match:
            raise Unreadable("unbalanced", is_final=True)
        closing, has_separator = self.match[self.at]
        end = self.tokens[closing].text
        if token.text == "\\{":
            return self._set(closing)
        if self.tokens[self.at + 1].kind == "env":
            self.take()
            matrix = self._matrix()
            self.expect(end)
            return matrix
        if not has_separator:
            return self._nested_set(closing) if token.text == "(" else None
        if token.text == "{":
            return self._set(closing)
        self.take()
        items = self._items(closing)
        return Group(_plain(token.text), _plain(end), tuple(items))

    def _nested_set(self, closing: int) -> Node | None:
        if not any(token.text in SET_SIGNS for token in self.tokens[self.at : closing]):
            return None
        self.take()
        node = self._side()
        if self.at != closing:
            raise Unreadable("unexpected_token")
        self.take()
        return node

    def _items(self, closing: int) -> list[Node]:
        self.depth += 1
        if self.depth > 48:
            raise Unreadable("too_deep", is_final=True)
        items: list[Node] = []
        while self.at < closing:
            items.append(self._relation())
            if self.at < closing and self.peek.text not in _SEPARATORS and self.peek.kind != "join":
                raise Unreadable("unexpected_token")
            while self.at < closing and (self.peek.text in _SEPARATORS or self.peek.kind == "join"):
                self.take()
        self.take()
        self.depth -= 1
        return items

    def _set(self, closing: int) -> Node:
        self.take()
        for place in range(self.at, closing):
            if self.tokens[place].text in (*BARS, ":") and self._is_builder(place):
                self.at = place + 1
                condition = self._list(frozenset({"\\}", "}"}))
                if self.at != closing:
                    raise Unreadable("set_builder")
                self.take()
                return condition
        return SetOf(tuple(self._items(closing)))

    def _is_builder(self, bar: int) -> bool:
        before = self.tokens[self.at : bar]
        names = before[0].kind == "id" if before else False
        return names and (len(before) == 1 or before[1].text in ("\\in", "_"))

    def _matrix(self) -> Node:
        name = self.take().text.removeprefix("begin ")
        if name not in MATRICES and name != "cases":
            raise Unreadable("environment")
        rows: list[tuple[Node, ...]] = []
        row: list[Node] = []
        while True:
            if self.accept("\\hline"):
                continue
            if self.peek.kind == "env" and self.peek.text == f"end {name}":
                break
            self._skip_condition_word(name)
            row.append(self._relation())
            self._skip_condition_word(name)
            if self.accept("&"):
                continue
            rows.append(tuple(row))
            row = []
            if not self.accept("\\\\") and self.peek.kind != "env":
                raise Unreadable("matrix")
        self.take()
        return _cases(rows) if name == "cases" else Matrix(tuple(rows))

    def _skip_condition_word(self, name: str) -> None:
        while name == "cases" and (self.peek.text == "," or self.peek.text.strip(" ,") in _IFS):
            self.take()


def _plain(bracket: str) -> str:
    return {"\\lbrack": "[", "\\rbrack": "]", "\\langle": "(", "\\rangle": ")"}.get(
        bracket, bracket
    )


def _cases(rows: list[tuple[Node, ...]]) -> Node:
    """A system of equations, or values with their conditions; the order of lines is free."""
    if all(len(row) == 1 for row in rows):
        return Seq(tuple(row[0] for row in rows), "and")
    return SetOf(tuple(Group("(", ")", row) for row in rows))


def _as_set(node: Node) -> Node:
    """`{2}` beside a set sign is a set, though TeX shows no braces."""
    return SetOf((node,)) if isinstance(node, Num | Op) else node


def _shared_name(items: list[Node], joiner: str) -> Node | None:
    """`x = 1, 2` says x = 1 and x = 2."""
    first = items[0]
    if not isinstance(first, Relation) or first.signs not in (("=",), ("∈",)):
        return None
    if any(isinstance(item, Relation) for item in items[1:]):
        return None
    values = Seq((first.sides[1], *items[1:]), joiner)
    return Relation(("=",), (first.sides[0], values))
