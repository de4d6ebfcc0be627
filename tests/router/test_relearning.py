"""With `[challenger] auto` a running process starts `retrain`: one at a time, and a failure is one line."""

from __future__ import annotations

import logging
import os
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.homes import practice_home
from tests.support.waiting import until
from zetaroute.config import Challengers, Home, Settings, load_settings
from zetaroute.files.lock import held
from zetaroute.log.standings import read_state
from zetaroute.registry import Registry
from zetaroute.router.relearning import GROWTH, NICENESS, Relearning

ROWS = 150


@pytest.fixture(scope="module")
def learnable(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A home with enough rows to learn from."""
    return Home(practice_home(tmp_path_factory.mktemp("relearning") / "home", rows=ROWS, seed=4))


def automatic(home: Home, **changes: object) -> Settings:
    settings = load_settings(None, home.config)
    return replace(settings, challengers=Challengers(auto=True), **changes)


def is_free(home: Home) -> bool:
    try:
        os.close(held(home.path / "retrain.lock"))
    except BlockingIOError:
        return False
    return True


def child_of(relearning: Relearning) -> int:
    assert relearning._child is not None
    return relearning._child.pid


def test_a_version_is_learned_beside_the_run_and_by_one_process_alone(learnable, caplog):
    rows = read_state(learnable).rows
    assert rows >= ROWS
    before = Registry(learnable.artifacts).versions()
    one, other = (Relearning(learnable, automatic(learnable)) for _ in range(2))
    one.follow(rows)
    assert not is_free(learnable)
    assert os.getpriority(os.PRIO_PROCESS, child_of(one)) >= NICENESS
    pid = child_of(one)
    one.follow(rows + 1000)
    other.follow(rows)
    assert child_of(one) == pid
    assert other._child is None
    until(lambda: is_free(learnable), within_s=120.0)
    assert len(Registry(learnable.artifacts).versions()) == len(before) + 1
    # Nothing is due before a tenth more came.
    one.follow(round(rows * (1 + GROWTH)) - 1)
    assert one._child is None
    assert caplog.text == ""


def test_nothing_is_started_unless_the_config_asks_for_it_or_with_few_rows(home):
    home.make()
    Relearning(home, load_settings(None, home.config)).follow(10**6)
    assert is_free(home)
    waits = Relearning(home, automatic(home))
    waits.follow(50)
    assert waits._child is None


def test_what_runs_goes_on_without_the_process_that_began_it(home):
    home.make()
    relearning = Relearning(home, automatic(home))
    relearning.follow(500)
    pid = child_of(relearning)
    relearning.leave()
    assert relearning._child is None
    assert not is_free(home)
    assert os.waitpid(pid, 0)[1] == 0
    assert is_free(home)


def test_a_failure_is_one_line_and_no_reason_to_stop(home, tmp_path: Path, caplog):
    home.make()
    broken = tmp_path / "broken.toml"
    broken.write_text("[[models]]\nid = ", encoding="utf-8")
    relearning = Relearning(home, automatic(home, file=broken))
    with caplog.at_level(logging.WARNING):
        relearning.follow(500)
        until(lambda: is_free(home), within_s=60.0)
        until(lambda: relearning.follow(501) or caplog.records)
    (record,) = caplog.records
    assert "has failed" in record.getMessage()
    assert str(broken) in record.getMessage()
    assert "\n" not in record.getMessage()
    # The log must grow before it is tried again.
    assert is_free(home)
