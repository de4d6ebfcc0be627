"""`policies guards`, and the walk of docs/guards.md: one kind of query moves to the larger model, the others stay."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.cli.command import ok, refused, rows, run

PAGE = Path(__file__).parents[3] / "docs" / "guards.md"
QUERIES = {
    "stories": "Ann has 3 pens, buys 2 more and gives 1 away. How many has she?",
    "sorting": "Sort these numbers from smallest to largest: 3, 1, 2",
    "counting": 'How many vowels are in "plum"?',
    None: "What is 2 + 3?",
}


@pytest.fixture(scope="module")
def blocks():
    """The two TOML blocks of the page: the models, then the guard."""
    return re.findall(r"^```toml\n(.*?)^```", PAGE.read_text("utf-8"), re.DOTALL | re.MULTILINE)


@pytest.fixture
def walk(tmp_path, blocks):
    """The page's home after its first step."""
    home = tmp_path / "walk"
    home.mkdir()
    instant = blocks[0].replace('provider = "practice"', 'provider = "practice"\ndelay = 0')
    (home / "config.toml").write_text(instant, encoding="utf-8")
    lines = ok(home, "practice", "generate", "--rows", "1500", "--seed", "3").out.splitlines()
    kept = [line for line in lines if json.loads(line)["task"] in {"stories", "counting", "sorting"}]
    (home / "kinds.jsonl").write_text("\n".join(kept), encoding="utf-8")
    ok(home, "batch", str(home / "kinds.jsonl"), "--no-audit", "-o", str(home / "answers.jsonl"))
    return home


def guard(home, text):
    with open(home / "config.toml", "a", encoding="utf-8") as config:
        config.write("\n" + text)


def chances(home, task):
    words = ("--task", task) if task else ()
    decided = ok(home, "ask", "--dry-run", "--json", "--seed", "7", *words, QUERIES[task]).json
    return {row["model"]: row["probability"] for row in decided["candidates"]}


def verdicts(home, *words):
    rows = ok(home, "policies", "guards", *words, "--json").json
    return {(row["model"], row["task"]): row["verdict"] for row in rows}


def test_the_larger_model_takes_over_one_kind_and_nothing_else_changes(walk, blocks):
    before = {task: chances(walk, task) for task in QUERIES}
    assert all(found["practice/small"] > 0.5 for found in before.values())
    tried = verdicts(walk, "--min", "accuracy=0.6", "--model", "practice/small")
    assert tried["practice/small", "stories"] == "demoted"
    assert {tried["practice/small", task] for task in (None, "sorting", "counting")} == {"kept"}
    assert {task: chances(walk, task) for task in QUERIES} == before  # a trial changes nothing
    guard(walk, blocks[1])
    assert verdicts(walk) == {
        ("practice/small", "stories"): "demoted",
        ("practice/large", "stories"): "too few rows",
    }
    after = {task: chances(walk, task) for task in QUERIES}
    assert after.pop("stories") == pytest.approx({"practice/small": 0.02, "practice/large": 0.98})
    assert after == {task: before[task] for task in after}
    states = {row["model"]: row["standing"] for row in ok(walk, "models", "list", "--json").json}
    assert states["practice/small"].startswith("demoted by a guard: accuracy on stories is at most 0.")


def test_the_served_share_moves_for_that_kind_alone(walk, blocks):
    guard(walk, blocks[1])
    lines = ok(walk, "practice", "generate", "--rows", "1500", "--seed", "4").out.splitlines()
    kept = [line for line in lines if json.loads(line)["task"] in {"stories", "sorting"}]
    (walk / "more.jsonl").write_text("\n".join(kept), encoding="utf-8")
    ok(walk, "batch", str(walk / "more.jsonl"), "-o", str(walk / "more.out"))
    rows = [json.loads(line) for line in (walk / "more.out").read_text("utf-8").splitlines()]
    kinds = {json.loads(line)["custom_id"]: json.loads(line)["task"] for line in kept}
    share = {
        kind: sum(row["model"] == "practice/small" for row in rows if kinds[row["custom_id"]] == kind)
        / sum(kinds[row["custom_id"]] == kind for row in rows)
        for kind in ("stories", "sorting")
    }
    assert share["stories"] < 0.1
    assert share["sorting"] > 0.6


def test_verdicts_tell_sure_from_perhaps(folder):
    lines = [{"query": f"What is {n} + 1?", "reference": str(n + 1), "task": "sums"} for n in range(40)]
    for line in lines[:18]:
        line["reference"] = "no"
    (folder / "rows.jsonl").write_text("\n".join(map(json.dumps, lines)))
    ok(folder, "batch", str(folder / "rows.jsonl"), "-m", "practice/small", "-o", str(folder / "out.jsonl"))
    said = {
        floor: verdicts(folder, "--min", f"accuracy={floor}")["practice/small", "sums"]
        for floor in (0.5, 0.6, 0.8)
    }
    assert said == {0.5: "kept", 0.6: "not surely", 0.8: "demoted"}
    assert verdicts(folder, "--min", "accuracy=0.5")["practice/large", None] == "too few rows"
    assert verdicts(folder, "--max", "error_rate=0.1")["practice/small", None] == "kept"
    assert verdicts(folder, "--max", "p95_response_s=1")["practice/small", None] == "too few rows"
    (one,) = ok(
        folder,
        "policies",
        "guards",
        "--min",
        "accuracy=0.8",
        "-m",
        "practice/small",
        "--task",
        "sums",
        "--json",
    ).json
    assert (one["value"], one["n"], one["side"]) == (pytest.approx(0.55), 40, "min")
    assert 0.55 < one["bound"] < 0.8


def test_without_guards_it_says_how_to_try_one(folder):
    assert ok(folder, "policies", "guards", "--json").json == []
    assert "no guard is configured" in ok(folder, "policies", "guards").out


@pytest.mark.parametrize(
    "words",
    [
        ("--min", "speed=1"),
        ("--min", "error_rate=0.1"),
        ("--max", "accuracy=0.6"),
        ("--min", "accuracy"),
        ("--min", "accuracy=nan"),
        ("--min", "accuracy=-1"),
        ("--min", "accuracy=60"),
        ("--task", "sums"),
        ("--min", "accuracy=0.6", "--model", "none/such"),
    ],
)
def test_wrong_usage(folder, words):
    said = run(folder, "policies", "guards", *words)
    assert "Traceback" not in said.err
    refused(said, 2)


@pytest.fixture(scope="module")
def learned(tmp_path_factory, blocks):
    """A home whose queries carry no labels: a version that serves, and 250 rows of the small model after it."""
    home = tmp_path_factory.mktemp("learned")
    instant = blocks[0].replace('provider = "practice"', 'provider = "practice"\ndelay = 0')
    (home / "config.toml").write_text(instant, encoding="utf-8")
    for name, seed, count in (("past", 3, 500), ("since", 4, 250)):
        lines = ok(home, "practice", "generate", "--rows", str(count), "--seed", str(seed)).out.splitlines()
        bare = [{**json.loads(line), "task": None} for line in lines]
        (home / f"{name}.jsonl").write_text("\n".join(map(json.dumps, bare)), encoding="utf-8")
    ok(home, "batch", str(home / "past.jsonl"), "-o", str(home / "past.out"))
    ok(home, "retrain", "--promote", "force")
    ok(home, "batch", str(home / "since.jsonl"), "-m", "practice/small", "-o", str(home / "since.out"))
    return home


def reason(home, query):
    """Return why the small model may or may not answer."""
    decided = ok(home, "ask", "--dry-run", "--json", "--seed", "7", query).json
    return next(one["reason"] for one in decided["candidates"] if one["model"] == "practice/small")


def test_a_guard_may_name_a_learned_kind_and_binds_it_alone(learned):
    found = ok(learned, "policies", "guards", "--min", "accuracy=0.97", "-m", "practice/small", "--json").json
    worst = next(row["segment"] for row in found if row["segment"] and row["verdict"] == "demoted")
    kept = next(row["segment"] for row in found if row["segment"] and row["verdict"] != "demoted")
    query = dict(
        rows(learned, "SELECT segment, min(query) FROM outcomes WHERE segment IS NOT NULL GROUP BY segment")
    )
    config = (learned / "config.toml").read_text("utf-8")
    try:
        guard(learned, f'[[guards]]\nmetric = "accuracy"\nmin = 0.97\nsegment = {json.dumps(worst)}\n')
        judged = ok(learned, "policies", "guards", "--json").json
        (one,) = [row for row in judged if row["model"] == "practice/small"]
        assert (one["segment"], one["task"], one["verdict"]) == (worst, None, "demoted")
        assert reason(learned, query[worst]).startswith(
            "demoted by a guard: accuracy on such queries is at most"
        )
        assert worst not in reason(learned, query[worst])
        assert not reason(learned, query[kept]).startswith("demoted")
        states = {row["model"]: row["state"] for row in ok(learned, "models", "list", "--json").json}
        assert states["practice/small"] == "demoted"
    finally:
        (learned / "config.toml").write_text(config, "utf-8")


def test_a_segment_that_nobody_knows_is_told_and_does_nothing(learned):
    config, query = (learned / "config.toml").read_text("utf-8"), "Sort these numbers: 3, 1, 2"
    before = reason(learned, query)
    try:
        guard(learned, '[[guards]]\nmetric = "accuracy"\nmin = 1\nsegment = "of the last map"\n')
        said = ok(learned, "policies", "guards")
        assert "names the segment 'of the last map', which v0001-" in said.err
        assert "does nothing" in said.out
        assert {one["verdict"] for one in ok(learned, "policies", "guards", "--json").json} == {
            "unknown segment"
        }
        assert "so it does nothing; it knows '" in run(learned, "doctor").out
        assert reason(learned, query) == before
    finally:
        (learned / "config.toml").write_text(config, "utf-8")


def test_a_guard_on_a_segment_before_anything_was_learned(folder):
    guard(folder, '[[guards]]\nmetric = "accuracy"\nmin = 1\nsegment = "x"\n')
    assert "it has no named segments" in ok(folder, "policies", "guards").err
    guard(folder, '[[guards]]\nmetric = "accuracy"\nmin = 1\nsegment = "x"\ntask = "y"\n')
    assert "so give one" in refused(run(folder, "policies", "guards"), 2)
