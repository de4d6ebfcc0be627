"""`[privacy]` and `[[rules]]` through the commands: what is kept, what is sent, what is refused."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.command import environment, ok, read_lines, refused, rows, run, write_lines
from tests.cli.conftest import by_model, fails, http_config, says
from tests.providers.loopback import ModelServer

ASKED = "What did Mnemosyne Quetzalcoatl order in Szczebrzeszyn?"
REMOTE = '[[models]]\nid = "far/away"\nprovider = "openai"\nbase_url = "{url}/v1"\n'


def configure(home: Path, server: ModelServer, more: str) -> Path:
    (home / "config.toml").write_text(http_config(server) + more, encoding="utf-8")
    return home


def remote_only(home: Path, server: ModelServer, more: str = "") -> Path:
    (home / "config.toml").write_text(REMOTE.format(url=server.url) + more, encoding="utf-8")
    return home


def files_with(folder: Path, *words: bytes) -> list[Path]:
    return [
        path
        for path in folder.rglob("*")
        if path.is_file() and any(word in path.read_bytes() for word in words) and path.name != "config.toml"
    ]


@pytest.mark.parametrize("store", ["hashed", "features"])
def test_asking_leaves_no_text(http_folder: Path, server: ModelServer, store: str) -> None:
    home = configure(http_folder, server, f'[privacy]\nstore = "{store}"\n')
    server.reply(says("the Quetzalcoatl ordered pierogi"))
    assert "pierogi" in ok(home, "ask", "-s", "Quetzalcoatl's clerk", "--reference", "pierogi", ASKED).out
    ok(home, "ask", ASKED)
    server.reply(fails(400, "Quetzalcoatl is refused"))
    run(home, "ask", ASKED)
    assert files_with(home, b"Quetzalcoatl", b"pierogi") == []
    assert rows(home, "SELECT count(*), count(DISTINCT query), any_value(store) FROM outcomes") == [
        (4, 1, store)
    ]
    ((vectors, space),) = rows(home, "SELECT count(embedding), any_value(embedding_model) FROM outcomes")
    assert (vectors, (space or "")[:20]) == ((3, "zetaroute/hashed-256") if store == "features" else (0, ""))
    shown = ok(home, "log", "show").out
    assert f"{store}: the texts below are keyed hashes" in shown
    assert "sha256:" in ok(home, "log", "list").out
    assert "was not kept as text" in refused(run(home, "ask", "-c", "and then?"), 2)


@pytest.mark.parametrize("form", ["plain", "openai"])
def test_a_batch_that_keeps_no_text_resumes_and_leaves_its_output_alone(
    http_folder: Path, tmp_path: Path, server: ModelServer, form: str
) -> None:
    home = configure(http_folder, server, '[privacy]\nstore = "hashed"\n')
    server.reply(says(lambda seen: "re " + seen.body["messages"][-1]["content"]))
    file = write_lines(tmp_path / "q.jsonl", [{"query": f"{ASKED} {n}"} for n in range(6)])
    answers = tmp_path / "a.jsonl"
    words = ("batch", str(file), "-o", str(answers), "--format", form, "--ordered")
    assert ok(home, *words, "--json").json["answered"] == 6
    assert files_with(home, b"Quetzalcoatl") == []
    whole = answers.read_bytes()
    assert whole.count(b"Quetzalcoatl") == 6
    assert ok(home, *words, "--json").json["skipped"] == 6
    assert answers.read_bytes() == whole
    # An answer that stands nowhere is asked for again, and no other.
    answers.write_bytes(b"".join(whole.splitlines(keepends=True)[1:]))
    said = ok(home, *words, "--json").json
    assert (said["answered"], said["skipped"]) == (1, 5)
    assert [line["custom_id"] for line in read_lines(answers)] == [
        json.loads(line)["custom_id"] for line in whole.splitlines()
    ]
    assert len(server.seen) == 7
    # What names a row without custom_id is no hash that others could make of its text.
    stored = {one for (one,) in rows(home, "SELECT custom_id FROM outcomes")}
    assert stored == {json.loads(line)["custom_id"] for line in whole.splitlines()}
    plain = tmp_path / "plain"
    plain.mkdir()
    configure(plain, server, "")
    ok(plain, "batch", str(file), "-o", str(tmp_path / "b.jsonl"))
    assert stored & {one for (one,) in rows(plain, "SELECT custom_id FROM outcomes")} == set()


def test_learning_without_texts_says_what_it_does_without(folder: Path, tmp_path: Path) -> None:
    config = folder / "config.toml"
    plain = config.read_text(encoding="utf-8")
    config.write_text(plain + '\n[privacy]\nstore = "hashed"\n', encoding="utf-8")
    practised = tmp_path / "p.jsonl"
    ok(folder, "practice", "generate", "--rows", "160", "--seed", "5", "--output", str(practised))
    ok(folder, "batch", str(practised), "-o", str(tmp_path / "a.jsonl"))
    said = ok(folder, "retrain", "--promote", "force", "--json").json
    assert any("160 of 160 rows have no text" in reason for reason in said["reasons"])
    words = json.loads(
        next((folder / "artifacts").glob("v0001-*/vocabulary.json")).read_text(encoding="utf-8")
    )
    assert words == ["?"]
    ok(folder, "ask", "What is 2 + 3?")
    ok(folder, "policies", "verify")
    ok(folder, "kpi", "--compare", "--json")
    assert set(ok(folder, "kpi", "--by", "segment", "--json").json["by"]) >= {"arithmetic"}
    # Once most rows have a text again, those without are left out.
    config.write_text(plain, encoding="utf-8")
    more = tmp_path / "more.jsonl"
    ok(folder, "practice", "generate", "--rows", "200", "--seed", "6", "--output", str(more))
    ok(folder, "batch", str(more), "-o", str(tmp_path / "b.jsonl"))
    again = ok(folder, "retrain", "--promote", "never", "--json").json
    assert "161 rows whose text was not kept are not used" in again["reasons"]


def test_a_private_query_reaches_local_models_alone(http_folder: Path, server: ModelServer) -> None:
    server.reply(by_model(m1=fails(500, "down"), m2=says("never")))
    for seed in range(5):
        said = run(http_folder, "ask", "--tag", "private", "--seed", str(seed), ASKED)
        assert said.code == 3
    assert {seen.body["model"] for seen in server.seen} == {"m1"}
    assert rows(http_folder, "SELECT DISTINCT tags FROM outcomes") == [(["private"],)]
    decided = ok(http_folder, "ask", "--tag", "private", "--dry-run", "--json", ASKED).json["candidates"]
    reasons = {one["model"]: one["reason"] for one in decided}
    assert reasons["two/m2"] == "has no tag local, which private queries need"


def test_where_no_model_is_allowed_nothing_is_sent(http_folder: Path, server: ModelServer) -> None:
    server.reply(says("never"))
    assert "two/m2 has no tag local" in refused(
        run(http_folder, "ask", "--tag", "private", "-m", "two/m2", ASKED), 2
    )
    remote_only(http_folder, server)
    assert "far/away has no tag local" in refused(run(http_folder, "ask", "--tag", "private", ASKED), 2)
    assert server.seen == []
    remote_only(http_folder, server, '[[rules]]\ntag = "private"\nrequire = "eu"\n')
    assert "has no tag eu" in refused(run(http_folder, "ask", "--tag", "private", ASKED), 2)
    assert server.seen == []


def test_a_conversation_stays_private(http_folder: Path, server: ModelServer) -> None:
    server.reply(says("yes"))
    ok(http_folder, "ask", "--tag", "private", ASKED)
    ok(http_folder, "ask", "-c", "and then?")
    assert rows(http_folder, "SELECT count(*) FROM outcomes WHERE list_contains(tags, 'private')") == [(2,)]
    assert {seen.body["model"] for seen in server.seen} == {"m1"}
    assert "nothing was sent" in refused(run(http_folder, "ask", "-c", "-m", "two/m2", "and then?"), 2)


def test_lines_of_a_batch_carry_tags(http_folder: Path, tmp_path: Path, server: ModelServer) -> None:
    server.reply(says("yes"))
    messages = [{"role": "user", "content": "private, as its metadata say"}]
    lines = [
        *({"query": f"private {n}", "tags": ["private", "hr"]} for n in range(8)),
        *({"query": f"private too {n}", "metadata": {"tags": "private, hr"}} for n in range(8)),
        *({"query": f"free {n}"} for n in range(30)),
        {"custom_id": "o", "body": {"messages": messages, "metadata": {"tags": "private"}}},
        {"custom_id": "p", "body": {"messages": messages, "model": "two/m2"}, "tags": ["private"]},
        {"query": "what tags are these", "tags": {"private": True}},
    ]
    file = write_lines(tmp_path / "q.jsonl", lines)
    answers = tmp_path / "a.jsonl"
    said = ok(http_folder, "batch", str(file), "-o", str(answers), "--json").json
    assert (said["answered"], said["failed"], said["bad_lines"]) == (47, 1, 1)
    sent = {(seen.body["model"], "private" in seen.body["messages"][-1]["content"]) for seen in server.seen}
    assert sent == {("m1", True), ("m1", False), ("m2", False)}
    (failed,) = (line for line in read_lines(answers) if line["error"])
    assert failed["custom_id"] == "p"
    assert "has no tag local, which private queries need" in failed["error"]
    bad = read_lines(Path(f"{answers}.errors.jsonl"))
    assert bad == [{"line": 49, "error": 'has "tags" that are no list of texts'}]
    assert rows(http_folder, "SELECT count(*) FROM outcomes WHERE tags = ['private', 'hr']") == [(16,)]


class TestDetector:
    """With the libraries of the extra."""

    @pytest.fixture(autouse=True)
    def extra(self) -> None:
        pytest.importorskip("detect_secrets")

    def test_what_is_found_makes_a_query_private_and_is_not_written(
        self, http_folder: Path, tmp_path: Path, server: ModelServer
    ) -> None:
        home = configure(
            http_folder, server, '[privacy]\ndetect = ["secrets", "personal"]\nstore = "hashed"\n'
        )
        server.reply(says("yes"))
        letter = tmp_path / "letter.txt"
        letter.write_text("call +49 30 901820", encoding="utf-8")
        for words in (
            ("write to anna.kowalska@firma.pl",),
            ("-s", "the password is hunter2x", "hello"),
            ("-a", str(letter), "summarise"),
        ):
            ok(home, "ask", *words)
        assert {seen.body["model"] for seen in server.seen} == {"m1"}
        assert rows(home, "SELECT DISTINCT tags FROM outcomes") == [(["private"],)]
        assert files_with(home, b"kowalska", b"hunter2x", b"901820") == []
        ok(home, "ask", "-m", "two/m2", "hello")
        assert rows(home, "SELECT tags FROM outcomes ORDER BY id DESC LIMIT 1") == [([],)]
        assert "nothing was sent" in refused(
            run(home, "ask", "-m", "two/m2", "mail anna.kowalska@firma.pl"), 2
        )

    def test_lines_of_a_batch_are_looked_into(
        self, http_folder: Path, tmp_path: Path, server: ModelServer
    ) -> None:
        home = configure(
            http_folder,
            server,
            '[privacy]\ndetect = ["personal"]\non_detect = "pii"\n[[rules]]\ntag = "pii"\nrequire = "local"\n',
        )
        server.reply(says("yes"))
        lines = [{"query": f"write to anna{n}@firma.pl"} for n in range(12)]
        file = write_lines(tmp_path / "q.jsonl", lines)
        assert ok(home, "batch", str(file), "--json").json["answered"] == 12
        assert {seen.body["model"] for seen in server.seen} == {"m1"}
        assert rows(home, "SELECT DISTINCT tags FROM outcomes") == [(["pii"],)]


def test_without_its_libraries_a_detector_says_how_to_get_them(
    http_folder: Path, server: ModelServer
) -> None:
    home = configure(http_folder, server, '[privacy]\ndetect = ["secrets"]\n')
    code = (
        "import sys; sys.modules['detect_secrets'] = None; "
        "sys.argv[0] = 'zetaroute'; from zetaroute.cli.app import main; main()"
    )
    words = [sys.executable, "-W", "ignore", "-c", code, "--home", str(home), "ask", "hello"]
    done = subprocess.run(
        words, stdin=subprocess.DEVNULL, capture_output=True, env=environment(), check=False
    )
    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr.decode().startswith("error: the config asks to detect private data")
    assert "pip install 'zetaroute[privacy]'" in done.stderr.decode()
    assert server.seen == []


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ('[privacy]\nstore = "none"\n', "choose one of full, hashed, features"),
        ('[privacy]\ndetect = ["faces"]\n', "key detect holds 'faces': choose one of secrets, personal"),
        ('[privacy]\ndetect = ["secrets"]\non_detect = "x"\n', "no rule knows that tag"),
        ('[privacy]\nstores = "full"\n', "did you mean 'store'"),
        ('[[rules]]\ntag = "private"\n', "[[rules]] number 1 needs a key require"),
        ('[[rules]]\ntag = "a"\nrequires = "b"\n', "[[rules]] number 1 needs a key require"),
    ],
)
def test_mistakes_in_the_config_are_told(
    http_folder: Path, server: ModelServer, more: str, words: str
) -> None:
    configure(http_folder, server, more)
    assert words in refused(run(http_folder, "ask", "hello"), 2)


def test_named_conversation_stays_as_private_as_its_turns(http_folder: Path, server: ModelServer) -> None:
    server.reply(says("kept here"))
    ok(http_folder, "ask", "--cid", "secret", "--tag", "private", "first")
    said = run(http_folder, "ask", "--cid", "secret", "-m", "two/m2", "second")
    assert "nothing was sent" in refused(said, 2)
    assert {seen.body["model"] for seen in server.seen} == {"m1"}


JUDGE = """
[graders.nice]
judge = "two/m2"
"""


def test_local_only_binds_judges_too(http_folder: Path, server: ModelServer) -> None:
    config = http_folder / "config.toml"
    config.write_text(config.read_text() + JUDGE)
    server.reply(says("an answer"))
    ok(http_folder, "ask", "--local-only", "--grader", "nice", "SECRETWORD")
    ok(http_folder, "ask", "--local-only", "--check", "nice", "SECRETWORD")
    assert {seen.body["model"] for seen in server.seen} == {"m1"}


def test_what_was_private_is_private_in_the_log_that_takes_it(
    http_folder: Path, server: ModelServer, tmp_path: Path
) -> None:
    config = http_folder / "config.toml"
    config.write_text(config.read_text() + JUDGE)
    server.reply(says("an answer"))
    ok(http_folder, "ask", "--tag", "private", "SECRETWORD")
    other = tmp_path / "other"
    other.mkdir()
    (other / "config.toml").write_text(config.read_text())
    for number, form in enumerate(("jsonl", "rows")):
        file = tmp_path / f"out{number}.jsonl"
        if form == "rows":
            ok(http_folder, "rate", "--metric", "accuracy", "1")
        ok(http_folder, "log", "export", "--format", form, "--to", str(file))
        ok(other, "log", "import", str(file))
    assert {tuple(tags) for (tags,) in rows(other, "SELECT tags FROM outcomes")} == {("private",)}
    server.seen.clear()
    ok(other, "grade", "--grader", "nice")
    assert server.seen == []


def test_packed_exports_are_written_anew_without_a_forgotten_text(
    http_folder: Path, server: ModelServer, tmp_path: Path
) -> None:
    server.reply(says("an answer"))
    ok(http_folder, "ask", "the words that shall be forgotten")
    packed = tmp_path / "out.jsonl.gz"
    ok(http_folder, "log", "export", "--to", str(packed))
    ((outcome_id,),) = rows(http_folder, "SELECT id FROM outcomes")
    done = ok(http_folder, "log", "forget", outcome_id, "--yes", "--json").json
    assert (done["rewritten"], done["still"]) == ([str(packed)], [])
    assert b"the words that shall" not in gzip.decompress(packed.read_bytes())
