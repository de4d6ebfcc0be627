"""Homes of earlier versions: their files are read, decided with, learned from and reported on."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path
from typing import Any

import pytest

from tests.cli.command import ok

HOMES = Path(__file__).parent / "homes"
OLDEST = "836a36b"
"""The commit whose homes are the oldest that can be read. 24 practice queries were asked eight times each in a batch,
five others around it; three answers were rated. Its retrain was promoted, and two rows were left in the journal."""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    with tarfile.open(HOMES / f"{OLDEST}.tar.xz") as packed:
        packed.extractall(tmp_path / "home", filter="data")
    return tmp_path / "home"


@pytest.fixture(scope="module")
def then() -> dict[str, Any]:
    """What that version said of its home."""
    said: dict[str, Any] = json.loads((HOMES / f"{OLDEST}.json").read_text(encoding="utf-8"))
    return said


def test_its_policy_decides_as_it_did(home: Path, then: dict[str, Any]) -> None:
    for decided in then["decisions"]:
        now = ok(
            home, "ask", "--dry-run", "--json", "--seed", str(decided["seed"]), "--", decided["query"]
        ).json
        assert now["model"] == decided["model"]
        assert now["propensity"] == pytest.approx(decided["propensity"], abs=1e-9)
        for one, other in zip(now["candidates"], decided["candidates"], strict=True):
            assert (one["model"], one["reason"]) == (other["model"], other["reason"])
            assert one["accuracy"] == pytest.approx(other["accuracy"], abs=1e-9)
            assert one["probability"] == pytest.approx(other["probability"], abs=1e-9)


def test_its_journal_is_merged_and_its_rows_are_shown(home: Path, then: dict[str, Any]) -> None:
    assert len(list((home / "journal").glob("*.jsonl"))) == 2
    listed = ok(home, "log", "list", "--limit", "1000", "--json").json
    assert list((home / "journal").glob("*.jsonl")) == []
    assert [row["id"] for row in listed[:2]] == then["waiting"]
    assert len(listed) == then["rows"]
    shown = ok(home, "log", "show", listed[0]["id"], "--json").json
    assert shown["explanation"]["best"] in {one["model"] for one in shown["candidates"]}


def test_its_version_is_whole_and_repeats_its_decisions(home: Path, then: dict[str, Any]) -> None:
    assert (
        ok(home, "policies", "verify").out == f"{then['version']} is whole and repeats 3 logged decisions\n"
    )
    (cold, first) = ok(home, "policies", "list", "--json").json
    assert (first["version"], first["current"], first["verdict"]) == (
        then["version"],
        "serves now",
        then["verdict"],
    )
    assert cold["version"] == "v0000"
    assert ok(home, "policies", "show").out.startswith(f"# {then['verdict']}:")


def test_what_is_expected_of_a_new_model_may_change_and_the_version_stays_whole(home: Path) -> None:
    new = '[[models]]\nid = "practice/new"\nprovider = "practice"\nmodel = "medium"\n'
    config = home / "config.toml"
    before = config.read_text(encoding="utf-8")
    config.write_text(f"{before}\n{new}", encoding="utf-8")
    assert "practice/new" in [
        one["model"] for one in ok(home, "ask", "What is 2 + 3?", "--json").json["candidates"]
    ]
    config.write_text(f"{before}\n{new}prior_accuracy = 0.2\n", encoding="utf-8")
    assert "is whole and repeats 4 logged decisions" in ok(home, "policies", "verify").out


def test_it_is_reported_on(home: Path, then: dict[str, Any]) -> None:
    report = ok(home, "kpi", "--json").json
    assert (report["version"], report["rows"]) == (then["version"], then["rows"])
    for name, figure in then["kpis"].items():
        assert report["kpis"][name] == pytest.approx(figure, rel=1e-9, nan_ok=True), name
    compared = ok(home, "kpi", "--compare", "--json").json
    assert (compared["before"]["version"], compared["after"]["version"]) == ("v0000", then["version"])
    assert compared["after"]["rows"] == then["compared"][1]


def test_a_retrain_learns_from_it(home: Path, then: dict[str, Any]) -> None:
    said = ok(home, "retrain", "--promote", "force", "--json").json
    assert (said["parent"], said["promoted"]) == (then["version"], True)
    assert said["rows"]["all"] == then["rows"]
    assert ok(home, "policies", "rollback").out == f"{then['version']} serves from now on\n"
