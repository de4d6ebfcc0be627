"""What a promotion promised is held against what the test for harm measures after it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.analysis.test_earned import BEGAN, LINE
from zetaroute.analysis.promotion_forecasts import forecasts
from zetaroute.config import Home, Objective
from zetaroute.domain import Promotion, new_id
from zetaroute.log.journal import Entry
from zetaroute.log.log import Log
from zetaroute.registry import COLD, Registry


def told(folder: Path, *, before: float, after: float, units: int = 400) -> dict:
    """Return what is said of a promotion whose challenger gained `before`, and `after` it was promoted."""
    log = Log(Home(folder))
    rng = np.random.default_rng(3)
    began, promoted = (
        replace(BEGAN, id=(id_ := new_id()), epoch=id_, step=step) for step in ("began", "promoted")
    )
    lines = []
    for event, gain, count in ((began, before, 1500), (promoted, after, units)):
        for noise in rng.choice([-1.0, 1.0], size=count):
            psi = float(gain + 0.3 * noise)
            line = replace(
                LINE, id=new_id(), epoch=event.epoch, gain_usd=psi, loss_usd=-psi, variance_usd=0.1
            )
            lines.append(line)
    promotion = Promotion(
        id=new_id(),
        time="2026-01-02T00:00:00",
        version="v0001",
        previous=COLD,
        reason="made",
        author="evidence",
    )
    log.append([Entry(contests=(began, promoted), evidence=tuple(lines), promotions=(promotion,))])
    with log.open() as connection:
        (found,) = forecasts(connection, registry=Registry(folder / "artifacts"), objective=Objective())
    return found


@pytest.mark.parametrize(("after", "kept"), [(0.1, True), (0.3, True), (-0.1, False)])
def test_more_than_was_promised_is_no_broken_promise(tmp_path: Path, after: float, kept: bool) -> None:
    found = told(tmp_path, before=0.1, after=after)
    assert (found["version"], found["previous"], found["by"]) == ("v0001", COLD, "evidence")
    assert found["promised"]["low"] < 0.1 < found["promised"]["high"]
    assert found["came"]["low"] < after < found["came"]["high"]
    assert found["agrees"] is kept


def test_a_few_queries_tell_nothing(tmp_path: Path) -> None:
    found = told(tmp_path, before=0.1, after=-5.0, units=20)
    assert (found["came"]["value"], found["came"]["n"], found["agrees"]) == (None, 20, None)
