r"""
One spelling for what can be spelt in many ways, before anything is read.

Unicode signs become LaTeX commands, digits of any script become ASCII digits,
layout (`\left`, `\displaystyle`, thin spaces, colours, dollars) goes away.
Letters that merely look alike (Cyrillic а, Latin a) stay different, and
of spaces between digits only those that group a number in threes are removed.
"""

import re
import unicodedata

_INVISIBLE = re.compile(
    "[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff\ufe0e\ufe0f]"
)
_SIGNS = {
    "−": "-", "–": "-", "—": "-", "‐": "-", "‑": "-", "﹣": "-", "×": r"\times ", "✕": r"\times ",
    "⋅": r"\cdot ", "·": r"\cdot ", "∙": r"\cdot ", "•": r"\cdot ", "÷": r"\div ", "∕": "/",
    "⁄": "/", "≤": r"\le ", "⩽": r"\le ", "≦": r"\le ", "≥": r"\ge ", "⩾": r"\ge ", "≧": r"\ge ",
    "≠": r"\ne ", "≈": r"\approx ", "≃": r"\approx ", "∈": r"\in ", "∉": r"\notin ",
    "∪": r"\cup ", "⋃": r"\cup ", "∩": r"\cap ", "∖": r"\setminus ", "∅": r"\emptyset ",
    "∞": r"\infty ", "±": r"\pm ", "∓": r"\mp ", "°": r"^\circ ", "º": r"^\circ ", "˚": r"^\circ ",
    "→": r"\to ", "⇒": r"\Rightarrow ", "⇔": r"\iff ", "√": r"\sqrt ", "∛": r"\sqrt[3] ",
    "π": r"\pi ", "α": r"\alpha ", "β": r"\beta ", "γ": r"\gamma ", "δ": r"\delta ",
    "ε": r"\epsilon ", "θ": r"\theta ", "λ": r"\lambda ", "μ": r"\mu ", "ρ": r"\rho ",
    "σ": r"\sigma ", "τ": r"\tau ", "φ": r"\phi ", "ϕ": r"\phi ", "ω": r"\omega ", "ξ": r"\xi ",
    "η": r"\eta ", "ψ": r"\psi ", "χ": r"\chi ", "Δ": r"\Delta ", "Ω": r"\Omega ", "Γ": r"\Gamma ",
    "∠": r"\angle ", "△": r"\triangle ", "ℝ": r"\mathbb{R}", "ℤ": r"\mathbb{Z}", "ℕ": r"\mathbb{N}",
    "ℚ": r"\mathbb{Q}", "ℂ": r"\mathbb{C}", "∑": r"\sum ", "∏": r"\prod ", "⌊": r"\lfloor ",
    "⌋": r"\rfloor ", "⌈": r"\lceil ", "⌉": r"\rceil ", "⟨": r"\langle ", "⟩": r"\rangle ",
    "，": ",", "；": ";", "：": ":", "（": "(", "）": ")", "［": "[", "］": "]", "｛": r"\{",
    "｝": r"\}", "、": ",", "。": ".", "％": r"\%", "＝": "=", "＋": "+", "＜": "<", "＞": ">",
    "∣": "|", "∧": r"\land ", "∨": r"\lor ", "“": '"', "”": '"', "’": "'", "‘": "'", "′": "'",
    "\u00a0": " ", "\u3000": " ", "…": r"\ldots ", "⋯": r"\ldots ", "∫": r"\int ", "€": "€",
}  # fmt: skip
_RAISED = dict(zip("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁽⁾ⁿⁱ", "0123456789+-()ni", strict=True))
_LOWERED = dict(zip("₀₁₂₃₄₅₆₇₈₉₊₋", "0123456789+-", strict=True))
_RAISED_RUN = re.compile(f"[{''.join(map(re.escape, _RAISED))}]+")
_LOWERED_RUN = re.compile(f"[{''.join(map(re.escape, _LOWERED))}]+")
_ROOT = re.compile(r"([√∛])\s*(\d+(?:\.\d+)?|[A-Za-z])")

_ESCAPED = re.compile(
    r"\\\\(?=(?:begin|end|frac|dfrac|tfrac|sqrt|left|right|text|pi|cdot|times|boxed|infty|cup|in"
    r"|le|ge|pm|mathrm|mathbf|circ|theta|alpha|ln|log|sin|cos|tan)(?![A-Za-z]))"
)
_LAYOUT = re.compile(
    r"\\(?:left|right|[bB]igg?[lrm]?)(?![A-Za-z])\s*\.?|\\(?:displaystyle|textstyle|scriptstyle|limits|nolimits"
    r"|rm|bf|it|hfill|noindent|centering|left|right|large|Large|normalsize)(?![A-Za-z])"
)
_WRAPPERS = re.compile(
    r"\\(?:boxed|fbox|mathbf|boldsymbol|bm|mathit|mathsf|mathcal|ensuremath|underline)\s*(?=\{)"
)
_COLOURS = re.compile(r"\\(?:textcolor|color|colorbox)\s*\{[^{}]*\}")
_DOLLARS = re.compile(r"(?<!\\)(?:\$|\\[()\[\]])")
_THOUSANDS = re.compile(
    r"(?<![\d.,])\d{1,3}(?:(?:\\[,!;: ]|,\s*\\!|\{,\}|\u202f|\u2009)\s*\d{3})+(?!\d)"
)
_SPACED_NUMBER = re.compile(r"-?[1-9]\d{0,2}(?: \d{3})+")
_SPACES = re.compile(
    r"(?<!\\)\\[,;:! ]|\\(?:quad|qquad|enspace|thinspace|hspace\{[^{}]*\}|space)(?![A-Za-z])"
    r"|~|[\u2000-\u200a\u202f]"
)
_FRACTIONS = re.compile(r"\\[dtc]frac(?![A-Za-z])")
_NUMBER_SETS = re.compile(r"\\(?:mathbb|Bbb)\s*\{?\s*([A-Z])\s*\}?")
_ALIGNED = re.compile(r"\\(?:begin|end)\s*\{(?:aligned|align|gathered|split|equation)\*?\}")
_BARS = re.compile(r"\\[lr]?vert")
_NEGATED = re.compile(r"\\not\s*(?:=|\\in(?![A-Za-z]))")
_ENDING = re.compile(r"[\s.,;]+$")


def clean(text: str) -> str:
    """`text` in one spelling. Linear in its length."""
    if not text.isascii():
        text = _to_ascii(text)
    text = " ".join(text.split())
    if _ESCAPED.search(text):  # JSON or Python escapes that nobody took off
        text = text.replace("\\\\", "\\")
    if "\\" in text or "$" in text or "~" in text or "{" in text or not text.isascii():
        text = _drop_layout(text)
    text = _ENDING.sub("", text).strip()
    return text.replace(" ", "") if _SPACED_NUMBER.fullmatch(text) else text


def _to_ascii(text: str) -> str:
    text = _ungrouped(_INVISIBLE.sub("", text))
    text = _RAISED_RUN.sub(lambda run: "^{" + "".join(_RAISED[c] for c in run[0]) + "}", text)
    text = _LOWERED_RUN.sub(lambda run: "_{" + "".join(_LOWERED[c] for c in run[0]) + "}", text)
    text = _ROOT.sub(lambda root: _SIGNS[root[1]].strip() + "{" + root[2] + "}", text)
    return "".join(c if c.isascii() else _character(c) for c in text)


def _ungrouped(text: str) -> str:
    return _THOUSANDS.sub(lambda number: re.sub(r"\D", "", number[0]), text)


def _character(character: str) -> str:
    sign = _SIGNS.get(character)
    if sign is not None:
        return sign
    digit = unicodedata.digit(character, None)
    if digit is not None:
        return str(digit)
    plain = unicodedata.normalize("NFKC", character)
    numerator, slash, denominator = plain.partition("⁄")
    if slash:
        return rf"\frac{{{numerator}}}{{{denominator}}}"
    # Styled letters (bold, full width) are the letters; look-alikes of other scripts are not.
    return plain if len(plain) == 1 and plain.isascii() else character


def _drop_layout(text: str) -> str:
    text = _ungrouped(text)
    if _ALIGNED.search(text):
        text = _ALIGNED.sub(" ", text).replace("&", " ")
    text = _COLOURS.sub("", text)
    text = _LAYOUT.sub(" ", text)
    text = _WRAPPERS.sub("", text)
    text = _DOLLARS.sub(" ", text)
    text = _NUMBER_SETS.sub(r"\\mathbb{\1}", text)
    text = _BARS.sub("|", text)
    text = _NEGATED.sub(lambda sign: r"\notin " if "in" in sign[0] else r"\ne ", text)
    text = _FRACTIONS.sub(r"\\frac", text)
    return _SPACES.sub(" ", text)
