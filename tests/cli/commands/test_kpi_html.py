"""`kpi --html` writes a page; queries are in it only when they are asked for."""

from __future__ import annotations

import html
import shutil
from pathlib import Path

import pytest

from tests.cli.command import ok, refused, run
from tests.support.homes import practice_home, route

ROWS = 200


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home where a second version has answered some queries."""
    home = practice_home(tmp_path_factory.mktemp("served"), rows=ROWS, seed=5)
    ok(home, "retrain", "--promote", "force")
    route(home, rows=80, seed=6)
    return home


@pytest.fixture
def home(served: Path, tmp_path: Path) -> Path:
    """A copy of it that a test may change."""
    return Path(shutil.copytree(served, tmp_path / "home"))


def queries_in(page: str, home: Path) -> int:
    listed = ok(home, "log", "list", "--json", "--limit", str(ROWS)).json
    shown = html.unescape(page)
    return sum(row["query"][:60] in shown for row in listed)


def test_before_against_after_as_a_page(home: Path, tmp_path: Path) -> None:
    target = tmp_path / "page.html"
    said = ok(home, "kpi", "--compare", "--html", str(target))
    assert "What was served" in said.out
    assert str(target) in said.err
    page = target.read_text(encoding="utf-8")
    assert page.startswith("<!doctype html>")
    assert "v0001" in page
    assert "Over time" in page
    assert queries_in(page, home) == 0
    ok(home, "kpi", "--compare", "--html", str(target), "--examples", "--json")
    page = target.read_text(encoding="utf-8")
    assert "Some of the queries" in page
    assert queries_in(page, home) > 3


def test_the_key_figures_as_a_page(home: Path, tmp_path: Path) -> None:
    target = tmp_path / "page.html"
    figures = ok(home, "kpi", "--by", "task", "--html", str(target), "--json").json
    page = target.read_text(encoding="utf-8")
    assert figures["rows"] == ROWS + 80
    assert "In parts" in page
    assert all(task in page for task in figures["by"])
    assert sum(one["last"] - one["first"] + 1 for one in figures["over_time"]["bins"]) == figures["rows"]
    assert [mark["at"] for mark in figures["over_time"]["marks"]] == [ROWS]
    assert queries_in(page, home) == 0


@pytest.mark.parametrize(
    "arguments", [("--examples",), ("--examples", "--compare"), ("--examples", "--html", "x.html")]
)
def test_examples_need_a_page_of_a_comparison(home: Path, arguments: tuple[str, ...]) -> None:
    assert "--compare" in refused(run(home, "kpi", *arguments), 2)


def test_a_page_that_cannot_be_written_is_told(home: Path, tmp_path: Path) -> None:
    assert "--html" in refused(run(home, "kpi", "--html", str(tmp_path / "no" / "page.html")), 2)


def test_examples_of_a_version_that_has_served_nothing_are_none(home: Path, tmp_path: Path) -> None:
    ok(home, "retrain", "--promote", "force")
    target = tmp_path / "none.html"
    ok(home, "kpi", "--compare", "--html", str(target), "--examples")
    assert target.exists()
