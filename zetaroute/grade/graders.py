"""The table of graders by name, and the four questions that callers ask of it.

It stands apart from the graders themselves so that one more of them is one more row here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from zetaroute.errors import UsageError
from zetaroute.grade.choice import choice, reference_letter
from zetaroute.grade.number import is_number, number, reference_number
from zetaroute.grade.overlap import f1, rouge_l
from zetaroute.grade.schema import json_schema, reference_validator
from zetaroute.grade.text import contains, exact, normalised, reference_pattern, regex


@dataclass(frozen=True, slots=True, kw_only=True)
class Grader:
    """One way of marking: a pure function of an answer and its reference."""

    name: str
    score: Callable[[str, str], float]
    read_reference: Callable[[str], object] = str
    """What `score` makes of a reference; it raises UsageError when the reference cannot be used."""
    aliases: tuple[str, ...] = ()


_TABLE = (
    Grader(name="exact", score=exact, aliases=("string-match", "equals")),
    Grader(
        name="normalised", score=normalised, aliases=("normalized", "em", "exact-match", "quasi-exact-match")
    ),
    Grader(name="contains", score=contains, aliases=("cem", "includes", "contains-match")),
    Grader(name="regex", score=regex, read_reference=reference_pattern, aliases=("regex-match",)),
    Grader(
        name="choice",
        score=choice,
        read_reference=reference_letter,
        aliases=("em-mc", "accuracy-mc", "mc", "mcq", "multiple-choice", "mmlu"),
    ),
    Grader(
        name="number",
        score=number,
        read_reference=reference_number,
        aliases=("gsm8k", "math", "numeric", "numerical"),
    ),
    Grader(name="json", score=json_schema, read_reference=reference_validator, aliases=("json-schema",)),
    Grader(name="f1", score=f1, aliases=("f1-score", "token-f1")),
    Grader(name="rouge-l", score=rouge_l, aliases=("rougel",)),
)
_KINDS = {
    "command": 'command = ["program", "argument"]',
    "judge": 'judge = "model-id"',
}
"""Graders that only a block of the config can make: there is none by the kind's own name."""
_BY_NAME = {grader.name: grader for grader in _TABLE}
_CANONICAL = {spelling: grader.name for grader in _TABLE for spelling in (grader.name, *grader.aliases)}


def grader_names() -> tuple[str, ...]:
    """Return the graders' names in the order of the documentation."""
    return tuple(_BY_NAME)


def folded_name(name: str) -> str:
    """Return a grader's name as names are compared: whatever its case and with `-` or `_`."""
    return name.strip().casefold().replace("_", "-")


def is_taken(name: str) -> bool:
    """Tell whether a name means a grader, or a kind of grader, that is there without any config."""
    return folded_name(name) in _CANONICAL or folded_name(name) in _KINDS


def check_grader(name: str) -> str:
    """Return the canonical name of a grader, whatever its case and with `-` or `_`.

    Aliases: `em`, `exact_match` (as SQuAD's evaluation means it) and `normalized` are normalised, `cem` and
    `includes` are contains, `em_mc`, `accuracy_mc`, `mcq` and `multiple_choice` are choice, `GSM8K`, `MATH` and
    `numeric` are number, `json_schema` is json, `f1_score` and `token_f1` are f1, `rougeL` is rouge-l. Raises
    UsageError for any other name.
    """
    spelling = folded_name(name)
    if spelling in _KINDS:
        raise UsageError(
            f"The grader {spelling} has to be made first: write [graders.NAME] with {_KINDS[spelling]} in "
            "config.toml, and use that NAME."
        )
    if spelling not in _CANONICAL:
        import difflib

        close = difflib.get_close_matches(spelling, _CANONICAL, n=1, cutoff=0.5)
        hint = f" (did you mean {_CANONICAL[close[0]]}?)" if close else ""
        raise UsageError(f"There is no grader {name!r}{hint}: use one of {', '.join(_BY_NAME)}.")
    return _CANONICAL[spelling]


def check_reference(grader: str, reference: str) -> None:
    """Raise UsageError when the grader is unknown or can make nothing of the reference."""
    _BY_NAME[check_grader(grader)].read_reference(reference)


def default_grader(reference: str) -> str:
    """Return the grader that a reference suggests.

    A number written in digits, alone but for a currency or percent sign, is graded by number; one letter
    A-J of either case, optionally in brackets, by choice; anything else by normalised.
    """
    if is_number(reference):
        return "number"
    bare = reference.strip().removeprefix("(").removesuffix(")")
    return "choice" if len(bare) == 1 and bare in "ABCDEFGHIJabcdefghij" else "normalised"


def grade(answer: str, reference: str, grader: str | None = None) -> float:
    """Return how right an answer is, 0..1, by the named grader or by the reference's default one.

    A blank answer scores 0, or 1 where the reference is blank too. Raises UsageError for an unknown grader
    and for a reference that it cannot use, because a mistake in the question is not a wrong answer.
    """
    chosen = _BY_NAME[default_grader(reference) if grader is None else check_grader(grader)]
    if not answer.strip():
        chosen.read_reference(reference)
        return float(not reference.strip())
    return chosen.score(answer, reference)
