"""Results of a retrain and of a comparison, small and whole, to make reports of."""

from __future__ import annotations

import copy
from typing import Any

MODELS = ("small", "large")


def figure(value: float | None, half: float = 0.01) -> dict[str, Any]:
    if value is None:
        return {"value": None, "low": None, "high": None, "n": 0}
    return {"value": value, "low": value - half, "high": value + half, "n": 500}


def kpis(accuracy: float, cost_usd: float, utility_usd: float) -> dict[str, Any]:
    return {
        "accuracy_rate": figure(accuracy, 0.02),
        "satisfaction_score": figure(None),
        "mean_response_s": figure(0.2, 0.01),
        "cost_per_query_usd": figure(cost_usd, 0.0001),
        "utility_usd": figure(utility_usd, 0.0005),
        "error_rate": {"value": 0.0, "low": 0.0, "high": 0.0, "n": 500},
    }


def way(name: str, kind: str, accuracy: float, cost_usd: float | None) -> dict[str, Any]:
    return {
        "name": name,
        "kind": kind,
        "accuracy_rate": figure(accuracy, 0.03),
        "cost_per_query_usd": figure(cost_usd, 0.0001),
        "mean_response_s": figure(0.2),
        "utility_usd": figure(0.007, 0.0005),
    }


def segment(
    name: str, models: tuple[str, str] = MODELS, *, moved: float = 0.9, hits: int = 40
) -> dict[str, Any]:
    small, large = models
    switch = {"from": large, "to": small, "share": moved} | {
        key: {"before": before, "after": after}
        for key, before, after in (
            ("accuracy", 0.8, 0.9),
            ("cost_usd", 0.002, 0.0001),
            ("response_s", 1.0, 0.2),
        )
    }
    return {
        "name": name,
        "terms": ["json", "schema", "field"],
        "rows": 250,
        "before": {small: 0.0, large: 1.0},
        "after": {small: moved, large: 1.0 - moved},
        "moved": moved,
        "switch": switch if moved else None,
        "utility_usd": figure(0.002, 0.001),
        "hits": hits,
    }


def retrained(
    models: tuple[str, str] = MODELS, *, kinds: tuple[str, str] = ("json, schema, field", "stories")
) -> dict[str, Any]:
    """Return what a retrain found: a promotion, with one kind of query moved and one that stayed."""
    small, large = models
    return {
        "parent": "v0000",
        "verdict": "PROMOTE",
        "promoted": True,
        "canary": None,
        "reasons": ["utility gains +0.002 USD per query"],
        "rows": {"train": 510, "holdout": 500, "practice": 0, "recorded": 1010, "simulated_ratings": 3},
        "before": kpis(0.8, 0.002, 0.006),
        "after": kpis(0.85, 0.001, 0.008),
        "difference": kpis(0.05, -0.001, 0.002),
        "estimators": {"ips": 0.0021, "snips": 0.0019, "dr": 0.002, "model": 0.001},
        "support": {
            "hits": 90,
            "effective_sample_size": 80.0,
            "disagreement": 0.5,
            "largest_weight": 6.0,
            "propensities_consistent": True,
        },
        "satisfaction": {
            "known": 60,
            "share": 0.12,
            "asked": False,
            "band": figure(0.02, 0.15),
            "gamma": 2.0,
            "break_even": 1.4,
        },
        "baselines": {"incumbent": figure(0.006)},
        "share": {"before": {small: 0.0, large: 1.0}, "after": {small: 0.45, large: 0.55}},
        "best_single": large,
        "routes": True,
        "detectable_usd": 0.001,
        "rows_needed": 400,
        "segments": [segment(kinds[0], models), segment(kinds[1], models, moved=0.0)],
        "frontier": [
            way("incumbent", "policy", 0.8, 0.002),
            way("candidate", "policy", 0.85, 0.001),
            way(small, "single", 0.6, 0.0001),
            way(large, "single", 0.8, 0.002),
            way("uniform", "baseline", 0.7, 0.00105),
        ],
        "break_even": {
            "ways": ["incumbent", "candidate", small],
            "answer_values_usd": [0.001, 0.01, 0.1],
            "second_values_usd": [0.0001, 0.0005, 0.0025],
            "best": [[2, 1, 1], [2, 1, 1], [2, 2, 1]],
            "clear": [[True, True, False], [False, True, True], [True, True, True]],
            "answer_value_usd": 0.01,
            "second_value_usd": 0.0005,
        },
    }


def course() -> dict[str, Any]:
    bins = [
        {
            "first": 100 * number + 1,
            "last": 100 * (number + 1),
            "since": f"2026-01-0{number + 1} 00:00:00",
            "until": f"2026-01-0{number + 1} 23:00:00",
            "accuracy_rate": figure(0.7 + 0.05 * number, 0.04),
            "utility_usd": figure(0.006 + 0.0005 * number, 0.0004),
        }
        for number in range(4)
    ]
    mark = {"at": 200, "time": "2026-01-03 00:00:00", "version": "v0001-abc", "previous": "v0000"}
    return {"bins": bins, "marks": [mark]}


def compared(
    models: tuple[str, str] = MODELS, *, kinds: tuple[str, str] = ("json, schema, field", "stories")
) -> dict[str, Any]:
    """Return before against after of what was served, with what the retrain had found."""
    stored = retrained(models, kinds=kinds)
    provenance = {"recorded": 0, "practice": 200, "truth": 200, "judge": 0, "user": 0, "simulated_ratings": 0}
    accuracy = {side: figure(0.8, 0.02) for side in ("before", "after", "difference")}
    served = {"rows": 200, "provenance": provenance}
    return {
        "before": served | {"version": "v0000", "kpis": stored["before"], "share": stored["share"]["before"]},
        "after": served
        | {"version": "v0001-abc", "kpis": stored["after"], "share": stored["share"]["after"]},
        "difference": stored["difference"],
        "one_mix": {"before": stored["before"], "after": stored["after"]},
        "satisfaction": stored["satisfaction"],
        "off_policy": stored["difference"],
        "policies": {"before": stored["before"], "after": stored["after"]},
        "verdict": stored["verdict"],
        "reasons": stored["reasons"],
        "canary": figure(0.0011, 0.0004),
        "forecasts": [
            {
                "version": "v0001-aaaaaaaaaaaa",
                "previous": "v0000",
                "by": "retrain",
                "promised": figure(0.002, 0.001),
                "came": figure(0.0015, 0.0009),
                "agrees": True,
            }
        ],
        "confirmed": None,
        "over_time": course(),
        "segments": [
            {
                "name": kind,
                "rows": {"before": 100, "after": 100},
                "before": dict(stored["share"]["before"]),
                "after": dict(stored["share"]["after"]),
                "accuracy_rate": copy.deepcopy(accuracy),
            }
            for kind in kinds
        ],
        "held_out": stored,
    }


def sources() -> dict[str, Any]:
    return {
        "accuracy": {"judge": 120, "truth": 80},
        "satisfaction": {"user": 50, "simulated": 0, "prompted": 30, "corrected": True, "asked_only": False},
    }


def judge(author: str) -> dict[str, Any]:
    said = {
        "pairs": 80,
        "kappa": figure(0.6, 0.1),
        "correlation": figure(0.7, 0.1),
        "bins": [{"judged": share, **figure(share, 0.08), "n": 20} for share in (0.1, 0.5, 0.7, 0.95)],
    }
    return {
        "author": author,
        "judged": 200,
        "truth": said,
        "users": said | {"pairs": 0, "kappa": figure(None), "correlation": figure(None), "bins": []},
        "accuracy": figure(0.7, 0.05) | {"n": 200},
        "coin": False,
    }


def key_figures(*, author: str = "judge/large") -> dict[str, Any]:
    """Return the key figures of what was served, by task."""
    stored = compared()
    main = stored["after"]["kpis"]
    return {
        "version": "v0001-abc",
        "rows": 400,
        "since": "2026-01-01 00:00:00",
        "until": "2026-01-04 23:00:00",
        "kpis": main,
        "exploring_usd": figure(0.0002, 0.0001),
        "earned": {"value": 1.2, "low": 0.3, "high": 2.1, "n": 40},
        "audits": {"rows": 12, "cost_usd": 0.0123, "response_s": 34.5},
        "sources": sources(),
        "judges": [judge(author)],
        "by": {"stories": {"rows": 200, "kpis": main}},
        "provenance": stored["after"]["provenance"],
        "share": stored["after"]["share"],
        "over_time": course(),
    }
