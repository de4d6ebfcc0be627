"""What guards would do with the log as it is: the figures they judge by, and their verdicts."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from zetaroute.config import GuardRule
from zetaroute.config.settings import GUARD_METRICS
from zetaroute.domain import ALL_TASKS, Arm, Tally, segment_of
from zetaroute.errors import UsageError
from zetaroute.policy import Policy
from zetaroute.policy.guards import ENOUGH, breach, gauge
from zetaroute.router.router import Router

FEWEST_TIMES = 60
"""Answers below which standings hold no 95% quantile."""
_FLOORS = ("accuracy", "satisfaction")


def tried_rules(
    least: Sequence[str],
    most: Sequence[str],
    *,
    task: str | None = None,
    segment: str | None = None,
    model: str | None = None,
) -> tuple[GuardRule, ...]:
    """Return the rules that METRIC=VALUE words make, floors and ceilings; raises UsageError for other words."""
    return tuple(
        replace(_rule(word, side=side), task=task, segment=segment, model=model)
        for side, words in (("min", least), ("max", most))
        for word in words
    )


def judged(router: Router, rules: Sequence[GuardRule], *, every_kind: bool = False) -> list[dict[str, Any]]:
    """Return a row per rule, model and kind of query: the figure, its bound, the rows behind it and the verdict.

    `every_kind` also shows what a rule for every query would say of each task label and each segment alone.
    """
    return [
        row
        for rule in rules
        for arm in router.settings.arms
        if rule.model in {None, arm.id}
        for row in _rows(rule, arm, router, every_kind=every_kind)
    ]


def lost(policy: Policy, rules: Sequence[GuardRule]) -> list[str]:
    """Return a sentence for each rule on a segment that this version does not know: such a rule does nothing."""
    known = ", ".join(f"'{name}'" for name in policy.kinds if name)
    knows = f"it knows {known}" if known else "it has no named segments"
    return [
        f"the guard on {rule.metric} names the segment '{rule.segment}', which {policy.version} does not know, so it "
        f"does nothing; {knows}."
        for rule in rules
        if rule.segment and rule.segment not in policy.kinds
    ]


def _rule(word: str, *, side: str) -> GuardRule:
    metric, _, wanted = word.partition("=")
    if metric not in GUARD_METRICS:
        raise UsageError(f"--{side} names {metric!r}: choose one of {', '.join(GUARD_METRICS)}.")
    right = "min" if metric in _FLOORS else "max"
    if side != right:
        raise UsageError(
            f"{metric} has a {'floor' if right == 'min' else 'ceiling'}: give it with --{right}."
        )
    try:
        bound = float(wanted)
    except ValueError:
        bound = -1.0
    if not 0 <= bound <= GUARD_METRICS[metric] or math.isinf(bound):
        raise UsageError(f"--{side} {word!r} must look like {metric}=0.6.")
    return GuardRule(metric=metric, bound=bound)


def _rows(rule: GuardRule, arm: Arm, router: Router, *, every_kind: bool) -> Iterator[dict[str, Any]]:
    standing, known = router.standings.get(arm.id), router.policy.kinds
    tallies = standing.tallies if standing else {}
    places = [rule.place]
    if every_kind and rule.place == ALL_TASKS:
        places += sorted(place for place in tallies if place != ALL_TASKS)
    demoted = standing.demoted if standing else frozenset()
    for place in places:
        segment = segment_of(place)
        if segment is None or segment in known:
            yield _row(rule, arm, place, tallies.get(place), demoted)
        elif place == rule.place:
            yield {**_row(rule, arm, place, None, demoted), "verdict": "unknown segment"}


def _row(
    rule: GuardRule, arm: Arm, place: str, tally: Tally | None, demoted: frozenset[str]
) -> dict[str, Any]:
    seen = gauge(rule, tally) if tally is not None else None
    return {
        "metric": rule.metric,
        "limit": rule.bound,
        "side": "min" if rule.metric in _FLOORS else "max",
        "task": None if place == ALL_TASKS or segment_of(place) else place,
        "segment": segment_of(place),
        "model": arm.id,
        "value": seen.value if seen else None,
        "bound": seen.bound if seen else None,
        "n": seen.n if seen else _count(rule, tally),
        "verdict": _verdict(rule, tally, demoted=("" if place == ALL_TASKS else place) in demoted),
    }


def _verdict(rule: GuardRule, tally: Tally | None, *, demoted: bool) -> str:
    """Return the verdict; `not surely` is a figure that breaks the rule while its bound does not yet."""
    if tally is None or gauge(rule, tally) is None:
        return "too few rows"
    if breach(rule, tally):
        return "demoted"
    if breach(rule, tally, z=0.0):
        return "stays demoted" if demoted else "not surely"
    return "kept"


def _count(rule: GuardRule, tally: Tally | None) -> int:
    if tally is None:
        return 0
    return {"accuracy": tally.graded, "satisfaction": tally.rated}.get(rule.metric, tally.calls)


def explained(row: Mapping[str, Any]) -> str:
    """Return a verdict in words that say what it rests on."""
    needed = FEWEST_TIMES if row["metric"] == "p95_response_s" else ENOUGH
    return {
        "demoted": "demoted: surely beyond the limit",
        "stays demoted": "stays demoted until the figure itself keeps the limit",
        "not surely": "left alone: beyond the limit, but chance may explain it",
        "kept": "left alone: keeps the limit",
        "unknown segment": "does nothing: no segment is called that any more",
        "too few rows": f"left alone: {row['n']} rows, at least {needed} are needed",
    }[row["verdict"]]
