"""How numbers are written: every notation is read as the same number, alone and in a sentence."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, strategies as st

from zetaroute.grading.number import number

NOTATIONS = [
    # plain, signed, typeset
    ("42", "42"),
    ("42.", "42"),
    ("42,", "42"),
    ("42.0", "42"),
    ("+42", "42"),
    ("042", "42"),
    ("-42", "-42"),
    ("\u221242", "-42"),
    ("–42", "-42"),
    ("minus 42", "-42"),
    ("negative 42", "-42"),
    ("$-42$", "-42"),
    ("(-42)", "-42"),
    ("x = -42", "-42"),
    ("x = - 42", "-42"),
    (".5", "0.5"),
    ("-.5", "-0.5"),
    ("0,5", "0.5"),
    ("4２", "42"),
    ("٤٢", "42"),
    ("४२", "42"),
    ("**42**", "42"),
    ("`42`", "42"),
    ("$42$", "42"),
    ("\\(42\\)", "42"),
    ("\\[ 42 \\]", "42"),
    ("<answer>42</answer>", "42"),
    ('{"answer": 42}', "42"),
    ("[42]", "42"),
    ("42!", "42"),
    ("≈42", "42"),
    ("~42", "42"),
    ("- 42 apples", "42"),
    ("* 42", "42"),
    # thousands
    ("1,234,567", "1234567"),
    ("1234567", "1,234,567"),
    ("1 234 567", "1234567"),
    ("1\u00a0234\u00a0567", "1234567"),
    ("1\u2009234\u2009567", "1234567"),
    ("1\u202f234\u202f567", "1234567"),
    ("1.234.567", "1234567"),
    ("1.234.567,89", "1234567.89"),
    ("1.234,5", "1234.5"),
    ("1 234,5", "1234.5"),
    ("1'234", "1234"),
    ("1’234’567", "1234567"),
    ("1'234.50", "1234.5"),
    ("1_000_000", "1000000"),
    ("12,34,567", "1234567"),
    ("1,234.5", "1234.5"),
    ("1{,}234", "1234"),
    ("1,\\!234", "1234"),
    ("1\\,234", "1234"),
    ("-1,234", "-1234"),
    ("1.234", "1.234"),
    ("3,14", "3.14"),
    ("0,234", "0.234"),
    # fractions
    ("3/4", "0.75"),
    ("0.75", "3/4"),
    ("6/8", "3/4"),
    ("3 / 4", "0.75"),
    ("-3/4", "-0.75"),
    ("1 1/2", "1.5"),
    ("-1 1/2", "-1.5"),
    ("½", "0.5"),
    ("1½", "1.5"),
    ("2 ½ cups", "2.5"),
    ("¾", "3/4"),
    ("\\frac{3}{4}", "0.75"),
    ("-\\frac{3}{4}", "-0.75"),
    ("\\dfrac{3}{4}", "3/4"),
    ("\\frac34", "3/4"),
    ("1\\frac{1}{2}", "1.5"),
    ("\\frac{-3}{4}", "-3/4"),
    ("$\\tfrac{22}{7}$", "22/7"),
    ("0.333333", "1/3"),
    # powers of ten
    ("1.2e-3", "0.0012"),
    ("1.2E3", "1200"),
    ("1.2e+3", "1200"),
    ("1.2 x 10^-3", "0.0012"),
    ("1.2 × 10⁻³", "0.0012"),
    ("1.2 × 10^{-3}", "0.0012"),
    ("1.2 \\times 10^{-3}", "0.0012"),
    ("$1.2 \\cdot 10^{3}$", "1200"),
    ("1.2*10**3", "1200"),
    ("1.2×10³ m", "1200"),
    ("10^6", "1000000"),
    ("10⁶", "1000000"),
    ("0.0012", "1.2e-3"),
    ("-6.02e23", "-6.02e23"),
    # units, currencies, scales
    ("$1,200.50", "1200.5"),
    ("-$5", "-5"),
    ("$-5", "-5"),
    ("5 km", "5"),
    ("5km", "5"),
    ("20°C", "20"),
    ("20 °C", "20"),
    ("12 EUR", "12"),
    ("EUR 12", "12"),
    ("EUR12", "12"),
    ("€12", "12"),
    ("12 €", "12"),
    ("12€", "12"),
    ("US$12", "12"),
    ("Rs.500", "500"),
    ("Rs. 500", "500"),
    ("£3.50", "3.5"),
    ("60 km/h", "60"),
    ("9.8 m/s^2", "9.8"),
    ("9.8 m/s²", "9.8"),
    ("5 m²", "5"),
    ("5 m2", "5"),
    ("5km2", "5"),
    ("90^\\circ", "90"),
    ("42 \\text{ km}", "42"),
    ("5 million", "5000000"),
    ("1.2 billion people", "1200000000"),
    ("$1.5M", "1500000"),
    ("$3bn", "3000000000"),
    ("5k", "5000"),
    ("5 m", "5"),
    ("5m", "5"),
    ("6th place", "6"),
    # words
    ("twenty-one", "21"),
    ("Twenty one", "21"),
    ("one hundred and five", "105"),
    ("a hundred", "100"),
    ("minus three", "-3"),
    ("negative twelve", "-12"),
    ("two thousand three hundred and four", "2304"),
    ("one million two hundred thousand", "1200000"),
    ("seventeen", "17"),
    ("zero", "0"),
    ("two thirds", "2/3"),
    ("three-quarters", "0.75"),
    ("one half", "0.5"),
    ("two and a half", "2.5"),
    ("The answer is forty-two apples.", "42"),
    ("She has seven.", "7"),
    # percent
    ("25%", "25%"),
    ("25 %", "0.25"),
    ("25\\%", "0.25"),
    ("25％", "0.25"),
    ("25 percent", "0.25"),
    ("25 per cent", ".25"),
    ("twenty-five percent", "0.25"),
    (".25", "25%"),
    ("1/4", "25%"),
    ("25", "25%"),
    ("25.", "25 percent"),
    ("25%", "25"),
    ("0.5", "0.5%"),
    ("12.5%", "0.125"),
]


@pytest.mark.parametrize(("answer", "reference"), NOTATIONS)
def test_reads_a_notation(answer: str, reference: str) -> None:
    assert number(answer, reference) == 1.0


@pytest.mark.parametrize(("answer", "reference"), NOTATIONS)
def test_reads_a_notation_in_a_sentence(answer: str, reference: str) -> None:
    assert number(f"I added 17 and 99. The answer is {answer}", reference) == 1.0


FLOATS = st.floats(allow_nan=False, allow_infinity=False, allow_subnormal=False)


@given(
    FLOATS, st.sampled_from(["{!r}", "{:e}", "{:.17g}", "{:+.9e}", "The answer is {!r}.", "\\boxed{{{!r}}}"])
)
def test_accepts_floats_as_python_writes_them(value: float, notation: str) -> None:
    assert number(notation.format(value), repr(value)) == 1.0


@given(
    st.floats(min_value=-1e12, max_value=1e12),
    st.sampled_from(["{:,.3f}", "{:_.3f}", "${:,.3f}", "{:.3f} km", "It is {:,.3f}!", "#### {:,.3f}"]),
)
def test_accepts_grouped_and_adorned_floats(value: float, notation: str) -> None:
    assert number(notation.format(value), f"{value:.3f}") == 1.0


@given(st.integers(min_value=-(10**15), max_value=10**15))
def test_accepts_continental_and_scientific_integers(value: int) -> None:
    continental = f"{value:,}".replace(",", "\u202f")
    scientific = f"{value}".replace("-", "−") + " × 10⁰"
    assert (number(continental, str(value)), number(scientific, str(value))) == (1.0, 1.0)


@given(st.integers(min_value=-(10**6), max_value=10**6), st.integers(min_value=1, max_value=10**6))
def test_accepts_a_fraction_for_its_quotient(over: int, under: int) -> None:
    assert number(f"{over}/{under}", repr(over / under)) == 1.0


@given(FLOATS.filter(lambda value: value != 0), st.sampled_from([0.9, 1.1, -1.0]))
def test_refuses_other_floats(value: float, factor: float) -> None:
    other = value * factor
    if math.isfinite(other) and other != 0 and abs(other) > 1e-300:
        assert number(repr(other), f"{value:.9e}") == 0.0
