"""Audits as a person meets them: what is shown, when, and what an interrupt or a kill leaves."""

from __future__ import annotations

import signal
import subprocess
import threading
from pathlib import Path

import pytest

from tests.cli.command import command, environment, ok, rows, run, write_lines
from tests.cli.conftest import by_model, fails, http_config, says
from tests.providers.loopback import ModelServer
from tests.support.waiting import PATIENCE_S, until

ASKED = ("What is 2 + 3?", "--reference", "5", "--grader", "number")
SEEN = "SELECT role, model, status, response, audited, audit_probability FROM outcomes ORDER BY role DESC"
SERVED = ("served", "one/m1", "ok", "5", True, 1.0)


@pytest.fixture
def audited(http_folder: Path, server: ModelServer) -> Path:
    """A home that audits every query that it can, and whose first model is asked."""
    more = "[explore]\nrate = 0\ncold_start_rate = 0\n"
    (http_folder / "config.toml").write_text(http_config(server, audit_share=1) + more)
    return http_folder


def begun(home: Path, server: ModelServer) -> subprocess.Popen[bytes]:
    """Ask in a process of its own, and return it when the answer was shown and the audit is under way."""
    words = command(home, "ask", *ASKED)
    pipe = subprocess.PIPE
    process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=pipe, stderr=pipe, env=environment())
    assert process.stdout is not None
    assert process.stdout.read(2) == b"5\n"
    until(lambda: len(server.seen) == 2)
    return process


def test_the_first_audit_says_what_it_is_and_no_other_does(audited: Path, server: ModelServer) -> None:
    server.reply(by_model(m1=says("5"), m2=says("6")))
    first, second = ok(audited, "ask", *ASKED), ok(audited, "ask", "What is 1 + 4?", *ASKED[1:])
    assert first.out == second.out == "5\n"
    assert "audits: some queries" in first.err
    assert "[audit] share = 0" in first.err
    assert "--no-audit" in first.err
    assert "audit" not in second.err
    assert rows(audited, SEEN)[::2] == [SERVED, ("audit", "two/m2", "ok", "6", True, 1.0)]


def test_json_tells_what_an_audit_cost(audited: Path, server: ModelServer) -> None:
    server.reply(by_model(m1=says("5"), m2=says("6")))
    told = ok(audited, "ask", *ASKED, "--json").json
    assert (told["answer"], told["audited"]) == ("5", True)
    assert told["audit_cost_usd"] == pytest.approx((10 * 100 + 5 * 200) / 1e6)
    assert told["cost_usd"] == pytest.approx((10 + 5 * 2) / 1e6)
    plain = ok(audited, "ask", *ASKED, "--json", "--no-audit").json
    assert (plain["audited"], plain["audit_cost_usd"]) == (False, 0.0)


def test_a_dry_run_tells_what_the_audit_of_a_query_costs(audited: Path, server: ModelServer) -> None:
    said = ok(audited, "ask", *ASKED, "--dry-run")
    assert "audits: other models may be asked too" in said.err
    assert "audits" not in ok(audited, "ask", *ASKED, "--dry-run", "--no-audit").err
    assert server.seen == []


@pytest.mark.parametrize("words", [("--no-audit",), ("--no-log",), ("--dry-run",), ("-m", "one/m1")])
def test_some_words_ask_no_other_model(audited: Path, server: ModelServer, words: tuple[str, ...]) -> None:
    server.reply(says("5"))
    ok(audited, "ask", *ASKED, *words)
    assert "m2" not in [seen.body["model"] for seen in server.seen]


def test_an_audit_that_fails_changes_no_exit_code(audited: Path, server: ModelServer) -> None:
    server.reply(by_model(m1=says("5"), m2=fails(400)))
    said = ok(audited, "ask", *ASKED)
    assert said.out == "5\n"
    assert "failed" not in said.err
    assert [row[2] for row in rows(audited, SEEN)] == ["ok", "error"]


def test_a_query_without_an_answer_is_audited_and_fails_as_ever(audited: Path, server: ModelServer) -> None:
    server.reply(fails(400, "not today"))
    said = run(audited, "ask", *ASKED)
    assert said.code == 3
    assert "no model could answer" in said.err
    assert sorted(row[0] for row in rows(audited, SEEN)) == ["attempt", "audit", "served"]


def test_ctrl_c_ends_the_audit_and_not_the_command(audited: Path, server: ModelServer) -> None:
    never = threading.Event()
    server.reply(by_model(m1=says("5"), m2=lambda seen: (never,)))
    with begun(audited, server) as process:
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=PATIENCE_S)
    never.set()
    assert (process.returncode, out) == (0, b""), err.decode()
    assert b"Traceback" not in err
    assert rows(audited, SEEN) == [SERVED, ("audit", "two/m2", "cancelled", None, True, 1.0)]


def test_a_kill_while_an_audit_runs_leaves_the_answer(audited: Path, server: ModelServer) -> None:
    never = threading.Event()
    server.reply(by_model(m1=says("5"), m2=lambda seen: (never,)))
    with begun(audited, server) as process:
        process.kill()
        process.communicate(timeout=PATIENCE_S)
    never.set()
    assert rows(audited, SEEN) == [SERVED]


def test_a_batch_tells_its_audits_and_a_preview_what_they_will_cost(
    audited: Path, server: ModelServer, tmp_path: Path
) -> None:
    server.reply(says("1"))
    lines = [{"query": f"What is {n} + 0?", "reference": str(n), "grader": "number"} for n in range(2)]
    file = str(write_lines(tmp_path / "q.jsonl", lines))
    preview = ok(audited, "batch", file, "--dry-run")
    assert "audits: about 2 answers of other models" in preview.out
    assert "--no-audit" in preview.out
    assert ok(audited, "batch", file, "--dry-run", "--json").json["audits"]["rows"] == 2
    assert "audits" not in ok(audited, "batch", file, "--dry-run", "--no-audit").out
    said = ok(audited, "batch", file)
    assert "2 answered, $0.0000, accuracy 50.0%, 2 audits $0.0040" in said.out
    assert "audits: some queries" in said.err
    again = ok(audited, "batch", file, "--restart", "--json")
    assert again.json["audits"] == 2
    assert "audits: some queries" not in again.err


def test_key_figures_leave_audits_out_and_tell_them_apart(audited: Path, server: ModelServer) -> None:
    server.reply(by_model(m1=says("5"), m2=says("6")))
    ok(audited, "ask", *ASKED, "--no-audit")
    before = ok(audited, "kpi", "--json").json
    assert before["audits"] == {"rows": 0, "cost_usd": 0.0, "response_s": 0.0}
    ok(audited, "ask", "What is 1 + 4?", *ASKED[1:])
    after = ok(audited, "kpi", "--json").json
    assert after["rows"] == 2
    assert after["share"] == {"one/m1": 1.0}
    assert after["kpis"]["accuracy_rate"]["value"] == before["kpis"]["accuracy_rate"]["value"] == 1.0
    assert after["kpis"]["cost_per_query_usd"]["value"] == pytest.approx(
        before["kpis"]["cost_per_query_usd"]["value"]
    )
    assert after["audits"]["rows"] == 1
    assert after["audits"]["cost_usd"] == pytest.approx((10 * 100 + 5 * 200) / 1e6)
    assert after["audits"]["response_s"] > 0
    assert "Audits: 1 answers that were asked for to learn from" in ok(audited, "kpi").out


def test_the_last_answer_is_that_of_the_user(audited: Path, server: ModelServer) -> None:
    server.reply(by_model(m1=says("5"), m2=says("6")))
    given = ok(audited, "ask", *ASKED, "--json").json["id"]
    ok(audited, "rate", "up")
    assert ok(audited, "log", "show", "--json").json["id"] == given
    assert rows(audited, "SELECT outcome_id FROM feedback WHERE source = 'user'") == [(given,)]
    shown = ok(audited, "log", "show").out
    assert "two/m2 ok (audit)" in shown
    assert "two/m2 (audit)" in ok(audited, "log", "list").out
