"""The graders by name: one row for each built-in one, and those of installed packages."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from importlib import import_module
from typing import Any

from zetaroute.errors import UsageError
from zetaroute.extensions import extension_names, load_extension


@dataclass(frozen=True, slots=True, kw_only=True)
class Grader:
    """One way of marking: a pure function of an answer and its reference, to a score 0..1."""

    score: Callable[[str, str], float]
    read_reference: Callable[[str], object] = str
    """What `score` makes of a reference; it raises UsageError when the reference cannot be used."""
    aliases: tuple[str, ...] = ()


def _from(module: str, name: str) -> Callable[..., Any]:
    """Return a function of this room whose module is loaded by the first call: most queries are graded by none."""

    def call(*texts: str) -> Any:
        return getattr(import_module(f"zetaroute.grading.{module}"), name)(*texts)

    return call


def _built_in(module: str, score: str, *aliases: str, reads: str | None = None) -> Grader:
    read = str if reads is None else _from(module, reads)
    return Grader(score=_from(module, score), read_reference=read, aliases=aliases)


_TABLE = {
    "exact": _built_in("text_graders", "exact", "string-match", "equals"),
    "normalised": _built_in(
        "text_graders", "normalised", "normalized", "em", "exact-match", "quasi-exact-match"
    ),
    "contains": _built_in("text_graders", "contains", "cem", "includes", "contains-match"),
    "regex": _built_in("text_graders", "regex", "regex-match", reads="reference_pattern"),
    "choice": _built_in(
        *("choice", "choice", "em-mc", "accuracy-mc", "mc", "mcq", "multiple-choice", "mmlu"),
        reads="reference_letter",
    ),
    "number": _built_in(
        "number", "number", "gsm8k", "math", "numeric", "numerical", reads="reference_number"
    ),
    "json": _built_in("json_schema", "json_schema", "json-schema", reads="reference_validator"),
    "f1": _built_in("text_graders", "f1", "f1-score", "token-f1"),
    "rouge-l": _built_in("text_graders", "rouge_l", "rougel"),
}
_KINDS = {
    "command": 'command = ["program", "argument"]',
    "judge": 'judge = "model-id"',
}
"""Graders that only a block of the config can make: there is none by the kind's own name."""
_CANONICAL = {spelling: name for name, grader in _TABLE.items() for spelling in (name, *grader.aliases)}


class BrokenGraderError(Exception):
    """A grader of an installed package gave no score."""


def grader_names() -> tuple[str, ...]:
    """Return the graders' names in the order of the documentation."""
    return tuple(_TABLE)


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
    `numeric` are number, `json_schema` is json, `f1_score` and `token_f1` are f1, `rougeL` is rouge-l. A grader of
    an installed package has the name of its entry point. Raises UsageError for any other name.
    """
    spelling = folded_name(name)
    if spelling in _KINDS:
        raise UsageError(
            f"The grader {spelling} has to be made first: write [graders.NAME] with {_KINDS[spelling]} in "
            "config.toml, and use that NAME."
        )
    if spelling in _CANONICAL:
        return _CANONICAL[spelling]
    if _of_a_package(spelling) is None:
        import difflib

        close = difflib.get_close_matches(spelling, _CANONICAL, n=1, cutoff=0.5)
        hint = f" (did you mean {_CANONICAL[close[0]]}?)" if close else ""
        known = ", ".join((*_TABLE, *extension_names("graders")))
        raise UsageError(f"There is no grader {name!r}{hint}: use one of {known}.")
    return spelling


def check_reference(grader: str, reference: str) -> None:
    """Raise UsageError when the grader is unknown or can make nothing of the reference."""
    _grader(check_grader(grader)).read_reference(reference)


def default_grader(reference: str) -> str:
    """Return the grader that a reference suggests.

    A number written in digits, alone but for a currency or percent sign, is graded by number; one letter
    A-J of either case, optionally in brackets, by choice; anything else by normalised.
    """
    from zetaroute.answers.number import is_number

    if is_number(reference):
        return "number"
    bare = reference.strip().removeprefix("(").removesuffix(")")
    return "choice" if len(bare) == 1 and bare in "ABCDEFGHIJabcdefghij" else "normalised"


def grade(answer: str, reference: str, grader: str | None = None) -> float:
    """Return how right an answer is, 0..1, by the named grader or by the reference's default one.

    A blank answer scores 0, or 1 where the reference is blank too. Raises UsageError for an unknown grader
    and for a reference that it cannot use, because a mistake in the question is not a wrong answer, and
    BrokenGraderError where the grader of an installed package fails.
    """
    chosen = _grader(default_grader(reference) if grader is None else check_grader(grader))
    if not answer.strip():
        chosen.read_reference(reference)
        return float(not reference.strip())
    return chosen.score(answer, reference)


def _grader(name: str) -> Grader:
    found = _TABLE.get(name) or _of_a_package(name)
    assert found is not None, name  # noqa: S101  - names come from check_grader and default_grader
    return found


@cache
def _of_a_package(spelling: str) -> Grader | None:
    """Return the grader of an installed package, its mistakes turned into BrokenGraderError."""
    name = next((name for name in extension_names("graders") if folded_name(name) == spelling), None)
    if name is None:
        return None
    found: Grader = load_extension("graders", name, is_usable=lambda one: isinstance(one, Grader))

    def score(answer: str, reference: str) -> float:
        try:
            value = float(found.score(answer, reference))
        except UsageError:
            raise
        except Exception as error:
            raise BrokenGraderError(f"the grader {name} broke ({type(error).__name__}: {error})") from error
        if not 0 <= value <= 1:
            raise BrokenGraderError(f"the grader {name} gave {value:g}, which is not between 0 and 1")
        return value

    return replace(found, score=score)
