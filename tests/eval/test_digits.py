"""Any number that is written in a supported form is read as its value."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blendtune_eval.rules.numerals import numeral_at
from blendtune_eval.rules.text import sentences


def read(text: str) -> float | None:
    """The value of a text that is one number; None where it is none, or more."""
    found = sentences(text)
    if len(found) != 1:
        return None
    numeral = numeral_at(found[0].tokens, 0)
    return numeral.value if numeral is not None and numeral.end == len(found[0].tokens) else None


def grouped(value: int, mark: str) -> str:
    return f"{value:,}".replace(",", mark)


def indian(value: int) -> str:
    head, tail = divmod(value, 1000)
    groups = []
    while head >= 100:
        head, group = divmod(head, 100)
        groups.insert(0, f"{group:02}")
    return ",".join([str(head), *groups, f"{tail:03}"])


LARGE = st.integers(1_000, 10**12)
FORMS = {
    "english": lambda value: grouped(value, ","),
    "swiss": lambda value: grouped(value, "'"),
    "typographic": lambda value: grouped(value, "’"),
    "space": lambda value: grouped(value, " "),
    "no-break": lambda value: grouped(value, "\u00a0"),
    "thin": lambda value: grouped(value, "\u2009"),
    "narrow": lambda value: grouped(value, "\u202f"),
    "latex": lambda value: grouped(value, "{,}"),
    "latex-space": lambda value: "$" + grouped(value, r"\,") + "$",
    "underscore": lambda value: grouped(value, "_"),
    "indian": indian,
    "boxed": lambda value: rf"\textbf{{{value}}}",
}


@pytest.mark.parametrize("form", FORMS)
@given(value=LARGE)
@settings(max_examples=30, deadline=None)
def test_thousands(form: str, value: int) -> None:
    assert read(FORMS[form](value)) == value


@given(value=st.integers(10**6, 10**12), cents=st.integers(1, 99))
@settings(max_examples=50, deadline=None)
def test_decimals_of_other_lands(value: int, cents: int) -> None:
    expected = pytest.approx(value + cents / 100, rel=1e-11)
    for mark, point in ((".", ","), (" ", ","), ("'", "."), (",", "."), ("\u202f", ",")):
        assert read(f"{grouped(value, mark)}{point}{cents:02}") == expected
    assert read(grouped(value, ".")) == value


@given(whole=st.integers(1, 99), top=st.integers(1, 15), bottom=st.integers(2, 16))
@settings(max_examples=60, deadline=None)
def test_mixed_fractions(whole: int, top: int, bottom: int) -> None:
    if top >= bottom:
        return
    value = pytest.approx(whole + top / bottom, rel=1e-9)
    assert read(f"{whole} {top}/{bottom}") == value
    assert read(rf"${whole}\frac{{{top}}}{{{bottom}}}$") == value
    assert read(rf"$\frac{{{whole * bottom + top}}}{{{bottom}}}$") == value


@given(digits=st.integers(1, 999), exponent=st.integers(-9, 15))
@settings(max_examples=60, deadline=None)
def test_powers_of_ten(digits: int, exponent: int) -> None:
    value = pytest.approx(float(f"{digits}e{exponent}"), rel=1e-9)
    raised = str(exponent).translate(str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻"))
    for text in (
        f"{digits} × 10^{exponent}",
        f"{digits}×10{raised}",
        rf"${digits} \times 10^{{{exponent}}}$",
        f"{digits}e{exponent}",
        f"{digits} * 10**{exponent}",
    ):
        assert read(text) == value, text


UNITS = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen"
)
SMALL = (*UNITS.split(), "seventeen", "eighteen", "nineteen")
TENS = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]


def spelled(value: int) -> str:
    for size, name in ((10**9, "billion"), (10**6, "million"), (1000, "thousand"), (100, "hundred")):
        if value >= size:
            head, rest = divmod(value, size)
            joint = " and " if size == 100 else " "
            return f"{spelled(head)} {name}" + (f"{joint}{spelled(rest)}" if rest else "")
    if value < len(SMALL):
        return SMALL[value]
    ten, unit = divmod(value, 10)
    return TENS[ten - 2] + (f"-{SMALL[unit]}" if unit else "")


@given(value=st.integers(1, 10**11))
@settings(max_examples=150, deadline=None)
def test_number_words(value: int) -> None:
    assert read(spelled(value)) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        pytest.param("2½", 2.5, id="vulgar"),
        pytest.param("¾", 0.75, id="vulgar-alone"),
        pytest.param("12.5 lakh", 1_250_000, id="lakh"),
        pytest.param("two crore", 2e7, id="crore"),
        pytest.param("fifteen hundred", 1500, id="fifteen-hundred"),
        pytest.param("10²", 100, id="raised"),
        pytest.param("35 out of 1000", 0.035, id="out-of"),
        pytest.param("0,125", 0.125, id="decimal-comma"),
    ],
)
def test_forms_of_their_own(text: str, value: float) -> None:
    assert read(text) == pytest.approx(value)


def test_a_number_with_two_readings_has_both() -> None:
    (token,) = sentences("9.500")[0].tokens
    assert (token.value, token.other) == (9.5, 9500)
    (token,) = sentences("9,500")[0].tokens
    assert (token.value, token.other) == (9500, 9.5)
