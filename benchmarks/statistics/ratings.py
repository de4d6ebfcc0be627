"""What is said of satisfaction when few rate, and not at random: one section of docs/simulations.md.

    python -m benchmarks.statistics.ratings [--jobs 2]

prints the section. Three regimes: who rates does not matter, depends on whether the answer was right, or depends on
the rating itself.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from benchmarks.statistics.sizes import Size, each, error_of, row, share_of
from benchmarks.statistics.worlds import MOOD_NOISE, MOOD_WRONG, Drawn, draw, policies, practice_world
from zetaroute.evaluate.nonresponse import Invitation, RatingSensitivity, after_columns, rated_difference
from zetaroute.evaluate.ope import PairedDR

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

ROWS, FLOOR, ARMS = 6000, 0.15, 3
ASK_SHARE = 0.4
"""Higher than the product's default, so that a simulated log of this size holds enough answers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """What was thought of every answer, and what is known of it."""

    drawn: Drawn
    mood: Array
    accuracy: Array
    gains: Mask
    """Whether the row shows what the candidate rather does."""


Regime = Callable[[Answers], Array]
"""Returns the chance of every row to be rated by a user who has the choice."""


def _constant(answers: Answers) -> Array:
    return np.full(len(answers.mood), 0.3)


def _by_accuracy(answers: Answers) -> Array:
    return np.where(answers.accuracy == 1.0, 0.15, 0.5)


def _by_rating(answers: Answers, *, times: float, opposite: bool) -> Array:
    """Give the wholly unhappy `times` the odds of the wholly happy; with `opposite` after the incumbent's answers
    alone, and the happy those odds after the candidate's."""
    unhappy = 1.0 - answers.mood
    tilt = np.where(answers.gains, answers.mood, unhappy) if opposite else unhappy
    odds = 0.25 * times**tilt
    return np.asarray(odds / (1.0 + odds))


REGIMES: dict[str, tuple[Regime, Regime | None]] = {
    "at random": (_constant, None),
    "by accuracy": (_by_accuracy, None),
    "by the rating, 2 times": (partial(_by_rating, times=2.0, opposite=False), None),
    "by the rating, 4 times": (partial(_by_rating, times=4.0, opposite=False), None),
    "by the rating, 2 times, opposite": (partial(_by_rating, times=2.0, opposite=True), None),
    "by the rating, 4 times, opposite": (partial(_by_rating, times=4.0, opposite=True), None),
    "asked at random, answers by accuracy": (partial(_by_rating, times=8.0, opposite=True), _by_accuracy),
}
"""Who volunteers, and where users are asked at random, who answers; no user is asked in the others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What one regime made of the report."""

    name: str
    given: int = 0
    interval: int = 0
    band: int = 0
    naive: int = 0
    wrong: int = 0
    """Intervals that lie wholly on the wrong side of zero."""


def thought(answers: Drawn, rng: np.random.Generator) -> Answers:
    """Draw what people think of the answers, rated or not."""
    accuracy = answers.rewards["accuracy"]
    middle = MOOD_WRONG + (1.0 - 2.0 * MOOD_WRONG) * accuracy
    return Answers(
        drawn=answers,
        mood=np.clip(middle + MOOD_NOISE * rng.normal(size=len(accuracy)), 0.0, 1.0),
        accuracy=accuracy,
        gains=answers.rows.arm == answers.rows.after,
    )


def report(answers: Answers, rng: np.random.Generator, name: str) -> tuple[RatingSensitivity, PairedDR]:
    """Return what would be told of these answers, and the comparison that takes ratings as they come."""
    volunteers, prompted = REGIMES[name]
    n = len(answers.mood)
    rated = rng.random(n) < volunteers(answers)
    asking = None
    if prompted is not None:
        asked = rng.random(n) < ASK_SHARE
        answered = asked & (rng.random(n) < prompted(answers))
        rated = np.where(asked, answered, rated)
        asking = Invitation(chance=np.full(n, ASK_SHARE), asked=asked, answered=answered)
    ratings = np.where(rated, answers.mood, np.nan)
    rows = answers.drawn.rows
    found = rated_difference(
        rows, ratings, after=after_columns({"accuracy": answers.accuracy}), asking=asking
    )
    return found, PairedDR(rows, ratings, bounded=True)


def regime(name: str, replications: int) -> Told:
    """Draw worlds, policies and ratings, and count what holds the truth."""
    rng = np.random.default_rng([list(REGIMES).index(name), 11])
    world = practice_world(ARMS)
    counts = dict.fromkeys(("given", "interval", "band", "naive", "wrong"), 0)
    for _ in range(replications):
        before, after = policies(world, rng)
        truth = world.truths(before, after)["satisfaction"]
        answers = thought(draw(world, rng, ROWS, floor=FLOOR, before=before, after=after), rng)
        found, plain = report(answers, rng, name)
        figure, naive = found.difference.figure(), plain.difference().figure()
        by_lot = REGIMES[name][1] is not None
        if found.band.low is None or figure.low is None or found.asked != by_lot:
            continue
        counts["given"] += 1
        counts["interval"] += figure.low <= truth <= figure.high
        counts["band"] += found.band.low <= truth <= found.band.high
        counts["naive"] += naive.low <= truth <= naive.high
        counts["wrong"] += figure.low > 0 > truth or figure.high < 0 < truth
    return Told(name=name, **counts)


def ratings(size: Size, jobs: int) -> list[str]:
    """Return the section."""
    told = each([partial(regime, name, size.ratings) for name in REGIMES], jobs)
    return [
        "## Satisfaction when few rate",
        "",
        f"{ROWS} held-out rows, floor {FLOOR:g}, {ARMS} models, {size.ratings} replications per line (one standard",
        f"error at 95% is {error_of(0.95, size.ratings):.3f}). 'corrected' is the 95% interval of the difference",
        "that is shown, 'as they come' the one that takes the rated rows for all. The band allows for unhappy users",
        "that are up to twice as likely to rate, in odds; 'opposite' lets them do so after the incumbent's answers",
        "and happy ones after the candidate's, the worst case. In the last line volunteers are worse still (8 times,",
        f"opposite), but {ASK_SHARE:.0%} of the answers were asked about at random: only those count, where 20 show "
        "the new choice.",
        "",
        *row("who rates", "given", "as they come", "corrected", "band", "on the wrong side of zero"),
        *row(*["---"] * 6),
        *(line for one in told for line in _line(one, size.ratings)),
        "",
    ]


def _line(one: Told, replications: int) -> Sequence[str]:
    shares = (share_of(count, one.given) for count in (one.naive, one.interval, one.band, one.wrong))
    return row(one.name, f"{one.given} of {replications}", *(f"{share:.3f}" for share in shares))


def main() -> None:
    """Print the section at full size."""
    from benchmarks.statistics.sizes import FULL

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=2)
    sys.stdout.write("\n".join(ratings(FULL, parser.parse_args().jobs)) + "\n")


if __name__ == "__main__":
    main()
