r"""
Tokens to expressions: a Pratt parser for the LaTeX that answers are written in.

It reads what TeX would show: `\frac12` is a half. Where writers and TeX disagree
about what is shown, as in `\pi x^10`, it refuses. Whatever it does
not know is Unreadable, which leaves the pair undecided; it never guesses.
"""

from flint import fmpq

from reward_service.verifiers.math.cursor import Cursor
from reward_service.verifiers.math.numerals import number, repeating
from reward_service.verifiers.math.tokens import Token
from reward_service.verifiers.math.tree import Expr, Num, Op, Sym, Unreadable
from reward_service.verifiers.math.vocabulary import (
    BARS,
    CALLABLE,
    FENCES,
    FUNCTIONS,
    OPENING,
    OPERANDS,
    PRODUCT_SIGNS,
    SPELLINGS,
    SYMBOLS,
)

MAX_DEPTH = 48
_NO_MARKUP = str.maketrans("", "", "{} \\")
_SUM, _PRODUCT, _NEGATION, _POWER = 10, 20, 30, 40  # binding powers
_STARTS_OPERAND = frozenset({"num", "id", "func", "sym"})
_OPERAND_COMMANDS = frozenset("\\" + name for name in (*FUNCTIONS, *SPELLINGS, *SYMBOLS, *OPERANDS))


def _chain(name: str, left: Expr, right: Expr) -> Op:
    """Sums and products are flat, so that long ones are not deep."""
    if isinstance(left, Op) and left.name == name:
        return Op(name, (*left.args, right))
    return Op(name, (left, right))


def _starts_function(token: Token) -> bool:
    return token.kind == "func" or token.text[1:] in FUNCTIONS or token.text[1:] in SPELLINGS


class Parser(Cursor):
    """Reads expressions; `answers.py` builds lists, sets and relations on top."""

    def expression(self, power: int = 0) -> Expr:
        """An expression whose operators bind tighter than `power`."""
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise Unreadable("too_deep", is_final=True)
        left = self._prefix()
        while (found := self._infix(left, power)) is not None:
            left = found
        self.depth -= 1
        return left

    def _infix(self, left: Expr, power: int) -> Expr | None:
        token = self.peek
        sign = token.text if token.kind in ("sign", "cmd") else ""
        if sign in ("+", "-") and power < _SUM:
            self.take()
            right = self.expression(_SUM)
            return _chain("+", left, right if sign == "+" else Op("neg", (right,)))
        if sign in ("\\pm", "\\mp") and power < _SUM:
            self.take()
            return Op(sign[1:], (left, self.expression(_SUM)))
        if sign in PRODUCT_SIGNS and power < _PRODUCT:
            return self._product(left, PRODUCT_SIGNS[sign])
        if sign in ("\\bmod", "\\pmod", "\\mod") and power < _PRODUCT:
            raise Unreadable("modulus")
        if sign in ("\\choose", "\\over") and power == 0:
            self.take()
            return Op("binom" if sign == "\\choose" else "/", (left, self.expression()))
        if power < _PRODUCT and self._starts_operand(token):
            return self._juxtaposed(left)
        return None

    def _product(self, left: Expr, sign: str) -> Expr:
        self.take()
        if sign == "*" and self.accept("*"):  # Python's power
            return Op("^", (left, self.expression(_POWER)))
        right = self.expression(_PRODUCT)
        return Op("/", (left, right)) if sign == "/" else _chain("*", left, right)

    def _starts_operand(self, token: Token) -> bool:
        if token.kind in _STARTS_OPERAND:
            return True
        if token.kind == "cmd":
            return token.text in _OPERAND_COMMANDS or (token.text in BARS and self.bars == 0)
        if token.kind == "sign":
            return token.text in ("(", "[", "{") or (token.text == "|" and self.bars == 0)
        return False

    def _juxtaposed(self, left: Expr) -> Expr:
        token = self.peek
        if token.kind == "num" and isinstance(left, Num):
            return self._mixed_number(left, plain=True)
        if token.kind == "num" and isinstance(left, Op) and left.name in ("/", "deg", "percent"):
            raise Unreadable("adjacent_numbers", is_final=True)
        if token.text == "\\frac" and isinstance(left, Num) and "." not in left.text:
            return self._mixed_number(left, plain=False)
        return _chain("*", left, self.expression(_PRODUCT))

    def _mixed_number(self, whole: Num, *, plain: bool) -> Expr:
        """`1\\frac12` and `1 1/2` are three halves; anything else beside a number is a factor."""
        spaced = self.peek.spaced
        part = self._slash_fraction() if plain else self._postfix(self._atom(), is_atom=True)
        if isinstance(part, Op) and part.name == "/" and len(part.args) == 2:
            top, bottom = part.args
            if isinstance(top, Num) and isinstance(bottom, Num) and top.value < bottom.value:
                return Op("+", (whole, part)) if spaced or not plain else self._refuse_adjacent()
        if plain:
            self._refuse_adjacent()
        return Op("*", (whole, part))

    def _slash_fraction(self) -> Expr:
        top = number(self.take().text)
        if not self.accept("/") or self.peek.kind != "num":
            self._refuse_adjacent()
        return Op("/", (top, number(self.take().text)))

    @staticmethod
    def _refuse_adjacent() -> Expr:
        raise Unreadable("adjacent_numbers", is_final=True)

    def _prefix(self) -> Expr:
        if self.accept("-"):
            value = self.expression(_NEGATION - 1)
            if isinstance(value, Num) and (self.peek.kind == "num" or self.peek.text == "\\frac"):
                value = self._juxtaposed(value)  # minus before a mixed number is for all of it
            return Op("neg", (value,))
        if self.accept("+"):
            return self.expression(_NEGATION - 1)
        if self.peek.text in ("\\pm", "\\mp"):
            name = self.take().text[1:]
            return Op(name, (Num(fmpq(0), "0"), self.expression(_NEGATION - 1)))
        return self._postfix(self._atom())

    def _postfix(self, left: Expr, *, is_atom: bool = False) -> Expr:
        while True:
            if self.peek.text == "^" and self.peek.kind == "sign":
                left = self._power(left)
            elif self.accept("!"):
                left = Op("!!" if self.accept("!") else "!", (left,))
            elif self.accept("\\%") or self.accept("%"):
                left = Op("percent", (left,))
            elif self.accept("'") or self.accept("\\prime"):
                left = Op("prime", (left,))
            elif isinstance(left, Num) and self.peek.text == "_":
                raise Unreadable("subscripted_number", is_final=True)
            elif is_atom or not (self.peek.text == "_" and isinstance(left, Sym)):
                return left
            else:
                left = self.subscripted(left)

    def _power(self, left: Expr) -> Expr:
        self.take()
        if self.accept("\\circ") or self.accept_all("{", "\\circ", "}"):
            return Op("deg", (left,))
        exponent = self.argument(is_power=True)
        if isinstance(left, Sym) and self.peek.text == "_":
            return Op("^", (self.subscripted(left), exponent))
        if isinstance(left, Op) and left.name == "^":
            raise Unreadable("double_superscript")
        return Op("^", (left, exponent))

    def subscripted(self, symbol: Sym) -> Sym:
        """The symbol with the subscript that follows, taken as text."""
        self.take()
        name = self.raw_argument().translate(_NO_MARKUP)
        return Sym(f"{symbol.name}_{name.removeprefix('text').removeprefix('mathrm')}")

    def argument(self, *, is_power: bool = False) -> Expr:
        """One argument of a TeX command: a group, or a single digit, letter or command."""
        if self.accept("{"):
            if self.accept("}"):
                raise Unreadable("empty_argument", is_final=True)
            value = self.expression()
            self.expect("}")
            return value
        token = self.peek
        if token.kind == "num" and len(token.text) > 1:
            return self._one_digit(token, is_power=is_power)
        if is_power and token.text == "-":
            self.take()
            return Op("neg", (self.argument(is_power=True),))
        if is_power and token.text == "(":
            return self._atom()
        if token.kind == "num" or token.kind == "id" or token.kind in ("cmd", "sym"):
            return self._atom()
        raise Unreadable("missing_argument")

    def _one_digit(self, token: Token, *, is_power: bool) -> Expr:
        is_tex = "\\" in self.text or "{" in self.text
        if is_power and token.text.isdigit() and not is_tex:
            self.take()
            return number(token.text)
        if is_power or not token.text.isdigit():
            raise Unreadable("ambiguous_argument", is_final=is_power)
        self.tokens[self.at] = Token("num", token.text[1:], token.start + 1, spaced=False)
        return number(token.text[0])

    def _atom(self) -> Expr:
        token = self.take()
        if token.kind == "num":
            return self._number(token)
        if token.kind == "sym":
            return Sym(token.text)
        if token.kind == "id":
            return self._letter(token)
        if token.kind == "func":
            return self._function(token.text)
        if token.kind == "cmd":
            return self._command(token.text)
        if token.kind == "sign":
            return self._sign(token.text)
        raise Unreadable(
            "word_in_expression" if token.kind in ("word", "text") else "unexpected_end"
        )

    def _number(self, token: Token) -> Expr:
        if self.peek.text not in ("\\overline", "\\dot", "\\bar") or "." not in token.text:
            return number(token.text)
        self.take()
        self.expect("{")
        period = self.take().text
        self.expect("}")
        if not period.isdigit() or self.peek.kind == "num":
            raise Unreadable("repeating_decimal")
        return repeating(token.text, period)

    def _letter(self, token: Token) -> Expr:
        symbol = Sym(token.text)
        name = token.text
        while self.peek.text == "'" and name in CALLABLE:
            self.take()
            symbol = Sym(symbol.name + "'")
        if self.peek.text == "_":
            symbol = self.subscripted(symbol)
        if name in CALLABLE and self._opens_call():
            return self._call(symbol.name)
        return symbol

    def _opens_call(self) -> bool:
        ahead = [token.text for token in self.tokens[self.at : self.at + 2]]
        return ahead[:1] == ["("] or ahead == ["{", "("]

    def _call(self, name: str) -> Expr:
        if self.accept("{"):
            call = self._call(name)
            self.expect("}")
            return call
        self.take()
        arguments = [self.expression()]
        while self.accept(","):
            arguments.append(self.expression())
        self.expect(")")
        return Op(f"call {name}", tuple(arguments))

    def _sign(self, sign: str) -> Expr:
        if sign == "{":
            value = self.expression()
            self.expect("}")
            return value
        if sign in OPENING and sign != "\\{":
            bars, self.bars = self.bars, 0
            value = self.expression()
            self.bars = bars
            if not (self.accept(OPENING[sign]) or self.accept("\\rbrack")):
                raise Unreadable("unbalanced_bracket")
            return value
        if sign == "|":
            return self._absolute()
        raise Unreadable("unexpected_sign")

    def _absolute(self) -> Expr:
        self.bars += 1
        value = self.expression()
        self.bars -= 1
        if self.peek.text not in BARS:
            raise Unreadable("unbalanced_bars")
        self.take()
        return Op("abs", (value,))

    def _command(self, command: str) -> Expr:
        name = command[1:]
        if name in SPELLINGS or name in FUNCTIONS:
            return self._function(SPELLINGS.get(name, name))
        if name in SYMBOLS:
            return Sym(SYMBOLS[name])
        if name == "frac":
            top = self.argument()
            return Op("/", (top, self.argument()))
        if name == "sqrt":
            return self._root()
        if name in ("binom", "dbinom", "tbinom"):
            top = self.argument()
            return Op("binom", (top, self.argument()))
        if command in FENCES:
            closing, function = FENCES[command]
            value = self.expression()
            self.expect(closing)
            return Op(function, (value,))
        if command in BARS:
            return self._absolute()
        if name in ("sum", "prod"):
            return self._big_operator(name)
        if name in ("overline", "bar", "vec", "hat", "angle", "triangle"):
            return self._decorated(name)
        if command in ("\\lbrack", "\\{"):
            return self._sign(command)
        raise Unreadable("unknown_command")

    def _decorated(self, name: str) -> Expr:
        """A name with a mark; what stands under the mark is only a name here."""
        if name in ("angle", "triangle"):
            letters = ""
            while self.peek.kind == "id" and len(letters) < 4:
                letters += self.take().text
            return Sym(f"{name}_{letters}")
        return Sym(f"{name}_{self.raw_argument().translate(_NO_MARKUP)}")

    def _root(self) -> Expr:
        index: Expr | None = None
        if self.peek.text == "[" and not self.peek.spaced:
            self.take()
            index = self.expression()
            self.expect("]")
        if self.peek.kind == "num" and len(self.peek.text) > 1:
            raise Unreadable("ambiguous_argument")
        radicand = self.argument()
        return Op("root", (radicand, index if index is not None else Num(fmpq(2), "2")))

    def _function(self, name: str) -> Expr:
        if name == "sqrt":
            return Op("root", (self._bracketed_arguments()[0], Num(fmpq(2), "2")))
        name = SPELLINGS.get(name, name)
        base = power = None
        while self.peek.text in ("_", "^") and self.peek.kind == "sign":
            if self.take().text == "_":
                base = self.argument()
            elif self.accept("\\circ"):
                raise Unreadable("unexpected_sign")
            else:
                power = self.argument(is_power=True)
        return self._applied(name, base, power)

    def _applied(self, name: str, base: Expr | None, power: Expr | None) -> Expr:
        if power is not None and isinstance(power, Op) and power.name == "neg":
            raise Unreadable("inverse_function")  # sin^{-1} is arcsin to some and csc to others
        if self.peek.text in ("(", "["):
            arguments = self._bracketed_arguments()
        elif self.peek.text == "{":
            arguments = (self.argument(),)
        else:
            arguments = (self._open_argument(),)
        if name in ("log", "lg"):
            name, arguments = "log", (*arguments, base if base is not None else Num(fmpq(10), "10"))
        elif base is not None:
            raise Unreadable("unexpected_subscript")
        value = Op(name, arguments)
        return value if power is None else Op("^", (value, power))

    def _bracketed_arguments(self) -> tuple[Expr, ...]:
        opening = self.take().text
        if opening not in OPENING:
            raise Unreadable("missing_argument")
        bars, self.bars = self.bars, 0
        arguments = [self.expression()]
        while self.accept(","):
            arguments.append(self.expression())
        self.bars = bars
        self.expect(OPENING[opening])
        return tuple(arguments)

    def _open_argument(self) -> Expr:
        """`\\sin 2x` takes factors up to the next sign or function."""
        sign = self.accept("-")
        value = self._postfix(self._atom())
        while self._starts_operand(self.peek) and not _starts_function(self.peek):
            if self.peek.kind == "num" or self.peek.text in ("(", "["):
                break
            value = Op("*", (value, self._postfix(self._atom())))
        return Op("neg", (value,)) if sign else value

    def _big_operator(self, name: str) -> Expr:
        lower = upper = variable = None
        while self.peek.text in ("_", "^"):
            if self.take().text == "^":
                upper = self.argument(is_power=True)
                continue
            self.expect("{")
            variable = self.take()
            self.expect("=")
            lower = self.expression()
            self.expect("}")
        if lower is None or upper is None or variable is None or variable.kind != "id":
            raise Unreadable("big_operator")
        body = self.expression(_PRODUCT - 1)
        return Op(name, (body, Sym(variable.text), lower, upper))
