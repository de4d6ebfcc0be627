"""The pages: what they say, that they bring nothing along and let nothing in, and what a browser makes of them."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from tests.report.browser import Browser, browsing, find_browser
from tests.report.made_results import compared, figure, key_figures, retrained, segment
from zetaroute.report import html
from zetaroute.report.kpi_report import compare_report, kpi_report
from zetaroute.report.retrain_report import retrain_report, verdict_sentence

HOSTILE = (
    "<script>window.hacked=1</script>",
    "\"'><img src=x onerror=window.hacked=1>",
    "</title></svg><svg onload=window.hacked=1>$\\frac{1}{2}$",
    "]]><style>@import url(https://example.org/x.css)</style>",
    '\x1b[31mred\u202etxt.exe 模型 {{ 7 * 7 }} url(#x) id="figure_1" #010101',
)


def retrain_html(result: dict[str, Any]) -> str:
    return html.page(retrain_report(result))


def compare_html(result: dict[str, Any]) -> str:
    return html.page(compare_report(result))


def kpi_html(result: dict[str, Any]) -> str:
    return html.page(kpi_report(result))


PAGES: dict[str, Callable[[], str]] = {
    "retrain": lambda: retrain_html(retrained()),
    "compare": lambda: compare_html(compared()),
    "kpi": lambda: kpi_html(key_figures()),
}
VOID = {"meta", "link", "br", "img", "path", "use", "rect", "circle"}


class Page(HTMLParser):
    """The elements of a page, and the words outside of them."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.words: list[str] = []
        self.open: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.words.append(" ".join(data.split()))

    @property
    def text(self) -> str:
        return " ".join(word for word in self.words if word)

    def found(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.elements if name == tag]


@functools.cache
def made(name: str) -> str:
    """Return a page of plain results, made once for all tests that only look at it."""
    return PAGES[name]()


def hostile_pages() -> dict[str, str]:
    """Return every page with hostile text wherever text from outside can come in."""
    models, kinds = (HOSTILE[0], HOSTILE[1]), (HOSTILE[2], HOSTILE[3])
    found = retrained(models, kinds=kinds)
    found["reasons"] = list(HOSTILE)
    found["parent"] = HOSTILE[4]
    for one in found["segments"]:
        one["terms"] = list(HOSTILE)
    served = compared((HOSTILE[0], HOSTILE[4]), kinds=kinds)
    served["after"]["version"] = HOSTILE[1]
    served["over_time"]["marks"][0]["version"] = HOSTILE[0]
    served["examples"] = {HOSTILE[0]: list(HOSTILE)}
    figures = key_figures(author=HOSTILE[2])
    figures["by"] = dict.fromkeys(HOSTILE, figures["by"]["stories"])
    figures["share"] = dict.fromkeys(HOSTILE, 0.2)
    figures["version"] = HOSTILE[2]
    return {"retrain": retrain_html(found), "compare": compare_html(served), "kpi": kpi_html(figures)}


@pytest.fixture(scope="module")
def hostile() -> dict[str, str]:
    return hostile_pages()


def check_nothing_from_elsewhere(page: Page) -> None:
    for tag, attributes in page.elements:
        assert tag not in {"script", "img", "iframe", "object", "embed", "form", "base", "image"}
        assert [name for name in attributes if name.startswith("on")] == []
        for name in ("href", "src", "xlink:href", "action"):
            assert attributes.get(name, "#").startswith(("#", "data:,"))
        for name in ("style", "fill", "clip-path"):
            assert all(one.startswith("#") for one in re.findall(r"url\(([^)]*)\)", attributes.get(name, "")))
    assert page.open == []


@pytest.mark.parametrize("name", PAGES)
def test_a_page_brings_nothing_from_elsewhere(name: str) -> None:
    text = made(name)
    page = Page(text)
    check_nothing_from_elsewhere(page)
    assert page.found("style")
    style = text[text.index("<style>") : text.index("</style>")]
    assert "url(" not in style
    assert "@import" not in style
    assert {"charset": "utf-8"} in page.found("meta")
    assert any("default-src 'none'" in meta.get("content", "") for meta in page.found("meta"))


@pytest.mark.parametrize("name", PAGES)
def test_hostile_text_stays_text(name: str, hostile: dict[str, str]) -> None:
    page = Page(hostile[name])
    check_nothing_from_elsewhere(page)
    assert "<script>window.hacked=1</script>" in page.text
    assert "{{ 7 * 7 }}" in page.text
    assert "\x1b" not in hostile[name]
    assert "\u202e" not in hostile[name]
    plain = Page(made(name))
    assert len(page.found("svg")) == len(plain.found("svg"))
    assert len(page.found("style")) == len(plain.found("style")) == 1


@pytest.mark.parametrize("name", PAGES)
def test_the_same_result_gives_the_same_page(name: str) -> None:
    assert PAGES[name]() == made(name)


@pytest.mark.parametrize("name", PAGES)
def test_drawings_are_named_and_take_their_colours_from_the_page(name: str) -> None:
    text = made(name)
    page = Page(text)
    drawings = page.found("svg")
    assert drawings
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    for drawing in drawings:
        assert drawing["role"] == "img"
        assert drawing["aria-labelledby"] in ids
        assert "viewbox" in drawing
        assert "width" not in drawing
    for svg in re.findall(r"<svg.*?</svg>", text, re.DOTALL):
        assert re.findall(r"#[0-9a-f]{6}", svg) == []
        assert "<text" in svg
    named = set(re.findall(r"--([\w-]+):", text))
    assert set(re.findall(r"var\(--([\w-]+)\)", text)) <= named


def test_the_retrain_page_says_what_was_found() -> None:
    page = Page(retrain_html(retrained()))
    said = page.text
    assert "PROMOTE: the new policy gains $2.00 per 1,000 queries [$1.50, $2.50]" in said
    for part in (
        "Before and after",
        "How much each figure changed",
        "Who answers what",
        "Which kinds of queries moved, and why",
        "How strong the evidence is",
        "What these figures stand on",
        "1010 of 1010 rows replay recorded outcomes",
        "90.0% of 250 queries moved, mostly from large to small.",
        "accuracy 80.0% → 90.0%, cost per 1,000 queries $2.00 → $0.10, time 1.00 s → 200.0 ms",
        "What marks them: json, schema, field",
        "evidence of a gain: 31.4 of the 20 that promote",
    ):
        assert part in said
    assert said.count("queries moved, mostly") == 1


def test_a_command_in_a_sentence_is_shown_as_one() -> None:
    text = retrain_html(retrained() | {"reasons": ["`zetaroute batch <f>` brings more", "a lone ` stays"]})
    assert "<li><code>zetaroute batch &lt;f&gt;</code> brings more</li>" in text
    assert "<li>a lone ` stays</li>" in text


@pytest.mark.parametrize(
    ("verdict", "tone"), [("PROMOTE", "good"), ("REJECT", "bad"), ("INSUFFICIENT", "unsure")]
)
def test_the_verdict_has_a_word_and_a_tone(verdict: str, tone: str) -> None:
    page = Page(retrain_html(retrained() | {"verdict": verdict}))
    assert page.found("header") == [{"class": f"verdict {tone}"}]
    assert verdict in page.text


@pytest.mark.parametrize(("high", "told"), [(0.001, False), (-0.001, True)])
def test_a_rejection_says_why_and_names_a_loss_only_where_it_is_sure(high: float, told: bool) -> None:
    result = retrained() | {"verdict": "REJECT", "reasons": ["it loses on stories: -0.003000 USD per query"]}
    result["difference"]["utility_usd"] = {"value": -0.002, "low": -0.004, "high": high, "n": 500}
    headline = verdict_sentence(result)
    assert headline.startswith("REJECT: it loses on stories: -0.003000 USD per query")
    assert ("$2.00 per 1,000" in headline) is told


def test_headline_drawing_and_table_write_one_gain() -> None:
    result = retrained()
    for side, value in (("before", 0.0072204), ("after", 0.0094049)):
        result[side]["utility_usd"] = {
            "value": value,
            "low": value - 0.0004,
            "high": value + 0.0004,
            "n": 500,
        }
    result["difference"]["utility_usd"] = {"value": 0.0021851, "low": 0.00058, "high": 0.00273, "n": 500}
    assert verdict_sentence(result).startswith("PROMOTE: the new policy gains $2.18 per 1,000 queries")
    page = Page(retrain_html(result)).text
    assert "+$2.18" in page
    assert "$2.19" not in page


def test_figures_of_a_contest_that_has_ended_are_no_headline() -> None:
    result = retrained() | {"verdict": "INSUFFICIENT", "anew": "a model has changed"}
    assert verdict_sentence(result) == "INSUFFICIENT: the evidence begins anew: a model has changed"
    assert "Before and after, in the contest that has ended" in Page(retrain_html(result)).text
    result = retrained() | {"verdict": "INSUFFICIENT"}
    result["evidence"]["serves"] = True
    assert verdict_sentence(result).startswith(
        "INSUFFICIENT: the version that serves already is tested for harm: +"
    )


def test_policies_that_do_not_differ_have_nothing_to_compare() -> None:
    result = retrained()
    result["difference"] = {
        name: {"value": 0.0, "low": 0.0, "high": 0.0, "n": 500} for name in result["difference"]
    }
    result["segments"] = [segment("stories", moved=0.0)]
    page = Page(retrain_html(result))
    assert "None: for nearly every one of the latest queries" in page.text
    assert "How much each figure changed" not in page.text
    assert [svg["aria-labelledby"] for svg in page.found("svg")] == ["shares-title"]


def nothing(value: Any) -> Any:
    """Return figures without any value, as a log without one usable row gives them."""
    if isinstance(value, dict) and "low" in value:
        return {"value": None, "low": None, "high": None, "n": 0}
    if isinstance(value, dict):
        return {key: nothing(one) for key, one in value.items()}
    return [nothing(one) for one in value] if isinstance(value, list) else value


def test_a_result_without_figures_or_parts_still_makes_a_page() -> None:
    result = nothing(retrained()) | {"verdict": "INSUFFICIENT", "before": {}, "after": {}, "segments": []}
    result |= {"difference": {"utility_usd": nothing(figure(0.0))}}
    said = Page(retrain_html(result)).text
    assert "INSUFFICIENT" in said
    assert "Nothing to show yet: " in said
    few = result | {"queries_missing": 74}
    assert "What would do: about 74 more queries with references." in Page(retrain_html(few)).text
    timeless = retrained() | {"left_out": ["mean_response_s"]}
    assert "leaves out what too few answers tell: mean response time" in Page(retrain_html(timeless)).text
    never = compared() | {
        "verdict": None,
        "held_out": {},
        "off_policy": {},
        "reasons": ["it was never judged"],
    }
    never["over_time"] = {"bins": [], "marks": []}
    assert "it was never judged" in Page(compare_html(never)).text


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with browsing(find_browser(), tmp_path_factory.mktemp("profile")) as page:
        yield page


@pytest.mark.parametrize("name", PAGES)
def test_a_browser_shows_the_page_and_runs_nothing(
    name: str, browser: Browser, hostile: dict[str, str], tmp_path: Path
) -> None:
    for kind, text in (("plain", made(name)), ("hostile", hostile[name])):
        page = tmp_path / f"{kind}.html"
        page.write_text(text, encoding="utf-8")
        for width, dark in ((1100, False), (360, True)):
            browser.open(page, width=width, dark=dark)
            assert browser.requested() == [page.resolve().as_uri()]
            assert browser.complaints() == []
            assert browser.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
        assert browser.evaluate("window.hacked === undefined && document.scripts.length === 0")
        assert browser.evaluate("document.compatMode") == "CSS1Compat"
        drawn = "[...document.querySelectorAll('svg')].every(one => one.getBoundingClientRect().height > 40)"
        assert browser.evaluate(drawn)
    assert browser.printed().startswith(b"%PDF")


def test_a_browser_gives_light_and_dark_their_own_colours(browser: Browser, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_text(made("retrain"), encoding="utf-8")
    seen = []
    for dark in (False, True):
        browser.open(page, dark=dark)
        paper = browser.evaluate("getComputedStyle(document.body).backgroundColor")
        ink = browser.evaluate("getComputedStyle(document.querySelector('svg text')).fill")
        seen.append((paper, ink))
    assert seen == [("rgb(255, 255, 255)", "rgb(27, 31, 36)"), ("rgb(20, 24, 28)", "rgb(232, 235, 238)")]
