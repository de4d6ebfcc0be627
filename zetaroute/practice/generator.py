"""The seeded generator of practice queries with ground truth."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random

from zetaroute.domain import Query
from zetaroute.errors import UsageError
from zetaroute.practice.families import FAMILIES

_DIFFICULTIES = range(1, 6)
_MOST_REPEATS = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class PracticeQuery:
    """One generated query with its ground truth."""

    query: Query
    """Its task is the family that wrote it, which the practice models never see."""
    difficulty: int


def generate(*, rows: int, seed: int, families: Sequence[str] | None = None) -> Iterator[PracticeQuery]:
    """Yield `rows` queries, no text twice, families and difficulties drawn evenly; None means all families.

    Raises UsageError for an unknown family or a negative number of rows, and while iterating when the
    families cannot give so many different texts.
    """
    chosen = sorted(FAMILIES) if families is None else list(families)
    unknown = [name for name in chosen if name not in FAMILIES]
    if unknown or not chosen:
        named = f"There is no practice family {unknown[0]!r}" if unknown else "No practice family was named"
        raise UsageError(f"{named}: choose from {', '.join(sorted(FAMILIES))}.")
    if rows < 0:
        raise UsageError(f"The number of practice rows is {rows}: give 0 or more.")
    return _draw(Random(seed), rows, chosen)


def _draw(rng: Random, rows: int, families: list[str]) -> Iterator[PracticeQuery]:
    written: set[str] = set()
    for number in range(1, rows + 1):
        for _ in range(_MOST_REPEATS):
            family, difficulty = rng.choice(families), rng.choice(_DIFFICULTIES)
            question = FAMILIES[family].write(rng, difficulty)
            if question.text not in written:
                break
        else:
            raise UsageError(
                f"The practice families {', '.join(families)} gave {number - 1} different queries and no more: "
                "ask for fewer rows or for more families."
            )
        written.add(question.text)
        query = Query(
            text=question.text,
            reference=question.reference,
            grader=question.grader,
            task=family,
            custom_id=f"p-{number:06d}",
        )
        yield PracticeQuery(query=query, difficulty=difficulty)


def json_line(one: PracticeQuery) -> str:
    """Return a query as a line of batch input."""
    row = {
        "query": one.query.text,
        "reference": one.query.reference,
        "grader": one.query.grader,
        "task": one.query.task,
        "custom_id": one.query.custom_id,
        "metadata": {"difficulty": one.difficulty},
    }
    return json.dumps(row, ensure_ascii=False)
