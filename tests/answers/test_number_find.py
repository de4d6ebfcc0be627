"""What is no number, or no single one, although it holds digits; and texts that are nothing but a number."""

from __future__ import annotations

import pytest

from zetaroute.answers.number import is_number
from zetaroute.answers.number.find import numerals, whole_number
from zetaroute.grading.number import number

NO_SUCH_NUMBER = [
    # no number, or no single one
    ("", "42"),
    ("  ", "0"),
    ("no idea", "42"),
    ("<think>42</think>", "42"),
    ("<think>It may be 42", "42"),
    ("\\boxed{3\\sqrt{2}}", "2"),
    ("\\boxed{3\\sqrt{2}}", "3"),
    ("\\boxed{3\\pi}", "3"),
    ("\\boxed{\\sqrt{2}}", "2"),
    ("\\boxed{\\frac{\\sqrt{3}}{2}}", "2"),
    ("\\boxed{x^2 + 1}", "1"),
    ("\\boxed{2x}", "2"),
    ("\\boxed{2x + 1}", "1"),
    ("\\boxed{(3, 4)}", "4"),
    ("\\boxed{(3,4)}", "3.4"),
    ("\\boxed{40 + 2}", "2"),
    ("\\boxed{2^{10}}", "10"),
    ("\\boxed{2^{99}}", "2"),
    ("\\boxed{B} 42", "42"),
    ("3π", "3"),
    ("√2", "2"),
    ("2√3", "2"),
    ("sqrt(2)", "2"),
    ("2024-05-01", "1"),
    ("2024-05-01", "2024"),
    ("12/05/2024", "2024"),
    ("1.2.3", "3"),
    ("12:30", "30"),
    ("5-10", "10"),
    ("5–10", "10"),
    ("1,2,3", "3"),
    ("1/0", "1"),
    ("0x1F", "0"),
    ("abc123", "123"),
    ("Infinity", "1"),
    ("nan", "0"),
    ("1e999999999", "1"),
    ("9" * 5000, "9"),
    ("one, two", "2"),
    # more of what models write
    ("half", "0.5"),
    ("The probability is 1/6 ≈ 0.1667", "1/6"),
    ("Answer: 5-1/2", "5.5"),
    ("The area is 25π cm²", "25"),
    ("\\boxed{25\\pi \\approx 78.54}", "78.54"),
    ("\\boxed{0.\\overline{3}}", "1/3"),
    ("\\boxed{\\frac{1}{2}, \\frac{3}{4}}", "3/4"),
    ("\\boxed{3:2}", "2"),
    ("\\boxed{2^5}", "5"),
    ("\\boxed{\\log 5}", "5"),
    ("\\boxed{e^2}", "2"),
    ("\\boxed{12\\text{ and }15}", "15"),
    ("299,792,458 m/s", "3e8"),
    ("about 3.0 × 10^8 m/s", "299792458"),
    ("5-6", "6"),
    ("v2", "2"),
    ("v2.0", "2"),
    ("Python 3.11.4", "4"),
    ("555-1234", "1234"),
    ("四十二", "42"),
    ("2.5M", "2500000"),
    ("nineteen eighty-four", "1984"),
    ("None", "1"),
    ("often", "10"),
    ("tenth", "10"),
    ("second", "2"),
    ("1/2/3", "3"),
    ("1//2", "2"),
    ("1e400", "1"),
    ("1e-400", "1"),
    ("The answer is not 42.", "42"),
    ("not 42", "42"),
]


@pytest.mark.parametrize(("answer", "reference"), NO_SUCH_NUMBER)
def test_is_not_taken_apart(answer: str, reference: str) -> None:
    assert number(answer, reference) == 0.0


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("42", True),
        (" -3.5 ", True),
        ("−3", True),
        ("1,234", True),
        ("1 234 567", True),
        ("$1,200.50", True),
        ("12 €", True),
        ("25%", True),
        ("3/4", True),
        ("½", True),
        ("\\frac{3}{4}", True),
        ("1.2e-3", True),
        ("$42$", True),
        ("5 km", False),
        ("twenty-one", False),
        ("2024-05-01", False),
        ("1.2.3", False),
        ("4 or 5", False),
        ("B", False),
        ("", False),
        ("H2O", False),
        ("√2", False),
        ("Apollo 11", False),
    ],
)
def test_tells_a_number_from_a_text(text: str, expected: bool) -> None:
    assert is_number(text) is expected


@pytest.mark.parametrize("digits", ["0", "007", "10", "42", "1234", "12345678", "123456789012345678"])
def test_digits_alone_are_the_number_that_is_found_in_them(digits: str) -> None:
    assert numerals(digits) == [whole_number(digits)]
