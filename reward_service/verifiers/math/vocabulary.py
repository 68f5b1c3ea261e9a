"""Names that the front end knows: commands, functions, constants, relation signs."""

FUNCTIONS = frozenset(
    {
        "sin",
        "cos",
        "tan",
        "cot",
        "sec",
        "csc",
        "sinh",
        "cosh",
        "tanh",
        "coth",
        "arcsin",
        "arccos",
        "arctan",
        "arccot",
        "ln",
        "exp",
        "log",
        "lg",
        "gcd",
        "lcm",
        "max",
        "min",
        "det",
        "arg",
        "Re",
        "Im",
        "sgn",
    }
)
"""Functions written with a backslash, or as plain words."""

SPELLINGS = {
    "asin": "arcsin",
    "acos": "arccos",
    "atan": "arctan",
    "tg": "tan",
    "ctg": "cot",
    "cosec": "csc",
    "arctg": "arctan",
    "sh": "sinh",
    "ch": "cosh",
    "th": "tanh",
}
"""Other spellings of functions; as plain words only the first three are read."""

PLAIN_FUNCTIONS = (FUNCTIONS - {"arg", "Re", "Im", "det", "lg"}) | {"asin", "acos", "atan", "sqrt"}
CALLABLE = frozenset("fghFGH")
"""Letters that are functions when a bracket follows; other letters are multiplied with it."""

GREEK = frozenset(
    {
        "alpha",
        "beta",
        "gamma",
        "delta",
        "epsilon",
        "varepsilon",
        "zeta",
        "eta",
        "theta",
        "vartheta",
        "iota",
        "kappa",
        "lambda",
        "mu",
        "nu",
        "xi",
        "rho",
        "varrho",
        "sigma",
        "tau",
        "upsilon",
        "phi",
        "varphi",
        "chi",
        "psi",
        "omega",
        "Gamma",
        "Delta",
        "Theta",
        "Lambda",
        "Xi",
        "Pi",
        "Sigma",
        "Upsilon",
        "Phi",
        "Psi",
        "Omega",
        "ell",
        "hbar",
        "aleph",
        "nabla",
        "partial",
    }
)
SYMBOLS = {name: name for name in GREEK} | {
    "pi": "pi",
    "infty": "oo",
    "infinity": "oo",
    "imath": "i",
    "emptyset": "emptyset",
    "varnothing": "emptyset",
}
PLAIN_SYMBOLS = {"pi": "pi", "infinity": "oo", "infty": "oo", "theta": "theta", "alpha": "alpha"}
CONSTANTS = frozenset({"pi", "e", "i", "oo"})

RELATIONS = {
    "=": "=",
    "==": "=",
    "<": "<",
    ">": ">",
    "<=": "≤",
    ">=": "≥",
    "!=": "≠",
    "≠": "≠",
    "\\le": "≤",
    "\\leq": "≤",
    "\\leqslant": "≤",
    "\\ge": "≥",
    "\\geq": "≥",
    "\\geqslant": "≥",
    "\\lt": "<",
    "\\gt": ">",
    "\\ne": "≠",
    "\\neq": "≠",
    "\\approx": "≈",
    "\\simeq": "≈",
    "\\doteq": "≈",
    "\\in": "∈",
    "\\notin": "∉",
    "\\to": "⇒",
    "\\rightarrow": "⇒",
    "\\longrightarrow": "⇒",
    "\\Rightarrow": "⇒",
    "\\Longrightarrow": "⇒",
    "\\implies": "⇒",
    "\\iff": "⇔",
    "\\Leftrightarrow": "⇔",
    "\\sim": "~",
    "\\cong": "≅",
    "\\equiv": "≡",
    "\\propto": "∝",
    "\\mapsto": "↦",
    "\\subset": "⊂",
    "\\subseteq": "⊆",
    "\\perp": "⊥",
    "\\parallel": "∥",
    "\\lesssim": "≲",
    "\\gtrsim": "≳",
    "\\mid": "∣",
    "\\gg": "≫",
    "\\ll": "≪",
}
SET_SIGNS = {
    "\\cup": "∪",
    "\\cap": "∩",
    "\\setminus": "∖",
    "\\backslash": "∖",
    "\\bigcup": "∪",
    "\\bigcap": "∩",
}
PRODUCT_SIGNS = {"*": "*", "\\cdot": "*", "\\times": "*", "\\ast": "*", "/": "/", "\\div": "/"}
OPENING = {"(": ")", "[": "]", "\\lbrack": "]", "\\langle": "\\rangle", "\\{": "\\}"}
CLOSING = frozenset({")", "]", "\\rbrack", "\\rangle", "\\}"})
FENCES = {"\\lfloor": ("\\rfloor", "floor"), "\\lceil": ("\\rceil", "ceil")}
OPERANDS = (
    *("frac", "sqrt", "binom", "dbinom", "tbinom", "overline", "bar", "hat", "vec"),
    *("angle", "triangle", "lfloor", "lceil", "lbrack"),
)
"""Other commands that begin an operand."""

BARS = frozenset({"|", "\\vert", "\\lvert", "\\rvert", "\\mid"})
MATRICES = frozenset({"matrix", "pmatrix", "bmatrix", "Bmatrix", "smallmatrix", "array"})
