"""How often the 95% intervals hold the truth: one section of docs/simulations.md."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from benchmarks.statistics.sizes import Size, each, error_of, row, share_of
from benchmarks.statistics.worlds import Drawn, draw, policies, practice_world
from zetaroute.domain import Figure
from zetaroute.evaluate.nonresponse import rated_difference
from zetaroute.evaluate.ope import PairedDR
from zetaroute.evaluate.quantiles import quantile_difference

KPIS = ("utility", "accuracy", "cost", "response", "slow share", "satisfaction", "p95 response")


def estimates(drawn: Drawn) -> dict[str, Figure]:
    """Return every KPI's estimated change with its interval."""
    figures = {
        name: PairedDR(drawn.rows, reward, bounded=name in {"accuracy", "slow share"}).difference().figure()
        for name, reward in drawn.rewards.items()
        if name != "satisfaction"
    }
    rated = rated_difference(drawn.rows, drawn.rewards["satisfaction"])
    return figures | {
        "satisfaction": rated.difference.figure() if rated.band.value is not None else rated.band,
        "p95 response": quantile_difference(drawn.rows, drawn.response_s, 0.95),
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One cell of the coverage table."""

    n: int
    floor: float
    arms: int
    covered: Mapping[str, tuple[int, int]]
    """KPI -> intervals that held the truth, intervals given."""


def coverage_cell(n: int, floor: float, arms: int, replications: int) -> Cell:
    """Draw worlds and policies, and count the intervals that hold the truth."""
    rng = np.random.default_rng([n, round(floor * 1000), arms])
    world = practice_world(arms)
    counts = {name: [0, 0] for name in KPIS}
    for _ in range(replications):
        before, after = policies(world, rng)
        truth = world.truths(before, after)
        drawn = draw(world, rng, n, floor=floor, before=before, after=after)
        for name, figure in estimates(drawn).items():
            if figure.low is not None and figure.high is not None:
                counts[name][0] += figure.low <= truth[name] <= figure.high
                counts[name][1] += 1
    return Cell(n=n, floor=floor, arms=arms, covered={name: (a, b) for name, (a, b) in counts.items()})


def coverage(size: Size, jobs: int) -> list[str]:
    tasks = [
        partial(coverage_cell, n, floor, arms, size.coverage)
        for n in size.rows
        for floor in size.floors
        for arms in size.arms
    ]
    cells = each(tasks, jobs)
    return [
        "## Coverage of the 95% intervals",
        "",
        f"Worlds made from the practice generator, {size.coverage} replications per cell, each with another",
        f"incumbent and candidate; one standard error of a cell at 95% is {error_of(0.95, size.coverage):.3f}.",
        "A dash: no interval was given (fewer than 20 rated hits; fewer than 100 hits for the p95); a star: in",
        "fewer than half of the replications, too few to count among the worst.",
        "",
        *row("rows", "floor", "models", *KPIS),
        *row(*["---"] * (3 + len(KPIS))),
        *(
            line
            for c in cells
            for line in row(
                str(c.n),
                f"{c.floor:g}",
                str(c.arms),
                *(_cover(*c.covered[name], size.coverage) for name in KPIS),
            )
        ),
        *row("**worst**", "", "", *(f"**{_worst(cells, name, size.coverage)}**" for name in KPIS)),
        "",
    ]


def _worst(cells: Sequence[Cell], name: str, replications: int) -> str:
    """Return the lowest coverage among the cells that gave an interval in at least half of the replications."""
    given = [cell.covered[name] for cell in cells if 2 * cell.covered[name][1] >= replications]
    return f"{min(share_of(*one) for one in given):.3f}" if given else "-"


def _cover(held: int, given: int, replications: int) -> str:
    if not given:
        return "-"
    return f"{held / given:.3f}" + ("*" if given < replications / 2 else "")
