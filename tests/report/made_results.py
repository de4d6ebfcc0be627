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


def segment(name: str, models: tuple[str, str] = MODELS, *, moved: float = 0.9) -> dict[str, Any]:
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
        "reasons": ["utility gains +0.002 USD per query"],
        "rows": {
            "all": 1010,
            "train": 1010,
            "scored": 500,
            "practice": 0,
            "recorded": 1010,
            "simulated_ratings": 3,
        },
        "before": kpis(0.8, 0.002, 0.006),
        "after": kpis(0.85, 0.001, 0.008),
        "difference": kpis(0.05, -0.001, 0.002),
        "queries_missing": 0,
        "left_out": [],
        "evidence": {
            "e_value": 31.4,
            "promotes_at": 20.0,
            "accuracy": 55.0,
            "harm": 0.1,
            "rolls_back_at": 20.0,
            "rows": 500,
            "audited": 120,
        },
        "audits_needed": None,
        "audit_usd_needed": None,
        "harm": [
            {"name": kinds[1], "rows": 250, "gain_usd": 0.0, "harm": 1.2, "harmed": False},
            {"name": kinds[0], "rows": 250, "gain_usd": 0.004, "harm": 0.01, "harmed": False},
        ],
        "model_share": {"before": {small: 0.0, large: 1.0}, "after": {small: 0.45, large: 0.55}},
        "anchor": large,
        "segments": [segment(kinds[0], models), segment(kinds[1], models, moved=0.0)],
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


def rated() -> dict[str, Any]:
    return {
        "known": 60,
        "share": 0.12,
        "asked": False,
        "band": figure(0.02, 0.15),
        "gamma": 2.0,
        "break_even": 1.4,
    }


def compared(
    models: tuple[str, str] = MODELS, *, kinds: tuple[str, str] = ("json, schema, field", "stories")
) -> dict[str, Any]:
    """Return before against after of what was served, with what the retrain had found."""
    stored = retrained(models, kinds=kinds)
    provenance = {"recorded": 0, "practice": 200, "truth": 200, "judge": 0, "user": 0, "simulated_ratings": 0}
    accuracy = {side: figure(0.8, 0.02) for side in ("before", "after", "difference")}
    served = {"rows": 200, "provenance": provenance}
    return {
        "before": served
        | {"version": "v0000", "kpis": stored["before"], "share": stored["model_share"]["before"]},
        "after": served
        | {"version": "v0001-abc", "kpis": stored["after"], "share": stored["model_share"]["after"]},
        "difference": stored["difference"],
        "one_mix": {"before": stored["before"], "after": stored["after"]},
        "satisfaction": rated(),
        "off_policy": stored["difference"],
        "policies": {"before": stored["before"], "after": stored["after"]},
        "verdict": stored["verdict"],
        "reasons": stored["reasons"],
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
                "before": dict(stored["model_share"]["before"]),
                "after": dict(stored["model_share"]["after"]),
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
        "kinds": {name: {"rows": 100, "kpis": main} for name in ("pinned", "policy")},
        "seeding": {"rows": 0, "cost_usd": 0.0, "response_s": 0.0},
        "audits": {"rows": 12, "cost_usd": 0.0123, "response_s": 34.5},
        "sources": sources(),
        "judges": [judge(author)],
        "by": {"stories": {"rows": 200, "kpis": main}},
        "provenance": stored["after"]["provenance"],
        "share": stored["after"]["share"],
        "over_time": course(),
    }
