"""The names, the defaults and the promises that hold for every grader."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest
from hypothesis import given, strategies as st

from zetaroute.errors import UsageError
from zetaroute.grading import check_grader, check_reference, default_grader, grade, grader_names

USABLE = {
    "exact": "Paris",
    "normalised": "Paris",
    "contains": "Paris",
    "regex": r"\bParis\b",
    "choice": "B",
    "number": "42",
    "json": '{"type": "array", "items": {"type": "integer"}}',
    "f1": "the capital is Paris",
    "rouge-l": "the capital is Paris, a city of 42 towers " * 300,
}


def test_names_are_the_documented_ones() -> None:
    assert grader_names() == tuple(USABLE)


@pytest.mark.parametrize("name", USABLE)
def test_a_name_is_its_own_canonical_form(name: str) -> None:
    assert check_grader(name) == check_grader(f" {name.upper()} ") == name


@pytest.mark.parametrize(
    ("alias", "name"),
    [
        ("em", "normalised"),
        ("EM", "normalised"),
        ("normalized", "normalised"),
        ("em_mc", "choice"),
        ("em-mc", "choice"),
        ("GSM8K", "number"),
        ("gsm8k", "number"),
        ("MATH", "number"),
        ("rouge_l", "rouge-l"),
        ("ROUGE_L", "rouge-l"),
        ("rougeL", "rouge-l"),
        ("f1_score", "f1"),
        ("token_f1", "f1"),
        ("exact_match", "normalised"),
        ("cem", "contains"),
        ("includes", "contains"),
        ("accuracy_mc", "choice"),
        ("multiple_choice", "choice"),
        ("mcq", "choice"),
        ("numeric", "number"),
        ("json_schema", "json"),
    ],
)
def test_aliases(alias: str, name: str) -> None:
    assert check_grader(alias) == name


@pytest.mark.parametrize(
    ("name", "suggestion"),
    [
        ("nubmer", "number"),
        ("regexp", "regex"),
        ("normal", "normalised"),
        ("rouge", "rouge-l"),
        ("choices", "choice"),
    ],
)
def test_an_unknown_name_gets_the_closest_one_and_the_list(name: str, suggestion: str) -> None:
    with pytest.raises(UsageError, match=f"did you mean {suggestion}") as caught:
        check_grader(name)
    assert all(known in str(caught.value) for known in grader_names())


@pytest.mark.parametrize("kind", ["command", "Judge"])
def test_a_kind_that_the_config_must_make_is_no_grader_by_itself(kind: str) -> None:
    with pytest.raises(UsageError, match=r"\[graders.NAME\]"):
        check_grader(kind)


@pytest.mark.parametrize("name", ["", "zzz", "judgement day"])
def test_a_name_like_no_other_gets_the_list_alone(name: str) -> None:
    with pytest.raises(UsageError, match="use one of exact, normalised") as caught:
        grade("x", "y", name)
    assert "did you mean" not in str(caught.value)


@pytest.mark.parametrize(
    ("reference", "grader"),
    [
        ("42", "number"),
        ("-3.5", "number"),
        ("1,234", "number"),
        ("25%", "number"),
        ("$5", "number"),
        ("3/4", "number"),
        ("1e-3", "number"),
        ("B", "choice"),
        ("b", "choice"),
        ("(J)", "choice"),
        (" A ", "choice"),
        ("K", "normalised"),
        ("é", "normalised"),
        ("BC", "normalised"),
        ("Paris", "normalised"),
        ("5 km", "normalised"),
        ("twenty", "normalised"),
        ("2024-05-01", "normalised"),
        ("1.2.3", "normalised"),
        ("A or B", "normalised"),
        ("()", "normalised"),
        ("", "normalised"),
    ],
)
def test_the_default_follows_the_reference(reference: str, grader: str) -> None:
    assert default_grader(reference) == grader


@pytest.mark.parametrize(
    ("answer", "reference", "expected"),
    [
        ("The answer is 42.", "42", 1.0),
        ("The answer is (B).", "B", 1.0),
        ("The answer is (B).", "(C)", 0.0),
        ("paris!", "Paris", 1.0),
        ("It is Paris", "Paris", 0.0),
    ],
)
def test_grades_by_default(answer: str, reference: str, expected: float) -> None:
    assert grade(answer, reference) == expected


@pytest.mark.parametrize(
    ("grader", "reference"),
    [
        ("regex", "("),
        ("choice", "Paris"),
        ("choice", ""),
        ("number", "Paris"),
        ("number", ""),
        ("json", "{"),
        ("json", '{"type": "thing"}'),
        ("GSM8K", "none"),
        ("em_mc", "AB"),
    ],
)
def test_an_unusable_reference_is_a_mistake_and_no_wrong_answer(grader: str, reference: str) -> None:
    for answer in ("", "42"):
        with pytest.raises(UsageError):
            grade(answer, reference, grader)
    with pytest.raises(UsageError):
        check_reference(grader, reference)


@pytest.mark.parametrize(("grader", "reference"), USABLE.items())
def test_a_usable_reference_passes_and_a_blank_answer_is_wrong(grader: str, reference: str) -> None:
    check_reference(grader, reference)
    assert [grade(blank, reference, grader) for blank in ("", " \n\t")] == [0.0, 0.0]


@pytest.mark.parametrize("grader", ["exact", "normalised", "contains", "regex", "f1", "rouge-l"])
def test_a_blank_reference_wants_a_blank_answer(grader: str) -> None:
    assert grade(" ", "", grader) == 1.0


def test_a_pattern_that_matches_nothing_still_wants_an_answer() -> None:
    assert grade("", "^$", "regex") == 0.0


@given(
    st.sampled_from(sorted(USABLE)),
    st.text() | st.from_regex(r"(?s)[A-D1-9(){}\\ .,:%/$*-]*", fullmatch=True),
)
def test_every_score_is_a_share(grader: str, answer: str) -> None:
    assert 0.0 <= grade(answer, USABLE[grader], grader) <= 1.0


@given(st.text(), st.text())
def test_the_default_can_grade_anything(answer: str, reference: str) -> None:
    assert 0.0 <= grade(answer, reference) <= 1.0


@given(st.text().filter(str.strip))
def test_a_text_is_exactly_itself(text: str) -> None:
    assert grade(text, text, "exact") == 1.0


MEGABYTE = 1_000_000
UNITS = [
    "A",
    "A or ",
    "1 ",
    "1%",
    "\n",
    " ",
    "(",
    "answer is ",
    "\\boxed{1} ",
    "one hundred and ",
    "[1,",
    "```\n",
    "so A ",
]


@pytest.mark.parametrize("unit", [*UNITS, "lorem ipsum dolor sit 42 amet. ", "é½", "ﷺ"])
def test_a_megabyte_holds_no_grader_up(unit: str) -> None:
    answer = (unit * (MEGABYTE // len(unit.encode()) + 1))[:MEGABYTE]
    grade("1", '{"type": "array"}', "json")  # so that no import is timed
    for grader, reference in USABLE.items():
        assert min(_cpu_seconds(answer, reference, grader) for _ in range(2)) < 3.0, grader


def _cpu_seconds(answer: str, reference: str, grader: str) -> float:
    """Time one grading by the processor's clock, which does not run while other programs do."""
    start = time.process_time()
    grade(answer, reference, grader)
    return time.process_time() - start


def test_the_final_answer_of_a_long_text_is_found_at_either_end() -> None:
    padding = "Let us think about it once more. " * 30_000
    for grader, reference, said in [
        ("choice", "B", "The answer is B."),
        ("number", "42", "The answer is 42."),
    ]:
        assert grade(f"{padding}\n{said}", reference, grader) == 1.0
        assert grade(f"{said}\n{padding}", reference, grader) == 1.0


def test_importing_and_grading_loads_no_heavy_library() -> None:
    code = (
        "import sys, zetaroute.grading as g; g.grade('42', '42'); g.grade('B', 'B'); g.grade('x', 'y', 'f1');"
        "heavy = {'numpy', 'jsonschema', 'referencing', 'polars', 'duckdb', 'httpx', 'rich', 'typer'};"
        "print(sorted(heavy & set(sys.modules)))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
