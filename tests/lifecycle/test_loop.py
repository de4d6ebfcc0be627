"""The whole loop by its commands: cold rows, ratings, retrain, the promoted policy, before against after."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.cli.command import Said, ok, refused, rows, run, shape
from tests.support.homes import practice_home

ROWS = 500
FEW = 160
FIGURE = {"value": "number?", "low": "number?", "high": "number?", "n": "number"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Learned:
    """A home after one retrain, and what that retrain said."""

    home: Path
    retrain: Any


@pytest.fixture(scope="module")
def cold(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home before its first retrain, with a few ratings."""
    home = practice_home(tmp_path_factory.mktemp("cold"), rows=ROWS, seed=5, audited=True)
    for row in ok(home, "log", "list", "--json", "--limit", "6").json:
        ok(home, "rate", row["id"], "5" if row["accuracy"] else "1")
    return home


@pytest.fixture(scope="module")
def few(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with few rows, before its first retrain."""
    return practice_home(tmp_path_factory.mktemp("few"), rows=FEW, seed=5)


@pytest.fixture
def small(few: Path, tmp_path: Path) -> Path:
    """A copy of it that a test may change."""
    return shutil.copytree(few, tmp_path / "small")


@pytest.fixture(scope="module")
def trained(cold: Path, tmp_path_factory: pytest.TempPathFactory) -> Learned:
    """The same after a retrain."""
    home = tmp_path_factory.mktemp("trained") / "home"
    shutil.copytree(cold, home)
    return Learned(home=home, retrain=ok(home, "retrain", "--json").json)


@pytest.fixture
def learned(trained: Learned, tmp_path: Path) -> Learned:
    """A copy of it that a test may change."""
    shutil.copytree(trained.home, tmp_path / "learned")
    return Learned(home=tmp_path / "learned", retrain=trained.retrain)


@pytest.fixture(scope="module")
def made_current(few: Path, tmp_path_factory: pytest.TempPathFactory) -> Learned:
    """A home whose version serves alone, because a person said so."""
    home = tmp_path_factory.mktemp("made") / "home"
    shutil.copytree(few, home)
    return Learned(home=home, retrain=ok(home, "retrain", "--promote", "force", "--json").json)


@pytest.fixture
def alone(made_current: Learned, tmp_path: Path) -> Learned:
    """A copy of it that a test may change."""
    shutil.copytree(made_current.home, tmp_path / "alone")
    return Learned(home=tmp_path / "alone", retrain=made_current.retrain)


def policy_of(home: Path) -> str:
    """Return the version that serves; no query may have been given to any but it or a side of its contest."""
    ok(home, "ask", "What is 2 + 3?")
    (current,) = (row["version"] for row in ok(home, "policies", "list", "--json").json if row["current"])
    assert isinstance(current, str)
    return current


def promoted(home: Path) -> list[tuple[str, str, str]]:
    return rows(home, "SELECT previous, version, author FROM promotions ORDER BY id")


def test_cold_rows_explore_with_exact_propensities(few: Path) -> None:
    counts = rows(few, "SELECT model, count(*), min(propensity) FROM outcomes GROUP BY 1")
    assert len(counts) == 3
    assert all(count > 0 and least > 0.0 for _, count, least in counts), "every model keeps a share"
    wrong = rows(
        few,
        """SELECT count(*) FROM outcomes WHERE abs(list_sum(pmf) - 1) > 1e-9 OR propensity <> list_extract(
               pmf, list_position(list_transform(candidates, lambda c: c.model), model))""",
    )
    assert wrong == [(0,)]


def test_retrain_json(trained: Learned) -> None:
    said = trained.retrain
    kinds = {
        **dict.fromkeys(("artifact", "parent", "verdict"), "text"),
        **dict.fromkeys(("rows", "before", "after", "difference", "evidence"), "object"),
        "promoted": "truth",
        "reasons": "list",
        "share": "number",
        "audits_needed": "number?",
        "audit_usd_needed": "number?",
        "elapsed_s": "number",
    }
    assert shape(said, kinds) == []
    counts = dict.fromkeys(("train", "scored", "without_propensity", "rated", "graded"), "number")
    assert shape(said["rows"], counts) == []
    assert said["rows"]["train"] == said["rows"]["graded"] > ROWS, "what audits ask teaches too"
    assert 0 < said["rows"]["scored"] < ROWS, "the first rows only teach"
    assert (said["rows"]["rated"], said["rows"]["without_propensity"]) == (6, 0)
    evidence = dict.fromkeys(("e_value", "promotes_at", "rolls_back_at", "rows", "audited"), "number")
    assert shape(said["evidence"], evidence) == []
    assert said["evidence"]["rows"] == said["rows"]["scored"] >= said["evidence"]["audited"] > 0
    for figures in (said["before"], said["after"], said["difference"]):
        assert [shape(figure, FIGURE) for figure in figures.values()] == [[]] * len(figures)
        assert {"accuracy_rate", "cost_per_query_usd", "mean_response_s", "utility_usd"} <= set(figures)
    gain = said["difference"]["utility_usd"]
    assert gain["low"] <= gain["value"] <= gain["high"]
    for name, change in said["difference"].items():
        if change["value"] is not None:
            before, after = (said[side][name]["value"] for side in ("before", "after"))
            assert change["value"] == pytest.approx(after - before, abs=1e-12)


def test_what_was_learned_is_promoted_and_serves(learned: Learned) -> None:
    said = learned.retrain
    assert (said["verdict"], said["promoted"], said["parent"]) == ("PROMOTE", True, "v0000")
    assert said["difference"]["utility_usd"]["low"] > 0
    assert policy_of(learned.home) == said["artifact"]
    assert promoted(learned.home) == [("v0000", said["artifact"], "retrain")]
    stored = json.loads((learned.home / "artifacts" / said["artifact"] / "kpi.json").read_text())
    assert stored["difference"] == said["difference"]
    assert (learned.home / "artifacts" / said["artifact"] / "report.md").read_text()


def test_before_against_after_of_what_was_served(learned: Learned, tmp_path: Path) -> None:
    home = learned.home
    ok(home, "practice", "generate", "--rows", "400", "--seed", "6", "-o", str(tmp_path / "new.jsonl"))
    ok(home, "batch", str(tmp_path / "new.jsonl"))
    result = ok(home, "kpi", "--compare", "--json").json
    kinds = {"verdict": "text", "reasons": "list"}
    objects = dict.fromkeys(("before", "after", "difference", "off_policy"), "object")
    assert shape(result, kinds | objects) == []
    for side, version in (("before", "v0000"), ("after", learned.retrain["artifact"])):
        assert shape(result[side], {"version": "text", "rows": "number", "kpis": "object"}) == []
        assert result[side]["version"] == version
        assert shape(result[side]["kpis"]["accuracy_rate"], FIGURE) == []
    assert result["verdict"] == "PROMOTE"
    measured, found = result["off_policy"], learned.retrain["difference"]
    assert measured["accuracy_rate"] == pytest.approx(found["accuracy_rate"])
    assert measured["utility_usd"]["value"] == pytest.approx(found["utility_usd"]["value"])
    change = result["difference"]["utility_usd"]
    assert shape(change, FIGURE) == []
    assert change["low"] <= change["value"] <= change["high"]
    assert change["high"] > 0
    by_name = ok(home, "kpi", "--before", "0", "--after", "1", "--json").json
    for name, figure in by_name["difference"].items():
        assert figure == pytest.approx(result["difference"][name]), name
    turned = ok(home, "kpi", "--before", "1", "--after", "v0000", "--json").json
    assert turned["difference"]["accuracy_rate"]["value"] == pytest.approx(
        -result["difference"]["accuracy_rate"]["value"], abs=0.05
    )
    shown = ok(home, "kpi", "--compare").out
    assert learned.retrain["artifact"] in shown
    assert "accuracy" in shown
    whole = ok(home, "kpi", "--json", "--by", "version").json
    served = {version: part["rows"] for version, part in whole["by"].items()}
    assert sum(served.values()) == ROWS + 400
    assert 120 < served[learned.retrain["artifact"]] < 280, "half of the queries while it is tested for harm"


@pytest.mark.parametrize("by", ["task", "model", "segment", "day", "version"])
def test_kpis_by_every_kind_of_part_add_up(trained: Learned, by: str) -> None:
    result = ok(trained.home, "kpi", "--json", "--by", by).json
    assert sum(part["rows"] for part in result["by"].values()) == result["rows"]
    ok(trained.home, "kpi", "--by", by)


def test_bars(learned: Learned) -> None:
    home = learned.home
    ok(home, "kpi", "--fail-under", "accuracy=0.01")
    missed = run(
        home, "kpi", "--json", "--fail-under", "accuracy=0.01", "--fail-under", "accuracy_rate=0.999"
    )
    assert missed.code == 4
    assert missed.json["rows"] >= ROWS
    assert len(missed.errors) == 1


def test_rollback_is_obeyed_by_the_next_query(learned: Learned) -> None:
    home, version = learned.home, learned.retrain["artifact"]
    assert "v0000" in ok(home, "policies", "rollback").out
    assert policy_of(home) == "v0000"
    refused(run(home, "policies", "rollback"), 2)
    assert rows(home, "SELECT step FROM contests ORDER BY id") == [("began",), ("promoted",), ("ended",)]
    ok(home, "policies", "promote", "1", "--reason", "try again")
    assert policy_of(home) == version
    ok(home, "policies", "promote", version)
    ok(home, "policies", "rollback")
    assert policy_of(home) == "v0000"
    assert [row[1] for row in promoted(home)][:3] == [version, "v0000", version]


def test_looking_at_versions(learned: Learned) -> None:
    home, version = learned.home, learned.retrain["artifact"]
    listed = {row["version"]: row for row in ok(home, "policies", "list", "--json").json}
    assert list(listed) == ["v0000", version]
    assert listed[version]["current"]
    assert not listed["v0000"]["current"]
    assert (listed[version]["verdict"], listed[version]["parent"]) == ("PROMOTE", "v0000")
    assert version in ok(home, "policies", "list").out
    assert version in ok(home, "policies", "verify").out
    assert ok(home, "policies", "show").out == ok(home, "policies", "show", "1").out != ""
    assert "v0000" in ok(home, "policies", "show", "v0000").out
    for name in ("1", "v0"):
        assert f"{version} was promoted at 20" in ok(home, "policies", "show", name).err


def changed(home: Path, version: str, name: str) -> None:
    path = home / "artifacts" / version / name
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("name", ["policy.npz", "manifest.json", "vocabulary.json"])
def test_a_changed_byte_is_refused_and_rollback_mends_it(alone: Learned, name: str) -> None:
    home, version = alone.home, alone.retrain["artifact"]
    changed(home, version, name)
    for arguments in (("ask", "hi"), ("policies", "verify"), ("kpi", "--compare"), ("retrain",)):
        sentence = refused(run(home, *arguments), 1)
        assert version in sentence
        assert "rollback" in sentence
    assert version in ok(home, "policies", "list").out
    ok(home, "policies", "rollback")
    assert policy_of(home) == "v0000"
    refused(run(home, "policies", "promote", version), 1)
    assert policy_of(home) == "v0000"


@pytest.mark.parametrize("name", ["report.md", "kpi.json"])
def test_a_changed_report_is_told_and_stops_no_answer(alone: Learned, name: str) -> None:
    home, version = alone.home, alone.retrain["artifact"]
    changed(home, version, name)
    assert policy_of(home) == version
    assert name in refused(run(home, "policies", "verify"), 1)
    if name == "report.md":
        refused(run(home, "policies", "show"), 1)
    else:
        ok(home, "kpi", "--compare", "--json")


@pytest.mark.parametrize("pointer", [b"v0099-0123456789ab\n", b"\xff\xff", b"../../etc\n"])
def test_a_broken_pointer_is_told_and_promote_mends_it(alone: Learned, pointer: bytes) -> None:
    home, version = alone.home, alone.retrain["artifact"]
    (home / "artifacts" / "current").write_bytes(pointer)
    refused(run(home, "ask", "hi"), 1)
    ok(home, "policies", "promote", version)
    assert policy_of(home) == version


def test_strict_never_and_force(small: Path) -> None:
    home = small
    strict = run(home, "retrain", "--strict", "--json")
    assert (strict.code, strict.json["verdict"], strict.json["promoted"]) == (4, "INSUFFICIENT", False)
    assert len(strict.errors) == 1
    kept: Said = ok(home, "retrain", "--promote", "never", "--json")
    assert (kept.json["promoted"], promoted(home)) == (False, [])
    forced = ok(home, "retrain", "--promote", "force")
    assert "v0003-" in forced.out
    assert policy_of(home).startswith("v0003-")
    assert rows(home, "SELECT forced FROM promotions") == [(True,)]


def test_an_old_version_that_is_damaged_does_not_stop_learning(small: Path) -> None:
    home = small
    old = ok(home, "retrain", "--promote", "never", "--json").json["artifact"]
    changed(home, old, "manifest.json")
    assert ok(home, "retrain", "--promote", "never", "--json").json["artifact"].startswith("v0002-")
    listed = {row["version"]: row["verdict"] for row in ok(home, "policies", "list", "--json").json}
    assert listed[old] == "damaged"


def test_rows_that_nobody_chose_train_but_prove_nothing(small: Path) -> None:
    home = small
    ok(home, "batch", str(home / "q5.jsonl"), "-m", "practice/small", "--limit", "50", "-o", str(home / "o"))
    said = ok(home, "retrain", "--promote", "never", "--json").json["rows"]
    assert (said["without_propensity"], said["graded"]) == (50, FEW + 50)
    assert (said["train"], said["scored"] < FEW) == (FEW + 50, True)


def test_rows_of_all_models_are_pairs(tmp_path: Path, instant_config: str) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / "config.toml").write_text(instant_config, encoding="utf-8")
    ok(home, "practice", "generate", "--rows", "60", "-o", str(home / "q.jsonl"))
    ok(home, "batch", str(home / "q.jsonl"), "--all-models")
    said = ok(home, "retrain", "--json").json
    assert (said["verdict"], said["promoted"]) == ("INSUFFICIENT", False)
    assert said["evidence"]["audited"] == said["rows"]["scored"] > 0
