"""From decided and graded queries to lines of evidence, and from lines to what they say together."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zetaroute.arrays import Array, Index, Mask
from zetaroute.domain import PROVEN_SHARE, PROVING_SHARE, PROVING_UNITS
from zetaroute.evaluate.e_process import (
    GAINS,
    HARMS,
    PROMOTES_AT,
    Ranges,
    Units,
    believed_gain,
    design_variance,
    last_evidence,
    log_evidence,
    scores,
    variances,
)

COLUMNS = (
    *("share", "own", "paired", "gain_usd", "loss_usd", "gain_accuracy", "variance_usd", "variance_accuracy"),
    *("worst_gain_usd", "worst_loss_usd", "worst_accuracy", "next_share"),
)
"""What of lines says how a contest stands."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """n queries in the order of their decisions, every array (n,): what was drawn, expected and seen; NaN unseen."""

    paired: Mask
    share: Array
    champion: Index
    """Number of the champion's model."""
    challenger: Index
    champion_p: Array
    challenger_p: Array
    champion_least: Array
    """What its model was drawn with at least, whatever the query."""
    challenger_least: Array
    champion_usd: Array
    """Expected utility, by what was fitted before."""
    challenger_usd: Array
    champion_accuracy: Array
    challenger_accuracy: Array
    champion_asked: Mask
    """Whether an answer of the champion's model should be here."""
    challenger_asked: Mask
    champion_utility: Array
    challenger_utility: Array
    champion_right: Array
    challenger_right: Array


@dataclass(frozen=True, slots=True, kw_only=True)
class Scored:
    """Lines of evidence, every array (n,)."""

    gain_usd: Array
    loss_usd: Array
    gain_accuracy: Array
    variance_usd: Array
    """NaN where nothing is bet."""
    variance_accuracy: Array
    worst_gain_usd: Array
    worst_loss_usd: Array
    worst_accuracy: Array
    clipped: Mask
    missing: Mask
    next_share: Array

    def line(self, row: int) -> dict[str, Any]:
        """Return one of them as the log writes it."""
        found: dict[str, Any] = {name: getattr(self, name)[row].item() for name in self.__slots__}
        return {
            name: None if isinstance(value, float) and math.isnan(value) else value
            for name, value in found.items()
        }


def scored(
    decided: Decided,
    *,
    low: Array,
    high: Array,
    anchor: int | None,
    answer_value_usd: float,
    margin: float,
    bets: bool,
    past: Mapping[str, NDArray[Any]],
    promoted: bool,
    stopped: Callable[[Array, Array], bool] | None = None,
) -> Scored:
    """Score queries; `low` and `high` (K,) bound the models' utilities, and `past` holds the epoch's lines so far.

    In `decided` K stands for the champion's chain and K + 1 for the challenger's. A grade that never came counts as
    the worst for the gain and for the loss alike. `stopped` says of the gains and the shares (n,) whether the
    challenger has lost what it may: it is given nothing more then.
    """
    count = len(low)
    ranges, unit = _with_chains(low, high), Ranges(low=np.zeros(count + 2), high=np.ones(count + 2))
    chained = np.maximum(decided.champion, decided.challenger) >= count
    gain, loss, outside = _both(decided, ranges, decided.champion_usd, decided.challenger_usd, "utility")
    right, _, _ = _both(decided, unit, decided.champion_accuracy, decided.challenger_accuracy, "right")
    worst: dict[str, Array] = {}
    for name, bounds, fixed, mirror in (
        ("worst_gain_usd", ranges, anchor, False),
        ("worst_loss_usd", ranges, anchor, True),
        ("worst_accuracy", unit, None, False),
    ):
        models = Ranges(low=bounds.low[:count], high=bounds.high[:count])
        least, other = decided.challenger_least, decided.champion_least
        single, of_chain = (
            np.where(
                decided.paired,
                one.worst_pair(anchor=fixed, mirror=mirror),
                one.worst(least=least, other_least=other, anchor=fixed, mirror=mirror),
            )
            for one in (models, bounds)
        )
        worst[name] = np.where(chained, of_chain, single)
    paired = decided.paired
    return Scored(
        gain_usd=gain,
        loss_usd=loss,
        gain_accuracy=right,
        variance_usd=_variance(
            gain, paired, past, "gain_usd", decided.share, answer_value_usd, 0.0, bets=bets
        ),
        variance_accuracy=_variance(
            right, paired, past, "gain_accuracy", decided.share, 1.0, margin, bets=bets
        ),
        **worst,
        clipped=outside,
        missing=(decided.champion_asked & np.isnan(decided.champion_utility))
        | (decided.challenger_asked & np.isnan(decided.challenger_utility)),
        next_share=np.zeros(len(gain))
        if stopped is not None and stopped(gain, decided.share)
        else _next_shares(gain, paired, past, decided.share, answer_value_usd, promoted=promoted),
    )


def _with_chains(low: Array, high: Array) -> Ranges:
    """Return the bounds of the models' utilities (K,) and of both sides' chains, which ask three models at most."""
    least = min(float(np.sort(np.minimum(low, 0.0))[:3].sum()), float(low.min()))
    return Ranges(low=np.append(low, [least] * 2), high=np.append(high, [high.max()] * 2))


def found_in(
    lines: Mapping[str, NDArray[Any]], *, mine: Mask, answer_value_usd: float, margin: float, earlier: float
) -> dict[str, Any]:
    """Return what the lines of an epoch say together; `mine` (n,) are those of the challenger of now.

    `earlier`, at most 1, is what evidence of another champion has left. A gain that was proven after any line since
    the challenger's first stays proven, by Ville's inequality: it matters not when one looks.
    """
    paired = lines["paired"] > 0
    point = answer_value_usd / 100.0
    gain, loss = lines["gain_usd"], lines["loss_usd"]
    variance, of_accuracy = (
        np.where(np.isnan(lines[name]), np.inf, lines[name]) for name in ("variance_usd", "variance_accuracy")
    )
    # Of every line by its own share: a later one is not known yet when it is bet on.
    usual = design_variance(answer_value_usd, lines["share"])
    share = float(lines["share"][-1]) if len(gain) else 0.5
    log = log_evidence(gain, paired, variance, lines["worst_gain_usd"], point * np.array(GAINS))
    last, highest = (
        earlier * last_evidence(part)
        for part in (log, log[int(mine.argmax()) :].max(keepdims=True) if mine.any() else log)
    )
    return {
        "units": len(gain),
        "paired": int(paired.sum()),
        "e_value": highest if highest >= PROMOTES_AT else last,
        "left": min(1.0, last),
        "accuracy": last_evidence(
            log_evidence(
                lines["gain_accuracy"] + margin,
                paired,
                of_accuracy,
                lines["worst_accuracy"],
                0.01 * np.array(GAINS),
            )
        ),
        "harm": last_evidence(
            log_evidence(
                loss[mine],
                paired[mine],
                # Harm is watched from the first line: where nothing is bet on a gain its spread is the usual one.
                np.where(np.isinf(variance), np.where(paired, usual[1], usual[0]), variance)[mine],
                lines["worst_loss_usd"][mine],
                point * np.array(HARMS),
            )
        ),
        "belief": believed_gain(gain, paired, point=point, design=design(answer_value_usd, share)),
        "own_mean_usd": float(gain[mine].mean()) if mine.any() else None,
    }


def design(unit: float, share: float) -> Array:
    """Return the mean of squared gains that is expected before any row, (2,): of single and of paired lines."""
    return design_variance(unit, np.array([share]))[:, 0]


def _both(
    decided: Decided, ranges: Ranges, champion_expected: Array, challenger_expected: Array, what: str
) -> tuple[Array, Array, Mask]:
    """Return the gain, the loss (n,), and where a reward lay outside its range."""
    seen = {side: getattr(decided, f"{side}_{what}") for side in ("champion", "challenger")}
    arm = {"champion": decided.champion, "challenger": decided.challenger}
    asked = {"champion": decided.champion_asked, "challenger": decided.challenger_asked}
    outside = np.zeros(len(decided.share), dtype=bool)
    clipped = {}
    for side, values in seen.items():
        clipped[side] = ranges.clip(values, arm[side])
        outside |= ~np.isnan(values) & (np.abs(clipped[side] - values) > 1e-12)

    def scored_with(champion_missing: Array, challenger_missing: Array) -> Array:
        filled = {
            side: np.where(asked[side] & np.isnan(clipped[side]), missing, clipped[side])
            for side, missing in (("champion", champion_missing), ("challenger", challenger_missing))
        }
        return scores(
            Units(
                paired=decided.paired,
                differ=decided.champion != decided.challenger,
                champion_expected=ranges.clip(champion_expected, decided.champion),
                challenger_expected=ranges.clip(challenger_expected, decided.challenger),
                champion_reward=filled["champion"],
                challenger_reward=filled["challenger"],
                champion_p=decided.champion_p,
                challenger_p=decided.challenger_p,
            )
        )

    low = {side: ranges.low[arm[side]] for side in arm}
    high = {side: ranges.high[arm[side]] for side in arm}
    return (
        scored_with(high["champion"], low["challenger"]),
        -scored_with(low["champion"], high["challenger"]),
        outside,
    )


def _variance(
    psi: Array,
    paired: Mask,
    past: Mapping[str, NDArray[Any]],
    name: str,
    share: Array,
    unit: float,
    margin: float,
    *,
    bets: bool,
) -> Array:
    """Return the mean of earlier squares for every line (n,), NaN where nothing is bet."""
    if not bets or not len(psi):
        return np.full(len(psi), np.nan)
    before, kind = past[name] + margin, past["paired"] > 0
    sums = np.array([[(kind == one).sum(), (before[kind == one] ** 2).sum()] for one in (False, True)])
    return variances(psi + margin, paired, design=design(unit, float(share[0])), past=sums)


def _next_shares(
    gain: Array, paired: Mask, past: Mapping[str, NDArray[Any]], share: Array, unit: float, *, promoted: bool
) -> Array:
    """Return the challenger's share after every line; all lines of one merge are followed by the same."""
    if not len(gain):
        return np.zeros(0)
    before = len(past["gain_usd"])
    if promoted:
        number = before + len(gain)
        return np.full(len(gain), PROVING_SHARE if number < PROVING_UNITS else PROVEN_SHARE)
    all_gains = np.concatenate([past["gain_usd"], gain])
    all_paired = np.concatenate([past["paired"] > 0, paired])
    point = unit / 100.0
    belief = believed_gain(all_gains, all_paired, point=point, design=design(unit, float(share[-1])))
    return np.full(len(gain), belief.share)
