"""The record of a retrain, and its artifact."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict

from zetaroute.analysis.contest_result import at_every_look, evidence_json
from zetaroute.domain import Objective
from zetaroute.evaluate.intervals import NOTHING
from zetaroute.learn.fit import Fitted
from zetaroute.learn.kept_chain import LearnedChain
from zetaroute.lifecycle.candidate import CandidatePolicy
from zetaroute.lifecycle.evidence import Evidence
from zetaroute.lifecycle.margins import kinds_of_query
from zetaroute.lifecycle.moves import Moves
from zetaroute.lifecycle.retrain_result import RetrainRecord
from zetaroute.lifecycle.verdict import Verdict
from zetaroute.policy.chain.plan import ChainPlan
from zetaroute.registry import Registry
from zetaroute.report import html
from zetaroute.report.figure_words import amount
from zetaroute.report.markdown import markdown
from zetaroute.report.retrain_report import retrain_report


def record_of(
    evidence: Evidence,
    verdict: Verdict,
    rows: Mapping[str, int],
    made: CandidatePolicy,
    moves: Moves,
    *,
    parent: str,
    promoted: bool,
    notes: Sequence[str],
    anew: str | None,
    objective: Objective,
) -> RetrainRecord:
    """Return what a retrain found; `notes` are said behind the reasons of the verdict."""
    table, found = evidence.table, evidence.found
    change = {"utility_usd": NOTHING} if table is None else dict(table.difference)
    if verdict.word == "PROMOTE":
        # What was just promoted looks better than it is: no interval for one look holds.
        change["utility_usd"] = at_every_look(change["utility_usd"], evidence.gain(objective))
    return RetrainRecord(
        parent=parent,
        verdict=verdict.word,
        promoted=promoted,
        reasons=[*verdict.reasons, *notes],
        anew=anew,
        rows={**rows, "scored": evidence.standing.units},
        before={} if table is None else table.before,
        after={} if table is None else table.after,
        difference=change,
        queries_missing=None if table is None else table.units_missing,
        left_out=() if table is None else table.left_out,
        evidence={**evidence_json(evidence.standing), "serves": evidence.serves},
        audits_needed=verdict.audits_needed,
        audit_usd_needed=verdict.audit_usd_needed,
        harm=[] if found is None else [asdict(one) for one in kinds_of_query(found, objective)],
        model_share=moves.model_share(),
        anchor=made.manifest["anchor"],
        segments=moves.segments(made.predictor.map),
        reliability=made.manifest["reliability"],
    )


def of_the_fit(fitted: Fitted, moves: Moves, chain: LearnedChain) -> list[str]:
    """Return what is to be said of what was learned."""
    words = [*_of_the_chain(chain.plan), *chain.notes]
    if moves.none and (chain.plan is None or not chain.plan.serves):
        words.append(
            "nothing new was learned: the new version would ask the champion's models for every one of the latest "
            "queries"
        )
    for drift in fitted.drifts:
        words.append(
            f"{fitted.predictor.models[drift.arm]} got {'worse' if drift.z < 0 else 'better'} (z {drift.z:+.1f}): "
            "its older rows hardly count any more"
        )
    return words


def _of_the_chain(plan: ChainPlan | None) -> list[str]:
    if plan is None:
        return []
    models = " and ".join((", ".join(plan.models[:-1]), plan.models[-1]))
    gain = f"{amount(plan.gain_usd, 'usd_per_query', signed=True)} ± {amount(plan.gain_se, 'usd_per_query')}"
    if plan.serves:
        told = f"pays: {gain} per 1,000 queries more than choosing by the query alone, by audited queries"
    elif not plan.gain_se:
        told = "is not used: too few audited queries have the grades of all its models"
    else:
        told = f"is not used: its gain on audited queries, {gain} per 1,000, is within one standard error"
    return [f"a chain of {models}, which looks at answers, {told}"]


def publish(
    registry: Registry, made: CandidatePolicy, record: RetrainRecord, *, itself: bool, page: bool
) -> str:
    """Store the new version with what was found, and return its name; `itself` says whether it was promoted."""
    result = record.json()
    report = retrain_report(result)
    files = {
        **made.files,
        "kpi.json": json.dumps(result, indent=2, allow_nan=False).encode(),
        "report.md": markdown(report).encode(),
    }
    if page:
        files["report.html"] = html.page(report).encode()
    # The verdict may be on the challenger of before.
    verdict = record.verdict if itself or record.verdict != "PROMOTE" else "INSUFFICIENT"
    return registry.publish({**made.manifest, "gate": {"verdict": verdict, "promoted": itself}}, files)
