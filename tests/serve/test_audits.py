"""Audits behind the endpoint: clients wait for none of them, and a stop for not much."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.command import rows
from tests.cli.conftest import by_model, http_config, says
from tests.providers.loopback import ModelServer
from tests.serve.running import Server, serving
from tests.support.waiting import until

CONFIG = """
[explore]
rate = 0
cold_start_rate = 0
[serve]
shutdown_s = 0.3
"""
KNOWN = {"reference": "5", "grader": "number"}
SEEN = "SELECT role, status, response FROM outcomes ORDER BY role DESC, status"


@pytest.fixture
def audited(tmp_path: Path, server: ModelServer) -> Iterator[Server]:
    home = tmp_path / "audited"
    home.mkdir()
    (home / "config.toml").write_text(http_config(server, audit_share=1) + CONFIG, encoding="utf-8")
    with serving(home) as running:
        yield running


@pytest.mark.parametrize("stream", [False, True])
def test_an_answer_is_given_before_its_audit_ends(audited: Server, server: ModelServer, stream: bool) -> None:
    ready = threading.Event()
    server.reply(by_model(m1=says("5"), m2=lambda seen: (ready, *says("slowly 6")(seen))))
    answer = audited.ask(metadata=KNOWN, stream=stream)
    assert answer.status_code == 200
    assert "5" in answer.text
    assert "slowly" not in answer.text
    until(lambda: len(server.seen) == 2)
    ready.set()
    until(lambda: "zetaroute_audits_total 1\n" in audited.get("/metrics").text)
    assert "zetaroute_audit_cost_usd_total 0.002" in audited.get("/metrics").text
    assert audited.stop() == 0
    assert rows(audited.home, SEEN) == [("served", "ok", "5"), ("audit", "ok", "slowly 6")]
    assert "audits: some queries" in audited.said.read_text()


def test_a_stop_cuts_an_audit_that_takes_too_long(audited: Server, server: ModelServer) -> None:
    never = threading.Event()
    server.reply(by_model(m1=says("5"), m2=lambda seen: (never,)))
    assert audited.ask(metadata=KNOWN).json()["choices"][0]["message"]["content"] == "5"
    until(lambda: len(server.seen) == 2)
    assert audited.stop() == 0
    never.set()
    assert rows(audited.home, SEEN) == [("served", "ok", "5"), ("audit", "cancelled", None)]


def test_what_nothing_can_grade_is_not_audited_and_a_wrong_grader_is_told(
    audited: Server, server: ModelServer
) -> None:
    server.reply(says("5"))
    assert audited.ask().status_code == 200
    assert audited.ask(metadata={"grader": "number"}).status_code == 400
    assert audited.ask(metadata={"grader": "none such", "reference": "5"}).status_code == 400
    assert audited.stop() == 0
    assert rows(audited.home, SEEN) == [("served", "ok", "5")]
    assert rows(audited.home, "SELECT audit_probability FROM outcomes") == [(None,)]
