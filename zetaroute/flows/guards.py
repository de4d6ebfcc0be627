"""What guards would do with the log as it is: the figures they judge by, and their verdicts.

Apart from deciding, which obeys them; here a rule can be tried before it is written into the config.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from zetaroute.config import GuardRule
from zetaroute.config.settings import GUARD_METRICS
from zetaroute.domain import ALL_TASKS, Arm, Standing, Tally
from zetaroute.errors import UsageError
from zetaroute.flows.router import Router
from zetaroute.policy.guard import ENOUGH, breach, gauge

FEWEST_TIMES = 60
"""Answers below which standings hold no 95% quantile."""
_FLOORS = ("accuracy", "satisfaction")


def tried_rules(
    least: Sequence[str], most: Sequence[str], *, task: str | None, model: str | None
) -> tuple[GuardRule, ...]:
    """Return the rules that METRIC=VALUE words make, floors and ceilings; raises UsageError for other words."""
    return tuple(
        _rule(word, side=side, task=task, model=model)
        for side, words in (("min", least), ("max", most))
        for word in words
    )


def judged(router: Router, rules: Sequence[GuardRule], *, every_task: bool = False) -> list[dict[str, Any]]:
    """Return a row per rule, model and task: the figure, its bound, the rows behind it and the verdict.

    `every_task` also shows what a rule without a task would say of each task alone.
    """
    return [
        row
        for rule in rules
        for arm in router.settings.arms
        if rule.model in {None, arm.id}
        for row in _rows(rule, arm, router.standings.get(arm.id), every_task=every_task)
    ]


def _rule(word: str, *, side: str, task: str | None, model: str | None) -> GuardRule:
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
    if not 0 <= bound < float("inf"):
        raise UsageError(f"--{side} {word!r} must look like {metric}=0.6.")
    return GuardRule(metric=metric, bound=bound, task=task, model=model)


def _rows(
    rule: GuardRule, arm: Arm, standing: Standing | None, *, every_task: bool
) -> Iterator[dict[str, Any]]:
    tallies = standing.tallies if standing else {}
    tasks = [rule.task or ALL_TASKS]
    if every_task and rule.task is None:
        tasks += sorted(task for task in tallies if task != ALL_TASKS)
    demoted = standing.demoted if standing else frozenset()
    for task in tasks:
        yield _row(rule, arm, task, tallies.get(task), demoted)


def _row(
    rule: GuardRule, arm: Arm, task: str, tally: Tally | None, demoted: frozenset[str]
) -> dict[str, Any]:
    seen = gauge(rule, tally) if tally is not None else None
    return {
        "metric": rule.metric,
        "limit": rule.bound,
        "side": "min" if rule.metric in _FLOORS else "max",
        "task": None if task == ALL_TASKS else task,
        "model": arm.id,
        "value": seen.value if seen else None,
        "bound": seen.bound if seen else None,
        "n": seen.n if seen else _count(rule, tally),
        "verdict": _verdict(rule, tally, demoted=("" if task == ALL_TASKS else task) in demoted),
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


def explained(row: dict[str, Any]) -> str:
    """Return a verdict in words that say what it rests on."""
    needed = FEWEST_TIMES if row["metric"] == "p95_response_s" else ENOUGH
    return {
        "demoted": "demoted: surely beyond the limit",
        "stays demoted": "stays demoted until the figure itself keeps the limit",
        "not surely": "left alone: beyond the limit, but chance may explain it",
        "kept": "left alone: keeps the limit",
        "too few rows": f"left alone: {row['n']} rows, at least {needed} are needed",
    }[row["verdict"]]
