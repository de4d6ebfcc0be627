"""What a batch would cost, before anything is spent."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

from zetaroute.batch.answers_file import note_answered
from zetaroute.batch.job import BatchJob, open_job
from zetaroute.batch.progress import Progress
from zetaroute.batch.run import BatchPlan, feed_of
from zetaroute.config import Settings
from zetaroute.errors import UnfitQueryError
from zetaroute.grading.graders import Graders
from zetaroute.log.log import Log
from zetaroute.router.audits import AuditForecast, may_chain
from zetaroute.router.budget import RunBudget
from zetaroute.router.prefetch import Task
from zetaroute.router.router import Router, open_router


def preview(log: Log, settings: Settings, job: BatchJob) -> dict[str, Any]:
    """Return rows to ask, expected cost with a 95% interval, that of audits, and the models whose price is unknown.

    What was answered before costs nothing more. The interval covers the uncertainty of each model's mean cost and of
    the draw, not the spread of single answers around their mean.
    """
    home, progress = log.home, Progress()
    plan = job.plan_in(home, settings)
    with open_job(job, settings) as opened:
        if not job.restart:
            note_answered(log, plan.run, opened.seen_rows)
        feed = feed_of(opened.rows, opened.seen_rows, plan, progress)
        expected = _expected(open_router(home, settings), feed, plan)
    progress.check_usable(job.source)
    count = progress.rows - progress.skipped - progress.bad_lines
    cost_usd = {**expected.pop("cost_usd"), "n": count}
    done = {"rows": count, "skipped": progress.skipped, "bad_lines": progress.bad_lines}
    return {**done, "unfit": expected.pop("unfit"), "cost_usd": cost_usd, **expected}


def _expected(router: Router, feed: Iterable[Task | None], plan: BatchPlan) -> dict[str, Any]:
    mean, variance, spread, unfit = 0.0, 0.0, 0.0, 0
    graders, run = Graders(router.settings), RunBudget(plan.budget_usd)
    audits, graded = AuditForecast(), 0.0
    unpriced: set[str] = set()
    for number, task in enumerate(feed):
        if task is None:
            continue
        query, model = task
        try:
            query = router.tagged(query)
            options = plan.options(query, model)
            # Of several seeds, for what is drawn may begin a chain or not.
            decision = router.decide(
                query, seed=number, limits=plan.limits, forced=model, chains=may_chain(query, options)
            )
            terms = router.audit_terms(query, options, graders=graders, run=run, ahead=graded)
            audit = router.audit_forecast(query, options, terms)
            audits += audit
            graded += audit.rows + graders.can_grade(query)
        except UnfitQueryError:
            unfit += 1
            continue
        if decision.chain is not None:
            # An audit asks all that the chain may ask.
            mean += (1.0 - terms.probability) * decision.chain.later_usd
        for candidate in decision.candidates:
            chance = candidate.probability if model is None else float(candidate.model == model)
            if chance <= 0:
                continue
            if candidate.cost_usd is None:
                unpriced.add(candidate.model)
                continue
            usd = decision.expected_usd(candidate.model)
            mean += chance * usd
            variance += chance * (1 - chance) * usd**2
            spread += chance * candidate.cost_usd.se
    half = 1.96 * math.sqrt(variance + spread**2)
    return {
        "unfit": unfit,
        "cost_usd": {"value": mean, "low": max(mean - half, 0.0), "high": mean + half},
        "audits": asdict(audits),
        "unpriced_models": sorted(unpriced),
    }
