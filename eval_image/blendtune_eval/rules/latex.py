r"""LaTeX as plain text: `\boxed{8 \text{ hours}}` is "8 hours", `$12$ apples` are no dollars."""

from __future__ import annotations

import re

_WRAPPERS = re.compile(
    r"\\(?:text|textbf|textit|textrm|textsf|texttt|emph|mathbf|mathrm|mathit|mathsf|mathtt|bf|rm|underline"
    r"|operatorname|mbox|hbox|displaystyle|fbox|left|right|bigl?|bigr?|color\{\w+\}|ce|SI|num|si)\s*"
    r"(?=[{\s()\[\]|.])\s*\{?(?<=\{)([^{}]*)\}"
)
_BOXED = re.compile(r"\\(?:boxed|fbox|framebox)\s*\{([^{}]*)\}")
_FRACTION = re.compile(r"(\d)?\\[dtc]?frac\s*(?:\{([^{}]*)\}\s*\{([^{}]*)\}|(\d)\s*(\d))")
_ROOT = re.compile(r"\\sqrt\s*\{([^{}]*)\}")
_EXPONENT = re.compile(r"\^\s*\{\s*([+\-−]?\s*[\w\\]+)\s*\}")
_SUBSCRIPT = re.compile(  # of variables and chemical formulas, unlike "table_2"
    r"(?<![A-Za-z_])(?:[A-Z][a-z]?|[a-z])(?:[A-Z][a-z]?|\d|_\{\d+\}|_\d+)*(?![a-z_])"
)
_DEGREES = re.compile(r"\^\s*\{?\s*\\circ\s*\}?|\\degree\b")
_MATH = re.compile(
    r"(?<![\\\w$])\$(?!\s|\d[\d,.]*\s+[^$\n]{0,80}?[^\\\s$]\s+\$\d)([^$\n]{1,200}?)(?<![\s\\])\$(?![\d\w])"
)
_DISPLAY = re.compile(r"\$\$(.+?)\$\$|\\\[(.+?)\\\]|\\\((.+?)\\\)", re.DOTALL)
_COMMANDS = {
    r"\times": "×", r"\cdot": "×", r"\div": "÷", r"\approx": " ≈ ", r"\le": "≤", r"\ge": "≥", r"\leq": "≤",
    r"\geq": "≥", r"\pm": "±", r"\to": "→", r"\rightarrow": "→", r"\Rightarrow": "→", r"\implies": "→",
    r"\therefore": "therefore", r"\quad": " ", r"\qquad": " ",
    r"\left": "", r"\right": "", r"\displaystyle": "",
    r"\euro": "€", r"\pounds": "£", r"\ldots": "...", r"\dots": "...", r"\neq": "≠", r"\ne": "≠",
}  # fmt: skip
_COMMAND = re.compile(r"\\(?:[A-Za-z]+)")
_THIN_SPACE = "\u2009"
_NESTING = 4  # braces within braces that are looked into
BOXED = "\uf8ff"  # a private character around what was boxed, so that the rules know the conclusion


def plain(text: str) -> str:
    """The text without LaTeX commands. What `\\boxed` holds stands between two BOXED marks."""
    if not any(mark in text for mark in ("\\", "$", "{,}", "_", "^{")):
        return text
    text = text.replace(r"\$", "\ue000")  # an escaped dollar sign is money
    text = re.sub(r"\{,\}|\\,(?=\d{3})", lambda match: "," if match[0] == "{,}" else _THIN_SPACE, text)
    text = re.sub(r"\{:\}", ":", text)
    text = text.replace(r"\%", "%").replace(r"\&", "&").replace(r"\#", "#").replace(r"\_", "_")
    text = _SUBSCRIPT.sub(_joined, text)
    for _ in range(_NESTING):
        text = _WRAPPERS.sub(r"\1", text)
        text = _FRACTION.sub(_fraction, text)
        text = _ROOT.sub(r"sqrt \1", text)
        text = _BOXED.sub(rf" {BOXED}\1{BOXED} ", text)
    text = _SUBSCRIPT.sub(_joined, text)
    text = _DEGREES.sub("°", text)
    text = _EXPONENT.sub(r"^\1", text)
    text = _DISPLAY.sub(lambda match: f" {next(part for part in match.groups() if part is not None)} ", text)
    text = _MATH.sub(_math, text)
    text = re.sub(r"\\[,;:!> ]", " ", text)
    text = _COMMAND.sub(lambda match: _COMMANDS.get(match[0], match[0]), text)
    return text.replace("\ue000", "$")


def _joined(match: re.Match[str]) -> str:
    """ "H_2O" and "H_{2}O" as "H2O"."""
    return re.sub(r"[_{}]", "", match[0])


def _fraction(match: re.Match[str]) -> str:
    numerator, denominator = (match[2], match[3]) if match[2] is not None else (match[4], match[5])
    before = f"{match[1]} " if match[1] else ""
    if re.fullmatch(r"[\d,. ]+", numerator) and re.fullmatch(r"[\d,. ]+", denominator):
        return f"{before}{numerator.strip()}/{denominator.strip()}"
    return f"{before}({numerator}) / ({denominator})"


def _math(match: re.Match[str]) -> str:
    """The inside of `$...$` where it is math; "$5 and 6$" with words in between stays as it is."""
    inside = match[1]
    words = re.findall(r"(?<!\\)\b[A-Za-z]{3,}", inside)
    return match[0] if len(words) > 1 and not re.search(r"[\\^={]", inside) else f" {inside} "
