"""How figures are said: labels, units, the word for a change, and sentences on what figures stand on."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

Unit = Literal["share", "seconds", "usd", "usd_per_query", "score"]
"""In which values are given; money per query is shown for a thousand of them."""
FigureJson = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Kpi:
    """How one KPI is shown."""

    name: str
    label: str
    unit: Unit
    higher_is_better: bool | None = field(kw_only=True)
    """None: neither direction is better by itself."""


KPIS = (
    Kpi("accuracy_rate", "Accuracy rate", "share", higher_is_better=True),
    Kpi("satisfaction_score", "Satisfaction score", "score", higher_is_better=True),
    Kpi("satisfied_share", "Satisfied share", "share", higher_is_better=True),
    Kpi("rating_rate", "Answers rated", "share", higher_is_better=None),
    Kpi("mean_response_s", "Mean response time", "seconds", higher_is_better=False),
    Kpi("median_response_s", "Median response time", "seconds", higher_is_better=False),
    Kpi("p95_response_s", "95% response time", "seconds", higher_is_better=False),
    Kpi("ttft_s", "Time to first token", "seconds", higher_is_better=False),
    Kpi("cost_per_query_usd", "Cost per 1,000 queries", "usd_per_query", higher_is_better=False),
    Kpi("cost_per_correct_usd", "Cost per 1,000 correct answers", "usd_per_query", higher_is_better=False),
    Kpi("utility_usd", "Utility per 1,000 queries", "usd_per_query", higher_is_better=True),
    Kpi("error_rate", "Error rate", "share", higher_is_better=False),
    Kpi("fallback_rate", "Fallback rate", "share", higher_is_better=False),
    Kpi("escalation_rate", "Escalation rate", "share", higher_is_better=None),
    Kpi("slow_share", "Share over the time limit", "share", higher_is_better=False),
    Kpi("router_s", "Router overhead", "seconds", higher_is_better=False),
    Kpi("router_cost_usd", "Router cost per 1,000 queries", "usd_per_query", higher_is_better=False),
    Kpi("judge_cost_usd", "Cost of judging 1,000 queries", "usd_per_query", higher_is_better=False),
)
MAIN = ("accuracy_rate", "satisfaction_score", "mean_response_s", "cost_per_query_usd", "utility_usd")


MOST_DECIMALS = 9


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """How values of one kind are written: how many times themselves, with how many decimals, and between what."""

    times: float
    decimals: int
    before: str = ""
    after: str = ""
    after_change: str = ""

    @classmethod
    def of(cls, unit: Unit, *values: float | None, width: float | None = None) -> Scale:
        """Return the scale that suits the largest of some values, with as many decimals as tell a `width` from 0."""
        size = max((abs(value) for value in values if value is not None), default=0.0)
        if unit == "share":
            scale = cls(times=100.0, decimals=1, after="%", after_change=" pt")
        elif unit == "seconds":
            after, times = (" ms", 1000.0) if size < 1 else (" s", 1.0)
            scale = cls(times=times, decimals=1 if size < 1 else 2, after=after, after_change=after)
        elif unit == "score":
            scale = cls(times=1.0, decimals=3)
        else:
            times = 1000.0 if unit == "usd_per_query" else 1.0
            scale = cls(times=times, decimals=_money_decimals(times * size), before="$")
        if not width:
            return scale
        needed = min(-math.floor(math.log10(scale.times * width)), MOST_DECIMALS)
        return replace(scale, decimals=max(scale.decimals, needed))

    @classmethod
    def of_figure(cls, figure: FigureJson | None, unit: Unit) -> Scale:
        """Return the scale of a figure and its interval."""
        if not figure:
            return cls.of(unit)
        low, high = figure["low"], figure["high"]
        return cls.of(unit, figure["value"], width=None if low is None or high is None else high - low)

    def rounded(self, value: float) -> float:
        """Return the value as it is written, in the units of the scale."""
        return round(self.times * value, self.decimals)

    def text(self, rounded: float, *, signed: bool = False) -> str:
        """Return a rounded value in writing."""
        sign = "-" if rounded < 0 else "+" if signed and rounded > 0 else ""
        after = self.after_change if signed else self.after
        return f"{sign}{self.before}{abs(rounded):,.{self.decimals}f}{after}"


def _money_decimals(size: float) -> int:
    """Return how many decimals show cents, or below a dollar three digits without zeros behind."""
    if size >= 1 or size == 0:
        return 0 if size >= 100 else 2
    digits = f"{size:.{min(2 - math.floor(math.log10(size)), MOST_DECIMALS)}f}".rstrip("0")
    return max(2, len(digits.partition(".")[2]))


def amount(value: float | None, unit: Unit, *, signed: bool = False, scale: Scale | None = None) -> str:
    """Return a number in its unit with sensible digits; a dash where it is unknown."""
    if value is None:
        return "-"
    scale = scale or Scale.of(unit, value)
    return scale.text(scale.rounded(value), signed=signed)


def per_thousand(figure: FigureJson | None, *, signed: bool = True) -> str:
    """Return `value per 1,000 queries [low, high]` of USD per query."""
    scale = Scale.of_figure(figure, "usd_per_query")
    value = amount(figure["value"] if figure else None, "usd_per_query", signed=signed, scale=scale)
    behind = interval(figure, "usd_per_query", signed=signed, scale=scale)
    return f"{value} per 1,000 queries {behind}".rstrip()


def opinion(metric: str, value: float) -> str:
    """Return what somebody said of an answer in the words in which it is typed."""
    if metric == "thumbs" and value in {0.0, 1.0}:
        return "up" if value else "down"
    return f"{value:g}"


def interval(
    figure: FigureJson | None, unit: Unit, *, signed: bool = False, scale: Scale | None = None
) -> str:
    """Return `[low, high]`; nothing where a figure has no interval."""
    if not figure or figure["value"] is None or figure["low"] is None or figure["high"] is None:
        return ""
    scale = scale or Scale.of_figure(figure, unit)
    low, high = (amount(figure[end], unit, signed=signed, scale=scale) for end in ("low", "high"))
    return f"[{low}, {high}]"


def with_interval(figure: FigureJson | None, unit: Unit, *, signed: bool = False) -> str:
    """Return `value [low, high]`; the value alone where it has no interval."""
    scale = Scale.of_figure(figure, unit)
    value = amount(figure["value"] if figure else None, unit, signed=signed, scale=scale)
    return f"{value} {interval(figure, unit, signed=signed, scale=scale)}".rstrip()


def change_word(figure: FigureJson | None, kpi: Kpi) -> str:
    """Return better, worse or cannot tell, by the interval of a difference; each with a sign of its own."""
    if not figure or figure["low"] is None or figure["high"] is None or kpi.higher_is_better is None:
        return ""
    if figure["low"] <= 0 <= figure["high"]:
        return "? cannot tell"
    return "+ better" if (figure["low"] > 0) == kpi.higher_is_better else "! worse"


def satisfaction_words(rated: FigureJson | None) -> list[str]:
    """Return on how many ratings the change in satisfaction stands, and what those who do not rate could hide."""
    if rated is None:
        return []
    of = "of those asked at random" if rated.get("asked") else "of the answers"
    stands = f"satisfaction stands on {rated['known']} ratings ({amount(rated['share'], 'share')} {of})"
    band = rated["band"]
    if band["low"] is None:
        return [f"{stands}: too few show the new choice to say what the unrated could hide"]
    low, high = (amount(band[end], "score", signed=True) for end in ("low", "high"))
    likelier = f"were unhappy users up to {rated['gamma']:g} times likelier to rate"
    told = f"{stands}; {likelier}, its change is in [{low}, {high}]"
    if rated["break_even"] is None:
        return [f"{told}; its direction is open as it is"]
    return [f"{told}; they would have to be {rated['break_even']:.1f} times likelier for the sign to change"]


def stands_on(name: str, sources: FigureJson) -> str:
    """Return on whose word a KPI stands, with counts; empty for one that is not judged."""
    if name == "accuracy_rate":
        return ", ".join(f"{rows} {source}" for source, rows in sources["accuracy"].items())
    if name not in {"satisfaction_score", "satisfied_share"}:
        return ""
    known = sources["satisfaction"]
    if known["asked_only"]:
        return f"{known['prompted']} asked at random, corrected for who answers"
    told = ", ".join(
        f"{known[source]} {source}" for source in ("user", "judge", "implicit") if source in known
    )
    return told + (", corrected for who rates" if known["corrected"] else "")


def judge_sentence(judge: FigureJson) -> str:
    """Return how far a judge agrees, and what accuracy follows from its word and the truth."""
    coin = "NOT SHOWN TO BE BETTER THAN A COIN: " if judge["coin"] else ""
    return (
        f"{coin}{_agrees(judge['truth'], 'the truth')}; {_agrees(judge['users'], 'people')}"
        f"{_estimated(judge['accuracy'], judge['truth']['pairs'])}."
    )


def _agrees(found: FigureJson, whom: str) -> str:
    if found["kappa"]["value"] is None:
        return f"no kappa with {whom} ({found['pairs']} answers)"
    told = f"kappa {with_interval(found['kappa'], 'score')} with {whom} on {found['pairs']} answers"
    if found["correlation"]["value"] is None:
        return told
    return f"{told}, correlation {with_interval(found['correlation'], 'score')}"


def _estimated(accuracy: FigureJson, pairs: int) -> str:
    if accuracy["value"] is None or accuracy["n"] == pairs:
        return ""
    told = with_interval(accuracy, "share")
    return f"; accuracy of all {accuracy['n']} judged answers by {pairs} true labels: {told}"


def provenance_notes(provenance: Mapping[str, int], rows: int) -> list[str]:
    """Return what the reader must know about the rows behind the figures."""
    notes = _unchosen(provenance)
    replayed = provenance.get("recorded", 0) - provenance.get("imported", 0)
    if replayed > 0:
        notes.append(
            f"{replayed} of {rows} rows replay recorded outcomes: "
            "their times, costs and scores were recorded elsewhere, not measured here"
        )
    if provenance.get("practice"):
        notes.append(
            f"{provenance['practice']} of {rows} rows were answered by practice models: "
            "small built-in programs, not language models"
        )
    if provenance.get("simulated_ratings"):
        notes.append(f"{provenance['simulated_ratings']} ratings are simulated, not people's")
    sources = [f"{provenance[name]} by {name}" for name in ("truth", "judge", "user") if provenance.get(name)]
    if sources:
        notes.append("accuracy stands on " + ", ".join(sources))
    return notes


def _unchosen(provenance: Mapping[str, int]) -> list[str]:
    """Return what is said of rows whose model no policy drew: imported ones, pinned ones and fallbacks."""
    imported = provenance.get("imported", 0)
    other = provenance.get("without_propensity", 0) - imported
    notes = []
    if imported:
        notes.append(
            f"{imported} rows were imported: no policy chose their model and they have no propensity, so they teach "
            "what to expect of each model and are no evidence of what routing gains; their times, costs and scores "
            "were recorded elsewhere"
        )
    if other > 0:
        notes.append(
            f"{other} rows have no propensity (pinned models, fallbacks): they teach too and are no evidence either"
            if imported
            else f"{other} rows have no propensity (pinned models, fallbacks): they teach what to expect of each "
            "model and are left out of every estimate of the change"
        )
    return notes
