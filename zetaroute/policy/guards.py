"""Which arms may answer a query: rules on tags, the user's limits, health, and thresholds that were broken."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from zetaroute.config import GuardRule, TagRule
from zetaroute.domain import ALL_TASKS, DEMOTED, Arm, Query, Standing, Tally, query_kind_key, usd
from zetaroute.errors import ForbiddenQueryError, NoAnswerError, UnfitQueryError

ERRORS_BEFORE_COOLDOWN = 3
COOLDOWN_S = 30.0
LONGEST_COOLDOWN_S = 600.0
LONGEST_PROBE_S = 120.0
"""A probe that has not come back after this is forgotten."""
ENOUGH = 20
"""Rows below which a guard says nothing."""
COOLING = "cooling down"
"""How the reason of a candidate begins that failed too often lately."""
Z = 1.645
"""One-sided 95%."""


def broken(
    arm_tags: Collection[str], query_tags: Collection[str], rules: Iterable[TagRule]
) -> TagRule | None:
    """Return the first rule that an arm with these tags breaks for a query with those, or None."""
    if not query_tags:
        return None
    found = (rule for rule in rules if rule.tag in query_tags and rule.require not in arm_tags)
    return next(found, None)


def allowed(arm_tags: Collection[str], query_tags: Collection[str], rules: Iterable[TagRule]) -> bool:
    """Return whether a query may be sent to an arm, or an endpoint, with these tags."""
    return broken(arm_tags, query_tags, rules) is None


def may_matter(rules: Iterable[TagRule], destinations: Iterable[Collection[str]]) -> bool:
    """Return whether any tag can keep a query from a model, or an endpoint, of those with these tags."""
    places = list(destinations)
    return any(rule.require not in tags for rule in rules for tags in places)


def words(rule: TagRule) -> str:
    """Return why an arm is out, as `--explain` shows it."""
    return f"has no tag {rule.require}, which {rule.tag} queries need"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What the user allows for one query."""

    local_only: bool = False
    max_cost_usd: float | None = None
    left_usd: float | None = None
    """What is left of the budget; None: there is none."""
    budget: str = ""
    """Which budget that is, in words."""
    closed: Mapping[str, str] = field(default_factory=dict)
    """Models that cannot be called at all, by id, and why: their absence says nothing of how good they are."""


def tripped(standing: Standing) -> bool:
    """Return whether an arm has failed so often in a row that it is left alone, but for probes."""
    return standing.consecutive_errors >= ERRORS_BEFORE_COOLDOWN


def cooling_until(standing: Standing) -> float:
    """Return the moment (seconds since the epoch) until which a failing arm is left alone; 0 if it is not.

    From the third error in a row the wait doubles with each further one, up to ten minutes. After the wait one
    query of a process tries the arm while the others still avoid it (`Standing.probe_s`); separate processes
    know of each other's failures alone, so each may try once per wait.
    """
    over = standing.consecutive_errors - ERRORS_BEFORE_COOLDOWN
    if over < 0 or standing.last_error_s is None:
        return 0.0
    return standing.last_error_s + min(COOLDOWN_S * 2.0 ** min(over, 10), LONGEST_COOLDOWN_S)


@dataclass(frozen=True, slots=True, kw_only=True)
class Exclusion:
    """Why an arm may not answer."""

    reason: str
    demoted: bool = False
    """Whether it is a guard that says so: then the arm is on probation."""


def exclusions(
    arms: Sequence[Arm],
    *,
    query: Query,
    expected_cost_usd: Sequence[float],
    limits: Limits,
    guards: Sequence[GuardRule],
    rules: Sequence[TagRule],
    standings: Mapping[str, Standing],
    now_s: float,
    segment: str | None = None,
) -> list[Exclusion | None]:
    """Return for each arm why it may not answer, or None when it may; `expected_cost_usd` is NaN if unknown.

    `segment` is the learned kind of a query without a task label.

    When health and thresholds leave no arm, they are set aside: a doubtful answer beats none. The user's own
    limits, the rules on tags and what a model can take never are: raises NoAnswerError when they exclude every arm,
    UnfitQueryError where another query might still be answered, ForbiddenQueryError where the rules leave none.
    """
    costs = expected_cost_usd
    bars = [barred(arm, expected_cost_usd=cost, limits=limits) for arm, cost in zip(arms, costs, strict=True)]
    forbidden = [forbids(arm, query=query, rules=rules) for arm in arms]
    if all(forbidden):
        reasons = "; ".join(f"{arm.id} {reason}" for arm, reason in zip(arms, forbidden, strict=True))
        raise ForbiddenQueryError(f"nothing was sent: {reasons}; configure a model that has it.")
    limited = [
        rule or bar or unfit(arm, query=query, expected_cost_usd=cost, limits=limits)
        for arm, rule, bar, cost in zip(arms, forbidden, bars, costs, strict=True)
    ]
    if all(limited):
        reasons = "; ".join(f"{arm.id}: {reason}" for arm, reason in zip(arms, limited, strict=True))
        if all(bars):
            raise NoAnswerError(f"no model is allowed to answer ({reasons}): change what excludes them.")
        raise UnfitQueryError(f"no model takes this query ({reasons}): configure one that does.")
    doubtful = [
        doubt(standings.get(arm.id), task=query.task, segment=segment, guards=guards, now_s=now_s)
        for arm in arms
    ]
    firm = [Exclusion(reason=limit) if limit else None for limit in limited]
    if all(limit or doubt for limit, doubt in zip(firm, doubtful, strict=True)):
        return firm
    return [limit or doubt for limit, doubt in zip(firm, doubtful, strict=True)]


def forbids(arm: Arm, *, query: Query, rules: Sequence[TagRule]) -> str | None:
    """Return why the tags of `query` forbid `arm`, or None."""
    rule = broken(arm.tags, query.tags, rules)
    return None if rule is None else words(rule)


def barred(arm: Arm, *, expected_cost_usd: float, limits: Limits) -> str | None:
    """Return why the user or the budget lets `arm` answer nothing now, or None."""
    if arm.id in limits.closed:
        return limits.closed[arm.id]
    if limits.local_only and not arm.local:
        return "not local"
    if limits.left_usd is None or not arm.paid:
        return None
    if limits.left_usd <= 0:
        return f"the {limits.budget} is used up"
    if expected_cost_usd > limits.left_usd:
        return f"would cost about {usd(expected_cost_usd)}, and {usd(limits.left_usd)} of the {limits.budget} is left"
    return None


def unfit(arm: Arm, *, query: Query, expected_cost_usd: float, limits: Limits) -> str | None:
    """Return why `arm` cannot answer this query, or not at the price that is asked for, or None."""
    unreadable = _unreadable(arm, query)
    if unreadable:
        return unreadable
    if arm.context_window is not None:
        wanted = query.tokens_at_most() + _answer_tokens(arm, query)
        if wanted > arm.context_window:
            return f"its context window of {arm.context_window} tokens may be too small for about {wanted}"
    if limits.max_cost_usd is None:
        return None
    if math.isnan(expected_cost_usd):
        return None if arm.local else "its price is unknown and a highest cost was asked for"
    if expected_cost_usd > limits.max_cost_usd:
        return f"would cost about {usd(expected_cost_usd)}, more than {usd(limits.max_cost_usd)}"
    return None


def check_forced(
    forced: str,
    arms: Sequence[Arm],
    *,
    query: Query,
    costs: Sequence[float],
    limits: Limits,
    rules: Sequence[TagRule],
) -> None:
    """Raise NoAnswerError when the pinned model may not answer, UnfitQueryError when it cannot take this."""
    arm, cost = next((arm, cost) for arm, cost in zip(arms, costs, strict=True) if arm.id == forced)
    rule = forbids(arm, query=query, rules=rules)
    if rule:
        raise ForbiddenQueryError(f"nothing was sent: {forced} {rule}; choose another model.")
    bar = barred(arm, expected_cost_usd=cost, limits=limits)
    if bar:
        raise NoAnswerError(f"{forced} may not answer: {bar}; choose another model.")
    reason = unfit(arm, query=query, expected_cost_usd=cost, limits=limits)
    if reason:
        raise UnfitQueryError(f"{forced} may not answer: {reason}; choose another model.")


def _unreadable(arm: Arm, query: Query) -> str | None:
    if query.attachments and (kinds := {file.kind for file in query.attachments} - {"text", *arm.accepts}):
        return f"takes no {min(kinds)} (accepts in the config)"
    if query.wire_formats and arm.provider not in query.wire_formats:
        formats = " or ".join(query.wire_formats)
        return f"does not speak the wire format {formats} that this query's tools or options need"
    return None


def _answer_tokens(arm: Arm, query: Query) -> int:
    """Return how many tokens were asked for, which share the window with the query."""
    asked = {**arm.options, **query.options}.get("max_tokens")
    return asked if isinstance(asked, int) else 0


def doubt(
    standing: Standing | None,
    *,
    task: str | None,
    segment: str | None,
    guards: Sequence[GuardRule],
    now_s: float,
) -> Exclusion | None:
    """Return why an arm is better left alone now: errors in a row, or a threshold that it broke."""
    if standing is None:
        return None
    wait_s = cooling_until(standing) - now_s
    if wait_s > 0:
        wait = f"{COOLING} for {wait_s:.0f} s"
        return Exclusion(reason=f"{wait} after {standing.consecutive_errors} errors in a row")
    if standing.probe_s is not None and now_s - standing.probe_s < LONGEST_PROBE_S:
        return Exclusion(reason=f"one query is trying it after {standing.consecutive_errors} errors in a row")
    place = query_kind_key(task, segment)
    z = 0.0 if place in standing.demoted else Z
    for rule in guards:
        if rule.model in {None, standing.model} and rule.place in {ALL_TASKS, place}:
            reason = breach(rule, standing.tallies.get(rule.place), z=z)
            if reason:
                return Exclusion(reason=f"{DEMOTED}: {reason}", demoted=True)
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Gauge:
    """A figure that a guard judges by, with the bound that must break the rule before anybody is demoted."""

    value: float
    bound: float
    n: int


def gauge(rule: GuardRule, tally: Tally, *, z: float = Z) -> Gauge | None:
    """Return what `rule` looks at in a tally: the figure and its one-sided bound; None with fewer than ENOUGH rows.

    Wilson's bound for shares, `z` standard errors from the figure.
    """
    if rule.metric == "accuracy" and tally.graded >= ENOUGH:
        bound = wilson(tally.accuracy, tally.graded, side=1, z=z)
        return Gauge(value=tally.accuracy, bound=bound, n=tally.graded)
    if rule.metric == "satisfaction" and tally.rated >= ENOUGH:
        bound = tally.satisfaction + z * tally.satisfaction_sd / math.sqrt(tally.rated)
        return Gauge(value=tally.satisfaction, bound=bound, n=tally.rated)
    if rule.metric == "error_rate" and tally.calls >= ENOUGH:
        rate = tally.errors / tally.calls
        return Gauge(value=rate, bound=wilson(rate, tally.calls, side=-1, z=z), n=tally.calls)
    p95_s = tally.p95_low_s if z else tally.p95_s
    if rule.metric == "p95_response_s" and p95_s is not None:
        return Gauge(value=p95_s if tally.p95_s is None else tally.p95_s, bound=p95_s, n=tally.calls)
    return None


def breach(rule: GuardRule, tally: Tally | None, *, z: float = Z) -> str | None:
    """Return how `tally` breaks `rule`, in words, or None.

    An arm is demoted by a one-sided confidence bound on at least ENOUGH rows, so that chance alone seldom demotes.
    It returns when the figure itself keeps the rule (z=0): between the two it stays what it is, and nothing flaps.
    """
    seen = None if tally is None else gauge(rule, tally, z=z)
    if seen is None:
        return None
    # The log keeps these words, and the name of a segment is made of words of other queries.
    where = f" on {rule.task}" if rule.task else " on such queries" if rule.segment else ""
    at_most, at_least = ("at most", "at least") if z else ("still", "still")
    if rule.metric in {"accuracy", "satisfaction"} and seen.bound < rule.bound:
        return f"{rule.metric}{where} is {at_most} {seen.bound:.2f}, below {rule.bound:g} (n={seen.n})"
    if rule.metric == "error_rate" and seen.bound > rule.bound:
        return f"error rate{where} is {at_least} {seen.bound:.2f}, above {rule.bound:g} (n={seen.n})"
    if rule.metric == "p95_response_s" and seen.bound > rule.bound:
        return f"p95 response time{where} is {at_least} {seen.bound:.2f} s, above {rule.bound:g} s"
    return None


def wilson(share: float, n: int, *, side: int, z: float = Z) -> float:
    """Return Wilson's bound of a share, the upper for side=1 and the lower for side=-1 (Wilson 1927)."""
    centre = share + z * z / (2 * n)
    half = z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return (centre + side * half) / (1 + z * z / n)
