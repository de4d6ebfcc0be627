"""Whatever stands in a small log: every printed figure is possible, lies in its interval, and rows add up."""

from __future__ import annotations

import random
import re

import numpy as np
import polars as pl
import pytest

from tests.analysis.test_served import OBJECTIVE, SETTINGS, entry
from tests.stress.conftest import size
from zetaroute.analysis.query_kinds import Kinds
from zetaroute.analysis.served import Scope, as_served, read_served
from zetaroute.config import Home
from zetaroute.evaluate.key_figures import figures, on_one_mix
from zetaroute.log.log import Log
from zetaroute.report.figure_words import KPIS
from zetaroute.report.tables import Cell, changes_table, figures_table

LOGS, MOST_ROWS = size(60, 1000), 40
MOST = {"share": 100.0, "score": 1.0}
BEST_USD = 1000 * (OBJECTIVE.answer_value_usd + OBJECTIVE.satisfaction_value_usd)
"""What 1,000 queries are worth at most."""
KPI = {kpi.label: kpi for kpi in KPIS}


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> pl.DataFrame:
    """Queries of two versions, each a group of its own."""
    log, rng = Log(Home(tmp_path_factory.mktemp("possible"))), random.Random(7)
    log.append([entry(number, rng) for number in range(700)])
    with log.open() as connection:
        ids = [one for (one,) in connection.execute("SELECT id FROM outcomes ORDER BY id").fetchall()]
        return read_served(connection, Scope(), kinds=Kinds(), edges=ids)


def numbers(text: str) -> list[float]:
    return [float(one.replace(",", "")) for one in re.findall(r"[+-]?[\d,]*\.?\d+", text.replace("$", ""))]


def last_digit(text: str) -> float:
    digits = re.search(r"\.(\d+)", text)
    return 10.0 ** -len(digits[1]) if digits else 1.0


def check_possible(label: str, cell: Cell) -> None:
    """The figure is inside the range of its KPI, and so is its interval, which holds it."""
    unit, found = KPI[label].unit, [*numbers(cell.text), *numbers(cell.interval)]
    most = BEST_USD if label.startswith("Utility") else MOST.get(unit, np.inf)
    least = -np.inf if label.startswith("Utility") else 0.0
    assert all(least <= one <= most + last_digit(cell.text) / 2 for one in found), (label, cell)
    if len(found) == 3:
        assert found[1] - last_digit(cell.interval) <= found[0] <= found[2] + last_digit(cell.interval)


def test_figures_of_small_logs_are_possible_and_add_up(rows: pl.DataFrame) -> None:
    rng, added = np.random.default_rng(2026), 0
    for _ in range(LOGS):
        chosen = rows[np.sort(rng.choice(rows.height, rng.integers(2, MOST_ROWS), replace=False)).tolist()]
        found = figures(as_served(chosen, SETTINGS), OBJECTIVE)
        for row in figures_table({name: one.json() for name, one in found.items()}).rows:
            check_possible(row[0].text, row[1])
        sides = [as_served(chosen.filter(policy_version=version), SETTINGS) for version in ("v0", "v1")]
        mix = on_one_mix(*sides, OBJECTIVE)
        written = changes_table(
            *({name: one.json() for name, one in side.items()} for side in (mix.before, mix.after)),
            {name: one.json() for name, one in mix.difference.items()},
        )
        if len(written.columns) < 4:
            continue
        for label, before, after, difference, *_ in written.rows:
            for cell in (before, after):
                check_possible(label.text, cell)
            (old, new, change) = (numbers(cell.text) for cell in (before, after, difference))
            if old and new and change:
                assert new[0] - old[0] == pytest.approx(change[0], abs=last_digit(after.text) / 100), label
                added += 1
    assert added > 5 * LOGS
