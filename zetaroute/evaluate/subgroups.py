"""Whether a candidate harms some kind of query while the average hides it: one test per segment, Holm together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from zetaroute.evaluate.intervals import t_probability
from zetaroute.evaluate.ope import Difference, PairedDR

FEWEST_HITS = 10
"""Hits below which a segment is shown but not tested."""
FAMILY_ALPHA = 0.05
"""Chance that any segment at all is called harmed by mistake."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """One kind of query and what the candidate would change for it."""

    name: str
    difference: Difference
    tested: bool
    """Whether it has hits enough for a test."""
    harmed: bool


def segments(comparison: PairedDR, labels: NDArray[np.str_]) -> tuple[Segment, ...]:
    """Return every segment's difference of the compared KPI, and which segments are harmed by Holm's test (1979).

    `labels` (n,) name the segment of every row that the comparison was given. Higher must be better.
    """
    names = [str(name) for name in np.unique(labels)]
    found = {name: comparison.difference(labels == name) for name in names}
    tested = [name for name in names if found[name].hits >= FEWEST_HITS]
    harmed = _harmed({name: _no_harm_probability(found[name]) for name in tested})
    return tuple(
        Segment(name=name, difference=found[name], tested=name in tested, harmed=name in harmed)
        for name in names
    )


def harm_words(found: Sequence[Segment]) -> str:
    """Return in one sentence what the check found; that nothing was found is never called "no harm"."""
    harmed = [segment.name for segment in found if segment.harmed]
    tested = sum(segment.tested for segment in found)
    if harmed:
        return f"harm was detected in {len(harmed)} of {tested} segments: {', '.join(harmed)}"
    if not tested:
        return f"no segment has the {FEWEST_HITS} rows that a check for harm needs, so none was checked"
    noun = "segment" if tested == 1 else "segments"
    return f"no harm was detected in {tested} {noun} (this check is weak below 10,000 rows)"


def _harmed(probability: dict[str, float]) -> set[str]:
    """Return the names rejected by Holm's procedure: the smallest against alpha / k, the next alpha / (k - 1)..."""
    rejected: set[str] = set()
    for name, chance in sorted(probability.items(), key=lambda item: item[1]):
        if chance > FAMILY_ALPHA / (len(probability) - len(rejected)):
            break
        rejected.add(name)
    return rejected


def _no_harm_probability(difference: Difference) -> float:
    """Return the p-value of the one-sided test of "not harmed"."""
    if difference.se == 0.0:
        return float(difference.mean >= 0.0)
    return t_probability(difference.mean / difference.se, difference.degrees)
