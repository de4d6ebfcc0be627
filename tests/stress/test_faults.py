"""A server that fails in every way: a fallback answers, or one sentence says what happened."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from tests.cli.command import ok, read_lines, refused, rows, run, write_lines
from tests.cli.conftest import says
from tests.providers.loopback import ModelServer, Reply, Seen
from tests.support.waiting import PATIENCE_S

from .conftest import FULL, full_only, make_home, model, size
from .faults import FAULTS, TIMEOUT_S, Fault, calls_of, dead_ends, slug
from .measuring import measured

PEAK_MIB = 400
"""Far below what the answers of a server gone wild would take; an interpreter with DuckDB takes 120."""
SOME = ("429", "400", "empty content")


def more(fault: Fault | None = None, *, timeout_s: float = TIMEOUT_S) -> str:
    """Return further lines for a faulty model: a short time where the fault takes forever, else a generous one."""
    limit_s = timeout_s if fault is None or "timeout" in fault.kinds else PATIENCE_S
    return f"timeout_s = {limit_s}\nconnect_timeout_s = {limit_s}\nprior_accuracy = 0.9"


def home_for(tmp_path: Path, *models: str) -> Path:
    return make_home(tmp_path / "home", *models)


def questions(tmp_path: Path, count: int) -> Path:
    return write_lines(
        tmp_path / "q.jsonl", [{"query": f"question {n}", "custom_id": f"q{n}"} for n in range(count)]
    )


def chosen(faults: tuple[Fault, ...]) -> list[object]:
    return [pytest.param(fault, id=fault.name) for fault in faults if FULL or fault.name in SOME]


def test_every_fault_at_once_is_told_by_its_kind_within_bounds(tmp_path: Path, server: ModelServer) -> None:
    faulty = {slug(fault.name): fault for fault in FAULTS}
    good = says("yes")
    server.reply(lambda seen: faulty[m].reply if (m := seen.body["model"]) in faulty else good(seen))
    with dead_ends() as ends:
        # Side by side, on two cores, one takes longer.
        models = [
            model(f"bad/{name}", server.url, more=more(fault, timeout_s=5 * TIMEOUT_S))
            for name, fault in faulty.items()
        ]
        models += [model(f"bad/{slug(name)}", url, more=more()) for name, url in ends.items()]
        home = home_for(tmp_path, *models, model("good/yes", server.url))
        file = questions(tmp_path, 1)
        took = measured(home, "batch", str(file), "--all-models", "--concurrency", "32", "--json")
    assert (took.said.code, took.said.errors) == (0, []), took.said.err
    assert (took.said.json["answered"], took.said.json["failed"]) == (1, len(models))
    found = dict(rows(home, "SELECT model, error_kind FROM outcomes WHERE status = 'error'"))
    wanted = {f"bad/{name}": fault.kinds for name, fault in faulty.items()}
    wanted |= {f"bad/{slug(name)}": frozenset({"connection"}) for name in ends}
    assert {name: kind for name, kind in found.items() if kind not in wanted[name]} == {}
    assert found.keys() == wanted.keys()
    asked = {name: calls_of(server, name) for name in faulty}
    assert {name: calls for name, calls in asked.items() if calls not in faulty[name].calls} == {}
    for line in read_lines(file.with_name("q.jsonl.answers.jsonl")):
        if line["error"] is not None:
            assert line["error"].startswith("bad/")
            assert line["error"].endswith(".")
            assert len(line["error"]) < 600
            assert "\n" not in line["error"]
    assert took.peak_mib < PEAK_MIB


@pytest.mark.parametrize("fault", chosen(FAULTS))
def test_a_pinned_model_that_fails_is_one_sentence(tmp_path: Path, server: ModelServer, fault: Fault) -> None:
    server.reply(fault.reply)
    home = home_for(tmp_path, model("bad/m", server.url, more=more(fault)))
    said = run(home, "ask", "-m", "bad/m", "hi")
    assert "bad/m" in said.errors[0]
    assert said.code == 3
    assert len(said.errors) == 1
    assert "Traceback" not in said.err
    ((kind, status),) = rows(home, "SELECT error_kind, status FROM outcomes")
    assert status == "error"
    assert kind in fault.kinds


@pytest.mark.parametrize("fault", chosen(FAULTS))
@pytest.mark.parametrize("every", [10, 1], ids=["10%", "100%"])
def test_a_fallback_hides_the_fault(tmp_path: Path, server: ModelServer, fault: Fault, every: int) -> None:
    count = itertools.count()
    good = says("yes")

    def reply(seen: Seen) -> Reply:
        fails = seen.body["model"] == "m" and next(count) % every == 0
        return fault.reply if fails else good(seen)

    server.reply(reply)
    home = home_for(tmp_path, model("bad/m", server.url, more=more(fault)), model("good/yes", server.url))
    file = questions(tmp_path, size(12, 60))
    said = ok(home, "batch", str(file), "--json", "--concurrency", "4")
    assert (said.json["answered"], said.json["failed"]) == (said.json["rows"], 0)
    errors = rows(home, "SELECT error_kind FROM outcomes WHERE status = 'error'")
    assert {kind for (kind,) in errors} <= fault.kinds
    if every == 1:
        assert errors
        assert rows(home, "SELECT * FROM outcomes WHERE model = 'bad/m' AND status = 'ok'") == []
        if fault.calls == {1}:
            assert calls_of(server, "m") == len(errors)


@full_only
def test_a_dead_end_falls_back_too(tmp_path: Path, server: ModelServer) -> None:
    server.reply(says("yes"))
    with dead_ends() as ends:
        for number, (name, url) in enumerate(ends.items()):
            folder = tmp_path / str(number)
            folder.mkdir()
            home = home_for(folder, model("bad/m", url, more=more()), model("good/yes", server.url))
            assert ok(home, "batch", str(questions(folder, 10)), "--json").json["answered"] == 10, name
            assert "bad/m" in refused(run(home, "ask", "-m", "bad/m", "hi"), 3)


def test_a_server_with_too_few_places_is_asked_ever_more_slowly(tmp_path: Path, server: ModelServer) -> None:
    good, places, refused_calls = says("yes", after_s=0.03), 3, 0

    def reply(seen: Seen) -> Reply:
        nonlocal refused_calls
        if server.now > places:
            refused_calls += 1
            return FAULTS[0].reply
        return good(seen)

    server.reply(reply)
    home = home_for(tmp_path, model("one/m1", server.url, more="max_concurrency = 64"))
    # So many that the first moment, when nothing is known yet, counts for little.
    count = size(240, 600)
    said = ok(home, "batch", str(questions(tmp_path, count)), "--json", "--concurrency", "24")
    # One that is refused three times by bad luck has failed.
    assert said.json["answered"] > 0.95 * count
    assert 0 < refused_calls < count / 2
