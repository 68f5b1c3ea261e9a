"""
Units: the suffix of an answer, what it measures, and by which factor.

Only a suffix is ever taken for a unit. A reference's suffix may be any words;
an answer's must be a unit known here or a plain noun, so that "7 or 8" and
"7 is wrong" stay what they are.
"""

import re
from dataclasses import dataclass

from flint import fmpq

_Table = dict[str, int | str | None]
_LENGTH: _Table = {
    "m": 1, "km": 1000, "dm": "1/10", "cm": "1/100", "mm": "1/1000", "nm": "1/1000000000",
    "in": "127/5000", "ft": "381/1250", "yd": "1143/1250", "mi": "201168/125",
}  # fmt: skip
_MASS: _Table = {
    "g": 1, "kg": 1000, "mg": "1/1000", "t": 1000000, "lb": "45359237/100000",
    "oz": "45359237/1600000",
}  # fmt: skip
_TIME: _Table = {
    "s": 1, "ms": "1/1000", "min": 60, "h": 3600, "day": 86400, "week": 604800, "month": None,
    "year": None,
}  # fmt: skip
_MONEY: _Table = {
    "dollar": 1, "cent": "1/100", "euro": None, "pound sterling": None, "yuan": None,
    "rupee": None, "peso": None, "yen": None,
}  # fmt: skip
_SINGLE = frozenset({"n", "unit", "hz", "v", "a", "pa", "k", "mol", "°c", "°f", "ohm"})
"""Units that are converted to no other one."""

_SPELLINGS = {
    "meter": "m", "metre": "m", "kilometer": "km", "kilometre": "km", "centimeter": "cm",
    "centimetre": "cm", "millimeter": "mm", "millimetre": "mm", "decimeter": "dm", "inch": "in",
    "inche": "in", "foot": "ft", "feet": "ft", "yard": "yd", "mile": "mi", "gram": "g", "gm": "g",
    "kilogram": "kg", "kilo": "kg", "ton": "t", "tonne": "t", "pound": "lb", "ounce": "oz",
    "second": "s", "sec": "s", "minute": "min", "hour": "h", "hr": "h", "day": "day",
    "liter": "l", "litre": "l", "milliliter": "ml", "millilitre": "ml", "radian": "rad",
    "joule": "j", "watt": "w", "newton": "n", "hertz": "hz", "volt": "v", "ampere": "a",
    "pascal": "pa", "kelvin": "k", "mole": "mol", "usd": "dollar", "buck": "dollar", "¢": "cent",
    "yr": "year", "gal": "gallon", "kmh": "km/h", "kph": "km/h",
    "mph": "mi/h", "rs": "rupee", "rupees": "rupee",
    "celsius": "°c", "fahrenheit": "°f", "degree celsius": "°c", "degree fahrenheit": "°f",
    "square unit": "unit^2", "cubic unit": "unit^3", "sq unit": "unit^2",
}  # fmt: skip
_ANGLES = frozenset({"degree", "deg", "°"})
_MULTIPLIERS = {"thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12}
_NO_UNITS = frozenset({
    "about", "all", "almost", "always", "and", "answer", "answers", "any", "approximately", "are",
    "as", "base", "be", "besides", "but", "choose", "correct", "cubed", "cubes", "divided", "does",
    "dozen", "dozens", "either", "else", "equals", "except", "factorial", "false", "fewer",
    "fifth", "fifths", "from", "gross", "guess", "half", "halves", "has", "hundred", "hundreds",
    "hundredth", "hundredths", "if", "incorrect", "is", "its", "less", "loses", "maybe", "minus",
    "mod", "modulo", "more", "multiplied", "nd", "nearly", "negative", "neither", "none", "nor",
    "not", "ones", "or", "others", "over", "pair", "pairs", "perhaps", "plus", "positive",
    "possibilities", "possibly", "power", "powers", "primes", "quarter", "quarters", "raised",
    "rd", "right", "root", "roots", "roughly", "score", "solutions", "some", "sometimes",
    "squared", "squares", "st", "sure", "tens", "tenth", "tenths", "th", "than", "then", "third",
    "thirds", "this", "thousand", "thousands", "through", "thus", "times", "to", "towards", "twos",
    "units'", "unless", "unsure", "until", "us", "versus", "was", "were", "when", "wins", "wrong",
    "yes",
})  # fmt: skip
"""Words after a number that change it, doubt it, or join it to another."""
_SHAPE = r"(?:\\(?:text|mathrm|mbox|textrm|textnormal|operatorname|rm)\s*\{([^{}]*)\})"
_POWER = r"(?:\s*\^\s*\{?\s*-?[1-4]\s*\}?)?"
_TEXT_UNIT = re.compile(rf"((?:\s*{_SHAPE}{_POWER}\s*(?:/|\\cdot)?)+)$")
_PLAIN_UNIT = re.compile(rf"(?<=[\d)}}\s%])\s*(\\?%|\$|€|£|[A-Za-z][A-Za-z./ ]{{0,40}}{_POWER})$")
_CELSIUS = re.compile(r"\^\s*\{?\s*\\circ\s*\}?\s*(?:\\(?:text|mathrm|rm)\s*)?\{?\s*([CF])\s*\}?$")
_CURRENCY = re.compile(r"^([-+]?)\s*(\\\$|\$|€|£|US\$|USD)\s*(?=[-\d.\\(])")
_VARIABLE = re.compile(r"(?:[a-z]|pa|ms|nm|dm)(?:\s*\^.*)?")
_BODY = re.compile(r"[\d)}]$|\\pi$|[\d})\]]\s*[a-z]$")
_NOUN = re.compile(r"[a-z]{3,}")
_WORDS = re.compile(r"[a-zA-Z°][a-zA-Z.\-]{2}[a-zA-Z.\- ]*")


@dataclass(frozen=True, slots=True)
class Suffix:
    """A unit: its canonical name; or `percent`, `degree`, or a multiplier."""

    name: str
    factor: int = 1


@dataclass(frozen=True, slots=True)
class Measure:
    """What a unit measures (`length^2`), and how many base units it is; None if not fixed."""

    dimension: str
    factor: fmpq | None


def split_unit(text: str, *, is_reference: bool, unit: str = "") -> tuple[str, Suffix | None]:
    """The body of `text` and the unit at its end (or the currency sign at its start).

    `unit` is the reference's unit, which an answer may always repeat.
    """
    currency = _CURRENCY.match(text)
    if currency:
        name = {"€": "euro", "£": "pound sterling"}.get(currency[2], "dollar")
        return currency[1] + text[currency.end() :], Suffix(name)
    celsius = _CELSIUS.search(text)
    if celsius:
        return text[: celsius.start()], Suffix(f"°{celsius[1].lower()}")
    found = _TEXT_UNIT.search(text)
    if found:
        label = re.sub(_SHAPE, r"\1", found[1]).replace("\\cdot", "*")
    else:
        found = _PLAIN_UNIT.search(text)
        if not found or not _BODY.search(text[: found.start()].rstrip()):
            return text, None
        label = found[1]
    body = text[: found.start()].rstrip()
    is_plain = found.re is _PLAIN_UNIT
    suffix = _suffix(label, is_reference=is_reference, is_plain=is_plain, unit=unit)
    return (text, None) if suffix is None or not body else (body, suffix)


def _suffix(label: str, *, is_reference: bool, is_plain: bool, unit: str) -> Suffix | None:
    label = re.sub(r"[{}\s]+", " ", label).strip(" .").lower() if len(label) < 120 else ""
    if label in ("percent", "per cent", "pct"):
        return Suffix("percent")
    if _singular(label) in _ANGLES:
        return Suffix("degree")
    if label in _MULTIPLIERS:
        return Suffix("multiplier", _MULTIPLIERS[label])
    name = canonical(label)
    if unit and name == unit:
        return Suffix(name)
    if measure(name) is not None and not (is_plain and _VARIABLE.fullmatch(label)):
        return Suffix(name)
    if is_reference and _WORDS.fullmatch(label) and len(label.split()) <= 4 and not is_plain:
        return None if _hedges(label) else Suffix(name)
    return Suffix(name) if _is_counted(label) else None


def _is_counted(label: str) -> bool:
    """Whether the words name what is counted: `apples`, `red balls`, `children`."""
    words = label.split()
    if not 1 <= len(words) <= 3 or not all(map(_NOUN.fullmatch, words)):
        return False
    return not _NO_UNITS & set(words) and (len(words) == 1 or words[-1].endswith("s"))


def _hedges(label: str) -> bool:
    return bool(re.search(r"\b(?:or|and|but|not|if|maybe|is|are|than|when|for)\b", label))


def canonical(label: str) -> str:
    """One spelling of a unit: `square feet` is `ft^2`, `miles per hour` is `mi/h`."""
    label = re.sub(r"\s*\bper\b\s*|\s*/\s*", "/", label.replace(".", ""))
    return "/".join(
        "*".join(sorted(_canonical_factor(factor.strip()) for factor in part.split("*")))
        for part in label.split("/")
    )


def _canonical_factor(part: str) -> str:
    power = 1
    found = re.match(r"(square|sq|cubic|cu) (.+)$", part)
    if found:
        power, part = (2 if found[1].startswith("sq") else 3), found[2]
    found = re.match(r"(.+?)(?: (squared|cubed)| ?\^ ?(\d))$", part)
    if found:
        power, part = int(found[3] or (2 if found[2] == "squared" else 3)), found[1]
    part = _SPELLINGS.get(part) or _SPELLINGS.get(_singular(part)) or _singular(part)
    return part if power == 1 or part == "unit" else f"{part}^{power}"


def _singular(word: str) -> str:
    if word in ("s", "ms", "gas", "feet") or word.endswith("ss"):
        return word
    return word[:-1] if word.endswith("s") and len(word) > 2 else word


def measure(name: str) -> Measure | None:
    """The measure of a canonical name; None where the unit is not known."""
    dimension, factor = "", fmpq(1)
    is_fixed = True
    parts = [
        (part, 1 if place == 0 else -1)
        for place, side in enumerate(name.split("/"))
        for part in side.split("*")
    ]
    for part, sign in parts:
        unit, _, power = part.partition("^")
        known = _KNOWN.get(unit)
        if known is None:
            return None
        exponent = int(power or 1) * sign
        dimension += f"{known.dimension}^{exponent} "
        is_fixed = is_fixed and known.factor is not None
        factor *= (known.factor or fmpq(1)) ** exponent
    return Measure(dimension, factor if is_fixed else None)


def _table(dimension: str, units: _Table) -> dict[str, Measure]:
    measures = {}
    for name, factor in units.items():
        top, _, bottom = str(factor or 1).partition("/")
        fixed = fmpq(int(top), int(bottom or 1))
        measures[name] = Measure(dimension, None if factor is None else fixed)
    return measures


_KNOWN = (
    _table("length", _LENGTH)
    | _table("mass", _MASS)
    | _table("time", _TIME)
    | _table("money", _MONEY)
    | _table("volume", {"l": "1/1000", "ml": "1/1000000", "gallon": None})
    | _table("angle", {"rad": 1})
    | _table("energy", {"j": 1, "kj": 1000, "ev": None, "kev": None, "mev": None, "erg": None})
    | _table("length", {"pc": None, "kpc": None, "mpc": None, "ly": None, "au": None})
    | _table("power", {"w": 1, "kw": 1000})
    | {name: Measure(name, fmpq(1)) for name in _SINGLE}
)
