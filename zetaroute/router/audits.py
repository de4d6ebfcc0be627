"""Which queries are audited, and which models are asked then beside the one that answers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from zetaroute.domain import (
    SIGNAL,
    Arm,
    Audit,
    Chain,
    ChainReplay,
    Decision,
    Query,
    is_cut,
    new_id,
    run_chain,
)
from zetaroute.grading.graders import Graders
from zetaroute.log.journal import Entry
from zetaroute.router.options import AskOptions

MOST_AT_ONCE = 32
"""Audits under way in one process, from which on no other begins: what answers users comes first."""
SWITCH = "`[audit] share = 0` in the config, or --no-audit, turns audits off"
FIRST_AUDIT = (
    "audits: some queries are asked of other models too, whose answers are graded to learn from; their cost is told "
    f"as that of audits, beside the cost of your answers; {SWITCH}"
)
"""What is said at the first audit of a home."""
_TOOLS = frozenset({"tools", "functions"})


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditForecast:
    """What audits are expected to ask for, their coins not yet tossed."""

    rows: float = 0.0
    """Answers of other models."""
    cost_usd: float = 0.0

    def __add__(self, other: AuditForecast) -> AuditForecast:
        """Return both together."""
        return AuditForecast(rows=self.rows + other.rows, cost_usd=self.cost_usd + other.cost_usd)


def why_unaudited(query: Query, options: AskOptions, *, graders: Graders, arms: Iterable[Arm]) -> str | None:
    """Return why a query cannot be audited, whatever its price, in a few words; None where it can."""
    if options.no_audit is not None:
        return options.no_audit
    recorded = all(arm.provider == "recorded" for arm in arms)
    local_only = options.limits.local_only
    reasons = (
        *_for_one_model(query, options),
        ("a highest cost was asked for", options.limits.max_cost_usd is not None),
        # A recording brings its score along.
        ("nothing can grade it", not recorded and not graders.can_grade(query, local_only=local_only)),
    )
    return next((reason for reason, holds in reasons if holds), None)


def may_chain(query: Query, options: AskOptions) -> bool:
    """Return whether more than one model may be asked for the answer of a query."""
    return not options.no_chain and not any(holds for _, holds in _for_one_model(query, options))


def _for_one_model(query: Query, options: AskOptions) -> tuple[tuple[str, bool], ...]:
    """Return why a query is for one model alone, in a few words each, and which of it holds."""
    return (
        ("pinned", options.model is not None),
        ("a conversation goes on", options.kept is not None or bool(query.history)),
        (
            "tools",
            bool(query.after)
            or not _TOOLS.isdisjoint({*query.options, *(query.native.body if query.native else ())}),
        ),
        ("attachments", bool(query.attachments)),
    )


def asked_beside(decision: Decision) -> tuple[str, ...]:
    """Return the models that an audit asks beside the decided one, each of which may answer the query."""
    if decision.audit is None or not decision.audit.heads:
        return ()
    eligible = {candidate.model for candidate in decision.candidates if candidate.eligible}
    return tuple(model for model in decision.audit.asks if model != decision.model and model in eligible)


def chain_replays(query: Query, decision: Decision, entries: Sequence[Entry]) -> tuple[ChainReplay, ...]:
    """Return what the chains of both sides would have done by the rows of an audit, but for the one that ran.

    A check may have held answers back from that one, so nothing is compared with it then. None where an answer is
    missing that a chain wants.
    """
    draw, rows = decision.contest, [row for entry in entries for row in entry.outcomes]
    if draw is None or decision.audit is None or not decision.audit.heads or query.may_fail_check:
        return ()
    by_model = {row.model: row for row in rows}
    said = [said for entry in entries for said in entry.feedback if said.metric == SIGNAL]
    signals = {one.outcome_id: one.value for one in said}
    seconds = {model: row.response_s or 0.0 for model, row in by_model.items()}

    def see(chain: Chain, model: str, running: str | None) -> Chain:
        row = by_model[model]
        if row.status != "ok":
            return chain.without(model)
        return chain.with_answer(
            model,
            row.response or "",
            cut=is_cut(row.finish_reason),
            logprobs=row.logprobs,
            signal=signals.get(row.id),
            running=running,
        )

    found = []
    for side, chain in decision.chained.items():
        if decision.chain is not None and side == draw.side:
            continue
        try:
            ended, asked, waited_s = run_chain(chain, seconds, see)
        except KeyError:
            continue
        answered = any(by_model[model].status == "ok" for model in asked)
        found.append(
            ChainReplay(
                id=new_id(),
                outcome_id=rows[0].id,
                side=side,
                asked=tuple(sorted(asked)),
                returned=ended.best() if answered else None,
                waited_s=waited_s,
            )
        )
    return tuple(found)


def unaudited(decision: Decision) -> Decision:
    """Return a decision whose coin fell on heads without its audit, which no budget holds."""
    coin = Audit(probability=0.0, heads=False, blocked="a budget does not hold what it would cost")
    return replace(decision, audit=coin)
