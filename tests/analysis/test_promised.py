"""Promotions are held against what came after them."""

from __future__ import annotations

from tests.cli.command import ok
from tests.lifecycle.test_canary import batch, home, seeded
from zetaroute.analysis.promised import FEWEST_ROWS

__all__ = ["home", "seeded"]


def test_a_promise_waits_for_rows_and_is_then_held_against_them(home):
    said = proven(home)
    batch(home, FEWEST_ROWS - 10, seed=101)
    (waiting,) = ok(home, "kpi", "--compare", "--json").json["forecasts"]
    assert waiting["promised"] == said["difference"]["utility_usd"]
    assert (waiting["by"], waiting["came"]["value"], waiting["agrees"]) == ("retrain", None, None)
    batch(home, 300, seed=102)
    (held,) = ok(home, "kpi", "--compare", "--json").json["forecasts"]
    low, high = held["came"]["low"], held["came"]["high"]
    promised = held["promised"]
    assert held["agrees"] == (promised["low"] <= high and low <= promised["high"])
    assert held["agrees"] is True


def test_what_a_person_promoted_promised_nothing(home):
    ok(home, "policies", "promote", "1")
    batch(home, 60, seed=103)
    assert ok(home, "kpi", "--compare", "--json").json["forecasts"] == []


def test_a_test_that_promoted_is_not_counted_as_spent(home):
    first = proven(home)
    batch(home, 1200, seed=104)
    second = ok(home, "retrain", "--promote", "never", "--json").json
    manifests = {row["version"]: row for row in ok(home, "policies", "list", "--json").json}
    assert second["artifact"] in manifests
    levels = [level(home, version) for version in (first["artifact"], second["artifact"])]
    assert levels[1] == levels[0]


def proven(home):
    """Bring rows until the holdout may be tested again, and have the candidate promoted."""
    batch(home, 600, seed=100)
    said = ok(home, "retrain", "--json").json
    assert (said["verdict"], said["promoted"]) == ("PROMOTE", True), said["reasons"]
    return said


def level(home, version: str) -> float:
    from zetaroute.registry import Registry

    return float(Registry(home / "artifacts").manifest(version)["gate"]["level"])
