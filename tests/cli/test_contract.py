"""The command line as a contract: commands, options, JSON shapes, streams and exit codes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.command import Said, ok, read_lines, refused, rows, run, shape, spawn, write_lines
from tests.support.waiting import PATIENCE_S

OPTIONS = {
    "": "--home --config --quiet --version",
    "init": "--preset",
    "ask": (
        "-m -s --task --reference --grader --prefer --max-cost-usd --local-only -c --continue --dry-run "
        "--explain --rate -n --no-log --no-stream --no-audit --timeout --seed --json"
    ),
    "batch": "-o --concurrency --budget-usd --limit --all-models --dry-run --no-audit --restart --json",
    "rate": "--metric --comment --author",
    "retrain": "--since --promote --jobs --strict --json",
    "kpi": "--compare --before --after --by --since --fail-under --json",
    "policies list": "--json",
    "policies show": "",
    "policies verify": "",
    "policies promote": "",
    "policies rollback": "",
    "log list": "--json",
    "log show": "--json",
    "practice generate": "--rows --seed -o",
    "demo": "--seed",
}
KPIS = (
    *("mean_response_s", "median_response_s", "p95_response_s", "ttft_s", "accuracy_rate"),
    *("satisfaction_score", "satisfied_share", "rating_rate", "cost_per_query_usd", "cost_per_correct_usd"),
    *("error_rate", "fallback_rate", "router_s", "utility_usd"),
)
ASK = {
    "id": "text",
    "answer": "text",
    "model": "text",
    "served_model": "text",
    "policy": "text",
    "propensity": "number",
    "forced": "truth",
    "explored": "truth",
    "response_s": "number",
    "ttft_s": "number?",
    "input_tokens": "number",
    "output_tokens": "number",
    "cost_usd": "number",
    "accuracy": "number?",
    "audited": "truth",
    "audit_cost_usd": "number",
    "session": "text?",
    "finish_reason": "text?",
    "chain": "list",
    "router_s": "number",
    "candidates": "list",
    "attempts": "list",
}
CANDIDATE = {
    "model": "text",
    "eligible": "truth",
    "reason": "text",
    "accuracy": "number",
    "satisfaction": "number",
    "response_s": "number",
    "cost_usd": "number?",
    "utility_usd": "number",
    "probability": "number",
}


@pytest.mark.parametrize("name", OPTIONS)
def test_every_command_has_its_options(tmp_path: Path, name: str) -> None:
    shown = ok(tmp_path / "home", *name.split(), "--help").out
    words = shown.replace(",", " ").split()
    assert [option for option in OPTIONS[name].split() if option not in words] == []


def test_ask_json(folder: Path) -> None:
    said = ok(folder, "ask", "--json", "What is 2 + 3?")
    assert shape(said.json, ASK) == []
    assert [shape(candidate, CANDIDATE) for candidate in said.json["candidates"]] == [[], [], []]
    assert said.json["attempts"] == [{"model": said.json["model"], "error": None}]
    probabilities = {one["model"]: one["probability"] for one in said.json["candidates"]}
    assert sum(probabilities.values()) == pytest.approx(1)
    assert said.json["propensity"] == probabilities[said.json["model"]]
    assert rows(folder, "SELECT id, response, propensity FROM outcomes") == [
        (said.json["id"], said.json["answer"], said.json["propensity"])
    ]


def test_batch_json_and_its_lines(folder: Path, tmp_path: Path) -> None:
    file = write_lines(
        tmp_path / "q.jsonl", [{"query": "What is 2 + 3?", "reference": "5", "custom_id": "a"}]
    )
    said = ok(folder, "batch", str(file), "--json", "-m", "practice/large")
    kinds = dict.fromkeys(
        (
            *("rows", "answered", "failed", "skipped", "bad_lines", "cost_usd", "elapsed_s"),
            *("audits", "audit_cost_usd"),
        ),
        "number",
    )
    assert shape(said.json, {**kinds, "accuracy": "number?"}) == []
    (line,) = read_lines(tmp_path / "q.jsonl.answers.jsonl")
    wanted = {
        "custom_id": "text",
        "id": "text",
        "answer": "text",
        "model": "text",
        "accuracy": "number",
        "response_s": "number",
        "cost_usd": "number",
        "error": "text?",
    }
    assert shape(line, wanted) == []
    assert (line["custom_id"], line["model"], line["error"]) == ("a", "practice/large", None)


def test_kpi_json(folder: Path) -> None:
    ok(folder, "ask", "--reference", "5", "--rate", "4", "What is 2 + 3?", "-m", "practice/large")
    result = ok(folder, "kpi", "--json", "--by", "model").json
    kinds = {"version": "text", "rows": "number", "since": "text?", "until": "text?", "kpis": "object"}
    assert shape(result, {**kinds, "by": "object"}) == []
    assert [name for name in KPIS if name not in result["kpis"]] == []
    for name in KPIS:
        figure = result["kpis"][name]
        assert shape(figure, {"value": "number?", "low": "number?", "high": "number?", "n": "number"}) == []
    assert result["kpis"]["accuracy_rate"]["value"] in {0.0, 1.0}
    assert result["kpis"]["satisfaction_score"]["value"] == 0.75
    assert list(result["by"]) == ["practice/large"]


@pytest.mark.parametrize(
    "arguments",
    [
        ("ask", "What is 2 + 3?"),
        ("ask", "--explain", "What is 2 + 3?"),
        ("ask", "--json", "--explain", "What is 2 + 3?"),
    ],
)
def test_only_the_answer_is_on_standard_output(folder: Path, arguments: tuple[str, ...]) -> None:
    said = ok(folder, *arguments, "-m", "practice/large")
    stored = rows(folder, "SELECT response FROM outcomes")[0][0]
    assert (said.json["answer"] if "--json" in arguments else said.out.removesuffix("\n")) == stored
    assert "practice models" in said.err
    assert ("accuracy" in said.err) == ("--explain" in arguments)


def test_quiet_says_nothing_beside_the_answer(folder: Path) -> None:
    assert run(folder, "--quiet", "ask", "What is 2 + 3?").err == ""


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("--version",), 0),
        (("ask", "--no-such-option", "x"), 2),
        (("no-such-command",), 2),
        (("ask", "-m", "practice/huge", "x"), 2),
        (("ask", "--prefer", "luxury", "x"), 2),
        (("ask", "--rate", "9", "x"), 2),
        (("ask", "--grader", "number", "x"), 2),
        (("ask", "--grader", "no-such", "--reference", "1", "x"), 2),
        (("batch", "--model", "practice/small", "--all-models", "x.jsonl"), 2),
        (("rate", "6"), 2),
        (("rate", "well"), 2),
        (("rate", "up"), 2),
        (("rate", "a", "b", "up"), 2),
        (("log", "show"), 2),
        (("kpi", "--by", "weather"), 2),
        (("kpi", "--since", "yesterday"), 2),
        (("kpi", "--since", "99999999999d"), 2),
        (("kpi", "--since", "0001-01-01T00:00+14:00"), 2),
        (("kpi", "--fail-under", "accuracy"), 2),
        (("kpi", "--fail-under", "beauty=1"), 2),
        (("kpi", "--fail-under", "accuracy=nan"), 2),
        (("kpi", "--fail-under", "accuracy=0.5"), 4),
        (("retrain", "--promote", "perhaps"), 2),
        (("kpi", "--compare"), 1),
        (("policies", "rollback"), 2),
        (("policies", "show", "v0009"), 1),
        (("init", "--preset", "luxury"), 2),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else str(value),
)
def test_exit_codes(folder: Path, arguments: tuple[str, ...], code: int) -> None:
    said = run(folder, *arguments)
    assert said.code == code, said.err
    assert "Traceback" not in said.err
    assert len(said.errors) == (code != 0), said.err


def test_the_module_and_the_script_are_the_same_program(folder: Path) -> None:
    by_module = spawn(folder, "ask", "--dry-run", "--json", "--seed", "1", "hello")
    script = Path(sys.executable).parent / "zetaroute"
    by_script = subprocess.run(
        [script, "--home", folder, "ask", "--dry-run", "--json", "--seed", "1", "hello"],
        capture_output=True,
        stdin=subprocess.DEVNULL,
        timeout=PATIENCE_S,
        check=False,
    )
    assert (by_module.code, by_script.returncode) == (0, 0)
    assert Said(code=0, out=by_script.stdout.decode(), err="").json["model"] == by_module.json["model"]


@pytest.mark.parametrize("arguments", [("ask", ""), ("ask", "--nothing", "x"), ("ask", "-m", "none", "x")])
def test_a_real_process_leaves_with_the_same_code(folder: Path, arguments: tuple[str, ...]) -> None:
    said = spawn(folder, *arguments)
    assert said.code == 2
    assert len(said.errors) == 1


def test_home_by_option_and_by_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZETAROUTE_HOME", str(tmp_path / "by-variable"))
    ok(tmp_path / "by-option", "init")
    assert (tmp_path / "by-option" / "config.toml").exists()
    assert not (tmp_path / "by-variable").exists()


def test_init_writes_a_config_that_serves_and_never_touches_another(tmp_path: Path) -> None:
    home = tmp_path / "home"
    ok(home, "init", "--preset", "cheap")
    written = (home / "config.toml").read_text(encoding="utf-8")
    assert 'preset = "cheap"' in written
    assert ok(home, "ask", "--dry-run", "--json", "hi").json["policy"] == "v0000"
    assert "exists" in refused(run(home, "init"), 2)
    assert (home / "config.toml").read_text(encoding="utf-8") == written


def test_config_option_wins_over_the_home(folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.toml"
    other.write_text(
        '[[models]]\nid = "practice/small"\nprovider = "practice"\ndelay = 0\n', encoding="utf-8"
    )
    said = ok(folder, "--config", str(other), "ask", "--dry-run", "--json", "hi")
    assert [one["model"] for one in said.json["candidates"]] == ["practice/small"]
