"""The graders of texts: exact, normalised, contains, regex."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from zetaroute.errors import UsageError
from zetaroute.grading.text_graders import contains, exact, normalise, normalised, reference_pattern, regex

EXACT = [
    ("Paris", "Paris", 1.0),
    ("  Paris\n", "Paris", 1.0),
    ("Paris", "\tParis ", 1.0),
    ("two  words", "two words", 0.0),
    ("paris", "Paris", 0.0),
    ("Paris.", "Paris", 0.0),
    ("é", "e\u0301", 0.0),
    ("The answer is Paris", "Paris", 0.0),
    ("a\nb", "a\nb", 1.0),
]

NORMALISED = [
    ("Paris", "paris", 1.0),
    ("PARIS!", "Paris", 1.0),
    ("**Paris**", "Paris", 1.0),
    ("`Paris`.", "Paris", 1.0),
    ("The Eiffel Tower", "Eiffel tower", 1.0),
    ("a an the Eiffel  Tower", "the Eiffel\nTower", 1.0),
    ("Straße", "STRASSE", 1.0),
    ("ΣΊΣΥΦΟΣ", "σίσυφος", 1.0),
    ("café", "cafe\u0301", 1.0),
    ("Ｐａｒｉｓ", "Paris", 1.0),
    ("ﬁnal", "final", 1.0),
    ("“Paris”", "Paris", 1.0),
    ("Paris…", "Paris", 1.0),
    ("¿París?", "París", 1.0),
    ("Par\u200bis", "Paris", 1.0),
    ("New\u00a0York", "New York", 1.0),
    ("U.S.", "US", 1.0),
    ("twenty-one", "twenty–one", 1.0),
    ("$5", "5", 1.0),
    ("5 €", "5 €", 1.0),
    ("東京。", "東京", 1.0),
    ("theatre", "atre", 0.0),
    ("The answer is Paris", "Paris", 0.0),
    ("Paris", "Paris, France", 0.0),
    ("cafe", "café", 0.0),
    ("कि", "की", 0.0),
    ("5 €", "5 £", 0.0),
    ("+", "+", 1.0),
    ("-", "+", 0.0),
    ("The", "the", 1.0),
    ("a", "the", 0.0),
    ("", "the", 0.0),
    ("!", "?", 0.0),
]

CONTAINS = [
    ("The capital is PARIS, of course", "paris", 1.0),
    ("Paris", " Paris ", 1.0),
    ("Comparison", "pari", 1.0),
    ("STRASSE", "straße", 1.0),
    ("New\u00a0York City", "new york", 1.0),
    ("cafe\u0301", "café", 1.0),
    ("Pa ris", "paris", 0.0),
    ("Lyon", "Paris", 0.0),
    ("U.S.", "US", 0.0),
    ("anything", "", 0.0),
    ("", "", 1.0),
]

REGEX = [
    ("It is 42.", r"\b42\b", 1.0),
    ("It is 421.", r"\b42\b", 0.0),
    ("colour", "colou?r", 1.0),
    ("COLOR", "color", 0.0),
    ("COLOR", "(?i)color", 1.0),
    ("first\nsecond", r"(?m)^second$", 1.0),
    ("first\nsecond", r"^second$", 0.0),
    ("first\nsecond", r"first.second", 0.0),
    ("first\nsecond", r"(?s)first.second", 1.0),
    ("yes", "^(?:yes|no)$", 1.0),
    ("yes, maybe", "^(?:yes|no)$", 0.0),
    ("x" * 99_999 + "y", "y", 1.0),
    ("x" * 100_000 + "y", "y", 0.0),
]


@pytest.mark.parametrize(("answer", "reference", "expected"), EXACT)
def test_exact(answer: str, reference: str, expected: float) -> None:
    assert exact(answer, reference) == expected


@pytest.mark.parametrize(("answer", "reference", "expected"), NORMALISED)
def test_normalised(answer: str, reference: str, expected: float) -> None:
    assert normalised(answer, reference) == expected


@pytest.mark.parametrize(("answer", "reference", "expected"), CONTAINS)
def test_contains(answer: str, reference: str, expected: float) -> None:
    assert contains(answer, reference) == expected


@pytest.mark.parametrize(("answer", "reference", "expected"), REGEX)
def test_regex(answer: str, reference: str, expected: float) -> None:
    assert regex(answer, reference) == expected


@pytest.mark.parametrize(
    "pattern", ["(", "[a", "*", "(?P<x", "a{2,1}", "\\", "(?z)", "x{99999999999999999999}"]
)
def test_refuses_a_broken_pattern(pattern: str) -> None:
    with pytest.raises(UsageError, match="cannot read its reference"):
        reference_pattern(pattern)


@given(st.text())
def test_normalising_twice_changes_nothing(text: str) -> None:
    assert normalise(normalise(text)) == normalise(text)


@given(st.text())
def test_a_text_is_normalised_equal_to_itself_in_other_dress(text: str) -> None:
    assert normalised(f" **{text}**. ", text) == 1.0 or not normalise(text)


@given(st.text(), st.text(), st.text())
def test_a_text_contains_its_parts(before: str, part: str, after: str) -> None:
    assert contains(f"{before} {part} {after}", part) == 1.0 or not part.strip()
