"""The whole loop on practice models: cold start, ratings, retrain, the promoted policy, before against after."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from zetaroute.analysis.kpi import compare
from zetaroute.batch.input import as_rows
from zetaroute.batch.progress import Progress
from zetaroute.batch.run import BatchPlan, run_batch
from zetaroute.batch.seen_rows import SeenRows
from zetaroute.config import Home, Settings
from zetaroute.domain import Feedback, new_id, utc_now
from zetaroute.lifecycle.retrain import retrain
from zetaroute.lifecycle.retrain_result import RetrainResult
from zetaroute.log.journal import Entry
from zetaroute.practice.generator import generate
from zetaroute.practice.rater import simulated_rating
from zetaroute.projections import log_of
from zetaroute.report.kpi_report import compare_report
from zetaroute.report.markdown import markdown
from zetaroute.router.answer import Answer
from zetaroute.router.router import open_router

OnProgress = Callable[[Progress], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Phase:
    """Some queries of the demo."""

    name: str
    rows: int
    seed: int


def demo_home(home: Home) -> Home:
    """Return the home itself when nothing was logged there, else a fresh folder in it."""
    if not home.database.exists() and not any(home.journal.glob("*")):
        return home
    stamp = datetime.now().strftime("%Y%m%d-%H%M%S-%f")
    return Home(home.path / f"demo-{stamp}")


async def play_phase(
    home: Home, settings: Settings, phase: Phase, *, concurrency: int, on_progress: OnProgress
) -> Progress:
    """Route the queries of a phase by the policy in use, with simulated ratings for some of the answers."""
    log = log_of(home, settings.privacy)
    rng = random.Random(phase.seed)
    ratings: list[Feedback] = []

    def simulate(answer: Answer) -> None:
        stars = simulated_rating(rng, accuracy=answer.accuracy or 0.0, response_s=answer.response_s)
        if stars is not None and answer.outcome.status == "ok":
            ratings.append(_rating(answer.id, stars))

    progress = await run_batch(
        open_router(home, settings),
        as_rows(one.query for one in generate(rows=phase.rows, seed=phase.seed)),
        log=log,
        seen_rows=SeenRows(),
        plan=BatchPlan(run=f"demo-{phase.name}", concurrency=concurrency, seed=phase.seed),
        on_answer=simulate,
        on_progress=on_progress,
    )
    log.append([Entry(feedback=tuple(ratings))])
    log.merge(patience_s=10.0)
    return progress


def learn(home: Home, settings: Settings, *, seed: int) -> RetrainResult:
    """Retrain on what the demo has logged."""
    return retrain(home=home, settings=settings, log=log_of(home), seed=seed, author="demo")


def before_and_after(home: Home, settings: Settings) -> tuple[dict[str, Any], Path]:
    """Compare the promoted version with the one before it; return the result and where its report is."""
    with log_of(home).open() as connection:
        result = compare(connection, home, settings).json()
    report = home.path / "before-and-after.md"
    report.write_text(markdown(compare_report(result)), encoding="utf-8")
    return result, report


def _rating(outcome_id: str, stars: int) -> Feedback:
    return Feedback(
        id=new_id(),
        outcome_id=outcome_id,
        metric="rating",
        value=float(stars),
        source="user",
        author="simulated",
        time=utc_now(),
    )
