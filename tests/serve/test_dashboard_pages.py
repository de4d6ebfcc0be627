"""The page at `/`: what it says, what a browser makes of it, and that nothing in a query can run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.conftest import http_config, says
from tests.providers.loopback import ModelServer, Running
from tests.report.browser import Browser, browsing, find_browser
from tests.report.test_html import HOSTILE, Page
from tests.serve.running import Server, serving
from tests.support.waiting import until
from zetaroute.report.live_page import live_html


@pytest.fixture(scope="module")
def model_server() -> Iterator[ModelServer]:
    running = Running()
    yield running.start()
    running.stop()


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory, model_server: ModelServer) -> Iterator[Server]:
    """A server that was asked hostile things."""
    model_server.reply(says(HOSTILE[0]))
    home = tmp_path_factory.mktemp("hostile") / "home"
    home.mkdir()
    text = http_config(model_server).replace("two/m2", "two/<img src=x onerror=window.hacked=1>")
    (home / "config.toml").write_text(text, encoding="utf-8")
    with serving(home) as running:
        for query in HOSTILE:
            assert running.ask(query, metadata={"task": query}).status_code == 200
        yield running


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with browsing(find_browser(), tmp_path_factory.mktemp("profile")) as found:
        yield found


def test_the_page_says_what_is_served(hostile: Server) -> None:
    answer = hostile.get("/")
    page = Page(answer.text)
    assert page.open == []
    assert "Policy v0000 serves" in page.text
    for words in ("Key figures", "Mean response time", "Models", "None runs.", "one/m1", "Latest decisions"):
        assert words in page.text
    assert "with probability" in page.text
    assert "Nothing was retrained yet" in page.text
    # Another test may have asked before.
    assert len(page.found("details")) >= len(HOSTILE)


def test_hostile_text_stays_text(hostile: Server) -> None:
    answer = hostile.get("/")
    page = Page(answer.text)
    for query in HOSTILE[:4]:
        assert " ".join(query.split()) in page.text
    for mark in ("\x1b", "\u202e"):
        assert mark not in answer.text
    assert [one.get("src") for one in page.found("script")] == ["/page.js"]
    assert not page.found("img")
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'")
    assert "unsafe" not in policy


def test_a_browser_shows_and_renews_it(hostile: Server, browser: Browser) -> None:
    browser.open(f"{hostile.url}/")
    assert browser.complaints() == []
    assert browser.evaluate("window.hacked") is None
    assert all(url.startswith((hostile.url, "data:")) for url in browser.requested())
    browser.evaluate("document.querySelector('details').open = true")
    opened = browser.evaluate("document.querySelector('details').id")
    hostile.ask("a later question")
    until(lambda: "a later question" in browser.evaluate("document.body.innerText"))
    assert browser.evaluate(f"document.getElementById('{opened}').open") is True
    assert browser.evaluate("document.querySelector('details').open") is False
    assert browser.evaluate("window.hacked") is None


@pytest.mark.parametrize("width", [380, 1100])
@pytest.mark.parametrize("dark", [False, True])
def test_it_fits_every_window(
    hostile: Server, browser: Browser, tmp_path: Path, width: int, dark: bool
) -> None:
    browser.open(f"{hostile.url}/", width=width, dark=dark)
    browser.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
    meters = "<dl class=meters><dt>Evidence of harm</dt><dd><meter></meter> 0.0163 of 20</dd></dl>"
    browser.evaluate(f"document.querySelector('main').insertAdjacentHTML('afterbegin', '{meters}')")
    assert browser.evaluate("document.documentElement.scrollWidth") <= width
    browser.picture(tmp_path / "page.png")
    assert (tmp_path / "page.png").stat().st_size > 10_000


def test_without_a_script_it_renews_itself(hostile: Server, browser: Browser) -> None:
    browser.call("Emulation.setScriptExecutionDisabled", value=True)
    try:
        browser.open(f"{hostile.url}/")
        refreshed = browser.call("DOM.getDocument", depth=-1)
    finally:
        browser.call("Emulation.setScriptExecutionDisabled", value=False)
    assert "refresh" in str(refreshed)
    assert "Key figures" in str(refreshed)


def test_no_report_is_no_mistake(hostile: Server) -> None:
    answer = hostile.get("/report")
    assert answer.status_code == 404
    assert "retrain" in answer.json()["error"]["message"]


def test_the_contest_its_cost_and_a_chain_are_told() -> None:
    evidence = {
        "e_value": 4.5,
        "promotes_at": 20.0,
        "harm": 0.5,
        "rolls_back_at": 20.0,
        "rows": 1200,
        "audited": 300,
    }
    contest = {"challenger": "v0002-b", "champion": "v0001-a", "anchor": None, "step": "began", "share": 0.4}
    kpis = {"accuracy": 0.9, "graded": 50, "satisfaction": None, "p95_response_s": 1.5}
    model = {"model": "one/m1", "state": "cooling", "share": 1.0, "price": None, "tags": ["local"]}
    ask = {"model": "one/m1", "probability_right": 0.7, "agrees": None, "cost_usd": 0.001, "response_s": 1.0}
    row = dict.fromkeys(
        ("query", "error_kind", "propensity", "accuracy", "response_s", "cost_usd", "candidates")
    )
    row |= {"id": "r1", "time": "now", "model": "one/m1", "status": "ok", "policy_version": "v0001-a"}
    row |= {"explored": False, "forced": True, "fallback_of": None, "seed": None}
    page = Page(
        live_html(
            {
                "time": "now",
                "hours": 24,
                "version": "v0001-a",
                "rows": 0,
                "rows_in_log": 9,
                "kpis": {},
                "provenance": {"practice": 0},
                "retrain": None,
                "contest": {**contest, "evidence": evidence},
                "earned": {"value": 1.25, "low": 0.5, "high": 2.0, "n": 1200},
                "audits": {"rows": 300, "cost_usd": 0.75},
                "models": [{**model, "kpis": {**kpis, "cost_per_query_usd": 0.0, "error_rate": 0.2}}],
                "states": ["one/m1: rests"],
                "latest": [{**row, "asks": [{**ask, "returned": True, "why": "sure enough"}]}],
            }
        )
    )
    assert page.open == []
    for words in (
        "v0002-b challenges against v0001-a, on 40.0% of the queries; 1,200 were scored, 300 of them audited",
        *("Evidence of a gain", "4.5 of 20", "Evidence of harm", "0.5 of 20"),
        *("Challengers earned +$1.25 [+$0.50, +$2.00]", "300 answers for $0.75", "cooling", "one/m1: rests"),
        "one/m1 (given): right with 70%, $0.001, 1.00 s; sure enough",
    ):
        assert words in page.text, page.text
    assert [meter["value"] for meter in page.found("meter")] == ["0.502", "0.000"]
