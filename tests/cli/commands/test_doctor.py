"""`doctor`: what is wrong is found, named and fixed; what is well costs nothing and asks no model."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from email.utils import formatdate

import duckdb
import pytest

from tests.cli.command import ok, run
from tests.cli.conftest import http_config, says
from tests.providers.loopback import http


def lists(*models, headers=()):
    """Return the answer of a server that lists these models."""
    return http({"object": "list", "data": [{"id": name} for name in models]}, headers=headers)


def examined(folder, *words, code=None):
    """Return what `doctor --json` says, by (name, level)."""
    said = run(folder, "doctor", *words, "--json")
    assert said.code == (said.json["wrong"] > 0 if code is None else code), said.err
    return said.json["checks"]


def of(checks, name):
    return [(one["level"], one["words"]) for one in checks if one["name"] == name]


def mend_of(checks, name):
    return next(one["mend"] for one in checks if one["name"] == name and one["level"] != "ok")


def test_all_is_well(http_folder, server):
    http_folder.chmod(0o700)
    server.reply(lambda _: lists("m1", "m2", headers=(f"date: {formatdate(usegmt=True)}",)))
    said = ok(http_folder, "doctor")
    looked_at = ("config", "server", "prices", "clock", "home", "disk", "journal", "log", "state", "versions")
    assert [line.split()[:2] for line in said.out.splitlines()[:-1]] == [["ok", name] for name in looked_at]
    assert said.out.splitlines()[-1] == "10 ok, 0 to look at, 0 wrong"
    (seen,) = server.seen
    assert seen.target == "/v1/models"
    assert seen.body is None


def test_a_server_that_is_down(http_folder, server):
    text = http_config(server).replace(str(server.port), "9")
    (http_folder / "config.toml").write_text(text)
    ((level, words),) = of(examined(http_folder, code=1), "server")
    assert level == "wrong"
    assert "cannot connect to http://127.0.0.1:9/v1/models" in words
    assert "check that the server runs" in words


def test_a_model_that_its_server_does_not_list(http_folder, server):
    server.reply(lists("m1", "other"))
    checks = examined(http_folder, code=1)
    ((level, words),) = of(checks, "server")
    assert (level, "does not list m2 (it lists m1, other)" in words) == ("wrong", True)
    assert mend_of(checks, "server") == "correct model in the config"


@pytest.mark.parametrize("names", [("m1:latest", "m2:latest"), ("models/m1", "models/m2")])
def test_names_are_the_same_with_their_tag_and_folder(http_folder, server, names):
    server.reply(lists(*names))
    assert of(examined(http_folder), "server")[0][0] == "ok"


@pytest.mark.parametrize(
    ("reply", "level"),
    [
        (http({"error": "no such page"}, status=404), "warn"),
        (http("<html>hello</html>", content_type="text/html"), "warn"),
        (http({"error": {"message": "who are you"}}, status=401), "wrong"),
        (http("[]"), "wrong"),
        (http({"data": [7, {"id": 3}, {}]}), "wrong"),
    ],
)
def test_a_server_that_says_something_else(http_folder, server, reply, level):
    server.reply(reply)
    assert {found for found, _ in of(examined(http_folder), "server")} == {level}


def test_a_key_is_named_and_never_shown(http_folder, server, monkeypatch):
    text = http_config(server).replace('id = "two/m2"', 'id = "two/m2"\napi_key_env = "SOME_KEY"')
    (http_folder / "config.toml").write_text(text)
    server.reply(lists("m1", "m2"))
    checks = examined(http_folder)
    assert of(checks, "key") == [("warn", "SOME_KEY is not set, so two/m2 cannot answer")]
    assert "variable SOME_KEY" in mend_of(checks, "key")
    monkeypatch.setenv("SOME_KEY", "sk-very-secret")
    server.seen.clear()
    said = run(http_folder, "doctor")
    assert "SOME_KEY is set (two/m2)" in said.out
    assert "secret" not in said.out + said.err
    assert sorted(seen.headers.get("authorization", "") for seen in server.seen) == [
        "",
        "Bearer sk-very-secret",
    ]


def test_a_key_that_the_server_repeats_is_masked(http_folder, server, monkeypatch):
    text = http_config(server).replace('id = "two/m2"', 'id = "two/m2"\napi_key_env = "SOME_KEY"')
    (http_folder / "config.toml").write_text(text)
    monkeypatch.setenv("SOME_KEY", "sk-very-secret")
    server.reply(http({"error": {"message": "bad key sk-very-secret"}}, status=403))
    said = run(http_folder, "doctor")
    assert said.code == 1
    assert "bad key [key]" in said.out
    assert "check SOME_KEY" in said.out


def test_without_any_key_nothing_can_answer(http_folder, server):
    text = http_config(server).replace("provider =", 'api_key_env = "SOME_KEY"\nprovider =')
    (http_folder / "config.toml").write_text(text)
    assert {level for level, _ in of(examined(http_folder, code=1), "key")} == {"wrong"}


def test_a_broken_config_does_not_hide_the_rest(folder):
    (folder / "config.toml").write_text("[[models]]\nid = 1\n")
    checks = examined(folder, code=1)
    ((level, words),) = of(checks, "config")
    assert (level, "[[models]] number 1 key id must be a text" in words) == ("wrong", True)
    assert {one["name"] for one in checks} >= {"home", "disk", "journal", "log"}


def test_a_clock_that_is_off(http_folder, server):
    server.reply(lists("m1", "m2", headers=(f"date: {formatdate(time.time() + 900, usegmt=True)}",)))
    ((level, words),) = of(examined(http_folder), "clock")
    assert level == "warn"
    assert words.endswith("s behind that of the servers")


def test_an_unknown_price_is_told(http_folder, server):
    text = http_config(server).replace("price = { input = 100, output = 200 }", "")
    (http_folder / "config.toml").write_text(text)
    server.reply(lists("m1", "m2"))
    checks = examined(http_folder)
    assert of(checks, "prices") == [("warn", "the price of two/m2 is unknown, so its cost is too")]
    assert "prices --import" in mend_of(checks, "prices")


def test_embedding_endpoints_are_asked_where_that_is_free(http_folder, server):
    block = f'[embedding]\nbase_url = "{server.url}/v1"\nmodel = "e1"\n'
    (http_folder / "config.toml").write_text(http_config(server) + block)
    vectors = http({"data": [{"index": 0, "embedding": [0.1, 0.2, 0.3]}]})
    server.reply(lambda seen: vectors if seen.target.endswith("/embeddings") else lists("m1", "m2"))
    assert of(examined(http_folder), "embedding") == [("ok", "e1 gives vectors of 3 numbers")]
    (http_folder / "config.toml").write_text(http_config(server) + block + 'tags = ["paid"]\n')
    server.seen.clear()
    checks = examined(http_folder)
    assert of(checks, "embedding")[0][0] == "warn"
    assert "--calls" in mend_of(checks, "embedding")
    assert not [seen for seen in server.seen if seen.target.endswith("/embeddings")]
    assert of(examined(http_folder, "--calls"), "embedding")[0][0] == "ok"
    server.reply(lambda seen: lists("m1", "m2") if seen.body is None else http("no", status=400))
    assert of(examined(http_folder, "--calls", code=1), "embedding")[0][0] == "wrong"


def test_a_log_in_use_and_what_waits(folder):
    ok(folder, "ask", "What is 2 + 3?")
    holder = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import duckdb, sys; c = duckdb.connect(sys.argv[1]); print('in', flush=True); sys.stdin.read()",
            str(folder / "zetaroute.duckdb"),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"in\n"
        ok(folder, "ask", "What is 2 + 4?")
        checks = examined(folder)
    finally:
        holder.communicate()
    ((level, words),) = of(checks, "log")
    assert level == "warn"
    assert words.endswith("is in use by another process, and 2 journal segments wait for it")


def test_a_log_that_is_no_database(folder):
    ok(folder, "ask", "What is 2 + 3?")
    (folder / "zetaroute.duckdb").write_bytes(b"no database" * 2000)
    (folder / "state.json").write_text("{")
    checks = examined(folder, code=1)
    assert [of(checks, name)[0][0] for name in ("log", "state")] == ["wrong", "warn"]


def test_damaged_segments_and_a_damaged_state(folder):
    ok(folder, "ask", "What is 2 + 3?")
    (folder / "journal" / "damaged").mkdir()
    (folder / "journal" / "damaged" / "x.jsonl").write_text("{")
    (folder / "state.json").write_text("{")
    checks = examined(folder)
    # A whole log makes its state anew when it is opened.
    assert [of(checks, name)[0][0] for name in ("journal", "state")] == ["warn", "ok"]


def test_a_changed_version_is_found(folder):
    ok(folder, "practice", "generate", "--rows", "150", "-o", str(folder / "q.jsonl"))
    ok(folder, "batch", str(folder / "q.jsonl"), "-o", str(folder / "out.jsonl"))
    version = ok(folder, "retrain", "--promote", "never", "--json").json["artifact"]
    assert of(examined(folder), "versions")[0][0] == "ok"
    with open(folder / "artifacts" / version / "policy.npz", "r+b") as file:
        file.seek(200)
        file.write(b"changed")
    checks = examined(folder)
    (damaged,) = [words for level, words in of(checks, "versions") if level == "warn"]
    assert "policy.npz was changed after it was written" in damaged
    assert "delete its folder" in mend_of(checks, "versions")
    (folder / "artifacts" / "current").write_text(version)
    assert "wrong" in {level for level, _ in of(examined(folder, code=1), "versions")}
    (folder / "artifacts" / "current").write_text("v0009-000000000000")
    assert "wrong" in {level for level, _ in of(examined(folder, code=1), "versions")}


def test_wrong_probabilities_are_found(folder):
    ok(folder, "practice", "generate", "--rows", "150", "-o", str(folder / "q.jsonl"))
    ok(folder, "batch", str(folder / "q.jsonl"), "-o", str(folder / "out.jsonl"))
    assert [level for level, _ in of(examined(folder), "finding")] == ["ok"]
    with duckdb.connect(str(folder / "zetaroute.duckdb")) as connection:
        connection.execute(
            "UPDATE outcomes SET pmf = [0.98, 0.01, 0.01], propensity = 0.98, candidates = list_transform("
            "candidates, lambda c, i: struct_update(c, probability := CASE i WHEN 1 THEN 0.98 ELSE 0.01 END))"
        )
    (found,) = of(examined(folder, code=1), "finding")
    assert found[0] == "wrong"
    assert found[1].startswith("wrong-propensities: ")


@pytest.mark.skipif(os.name != "posix", reason="the system has no such permissions")
def test_a_home_that_others_may_read(tmp_path, monkeypatch, http_folder, server):
    server.reply(lists("m1", "m2"))
    parents_open = all(parent.stat().st_mode & 0o001 for parent in http_folder.parents)
    http_folder.chmod(0o755)
    checks = examined(http_folder)
    assert of(checks, "home")[0][0] == ("warn" if parents_open else "ok")


def test_a_new_home_is_its_owners_alone(tmp_path):
    ok(tmp_path / "fresh", "ask", "What is 2 + 3?")
    if os.name == "posix":
        assert (tmp_path / "fresh").stat().st_mode & 0o077 == 0


def test_no_model_is_asked(http_folder, server):
    server.reply(lambda seen: lists("m1", "m2") if seen.body is None else says("paid")(seen))
    ok(http_folder, "doctor")
    assert [seen.body for seen in server.seen] == [None]
