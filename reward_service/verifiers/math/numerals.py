"""Digits to exact numbers."""

from flint import fmpq, fmpz

from reward_service.verifiers.math.tree import Num, Unreadable

MAX_DIGITS = 20_000


def number(text: str) -> Num:
    """The number that `text` (digits, maybe a point, maybe e-5) writes."""
    mantissa, _, exponent = text.lower().partition("e")
    whole, _, fraction = mantissa.partition(".")
    power = int(exponent or 0) - len(fraction)
    if len(mantissa) > MAX_DIGITS or abs(power) > MAX_DIGITS:
        raise Unreadable("too_many_digits", is_final=True)
    digits = fmpz(whole + fraction)
    ten = fmpz(10) ** abs(power)
    return Num(fmpq(digits * ten) if power >= 0 else fmpq(digits, ten), text)


def repeating(text: str, period: str) -> Num:
    """`text` (a decimal) followed by `period` for ever: 0.1 and 6 are one sixth."""
    decimals = len(text.partition(".")[2])
    scale = fmpz(10) ** decimals * (fmpz(10) ** len(period) - 1)
    return Num(number(text).value + fmpq(fmpz(period), scale), f"{text}({period})")
