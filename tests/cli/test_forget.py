"""`log forget`: no byte of a text is left in any file, and every number stays."""

from __future__ import annotations

import gzip
import html
import json
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import duckdb
import pytest

from tests.cli.command import command, environment, ok, read_lines, refused, rows, run, write_lines
from tests.cli.conftest import says
from tests.log.test_log import outcome
from tests.providers.loopback import ModelServer
from tests.support.waiting import PATIENCE_S
from zetaroute.config import Home
from zetaroute.domain import new_id
from zetaroute.log.journal import Entry
from zetaroute.projections import log_of

ASKED = 'Zdzisława Grzęda-Krakowiak of Żyrardów\tasks "about" galactorrhoea & <b>bromocriptine</b>, ¿por qué?'
ANSWERED = "Dear Zdzisława Grzęda-Krakowiak, prolactinoma is likelier; see endocrinologist Wąsowicz."
SYSTEM = "You answer the patients of the Krakowiak-Szczebrzeszyn surgery only."
COMMENT = "wrong: Frau Grzęda-Krakowiak takes cabergoline already"
REFERENCE = "hyperprolactinaemia-of-Grzęda-Krakowiak"
FILE = "discharge-letter-Grzęda-Krakowiak-2024.txt"
NUMBERS = """
    SELECT o.id, o.time, o.model, o.policy_version, o.status, o.propensity, o.pmf, o.forced, o.response_s, o.cost_usd,
           o.input_tokens, o.output_tokens, o.candidates, o.task, o.run, accuracy, satisfaction
    FROM rounds o ORDER BY id
"""


def pieces(*texts: str, size: int = 12) -> set[bytes]:
    """Return every piece of the texts as files may hold it."""
    found: set[bytes] = set()
    for text in texts:
        for start in range(len(text) - size + 1):
            piece = text[start : start + size]
            for form in (piece, json.dumps(piece)[1:-1], html.escape(piece)):
                found |= {form.encode(), form.encode("utf-16-le"), form.lower().encode()}
    return found


def holders(folder: Path, *texts: str) -> list[str]:
    """Return the files under a folder that hold a piece of the texts."""
    wanted = pieces(*texts)
    return [
        str(path.relative_to(folder))
        for path in sorted(folder.rglob("*"))
        if path.is_file() and any(piece in content for content in [path.read_bytes()] for piece in wanted)
    ]


def last_id(home: Path) -> str:
    return str(rows(home, "SELECT max(id) FROM outcomes")[0][0])


@pytest.fixture
def asked(tmp_path: Path, http_folder: Path, server: ModelServer) -> str:
    """Return the id of one query with everything that can hold its text."""
    server.reply(says(ANSWERED))
    note = tmp_path / FILE
    note.write_text("nothing", encoding="utf-8")
    ok(
        http_folder,
        "ask",
        "-s",
        SYSTEM,
        "--reference",
        REFERENCE,
        "--grader",
        "contains",
        "-a",
        str(note),
        ASKED,
    )
    one = last_id(http_folder)
    ok(http_folder, "rate", one, "2", "--comment", COMMENT)
    return one


TEXTS = (ASKED, ANSWERED, SYSTEM, COMMENT, REFERENCE, FILE)


def test_no_byte_is_left_and_every_number_is(http_folder: Path, server: ModelServer, asked: str) -> None:
    server.reply(says("something else"))
    ok(http_folder, "ask", "What is 2 + 3?")
    before = rows(http_folder, NUMBERS)
    assert holders(http_folder, *TEXTS) == ["zetaroute.duckdb"]
    said = ok(http_folder, "log", "forget", asked, "--yes", "--json").json
    assert said == {
        "rows": 1,
        "already_forgotten": 0,
        "versions": [],
        "rewritten": [],
        "still": [],
        "missing": [],
        "same_query": [],
    }
    assert holders(http_folder, *TEXTS) == []
    assert rows(http_folder, NUMBERS) == before
    kept = rows(http_folder, "SELECT id, query FROM outcomes WHERE forgotten IS NULL")
    assert [query for _, query in kept] == ["What is 2 + 3?"]
    gone = rows(
        http_folder,
        "SELECT query, system, reference, response, error, custom_id, content_hash, attachments, embedding, seed "
        "FROM outcomes WHERE forgotten IS NOT NULL",
    )
    assert gone == [(None,) * 10]


def test_screens_show_what_is_left(http_folder: Path, asked: str) -> None:
    ok(http_folder, "log", "forget", asked, "--yes")
    assert "(forgotten)" in ok(http_folder, "log", "list").out
    shown = ok(http_folder, "log", "show", asked).out
    assert "(forgotten) at 20" in shown
    assert "as it was decided" in shown
    listed = ok(http_folder, "log", "list", "--json").json
    assert [(row["id"], row["query"]) for row in listed] == [(asked, None)]
    assert ok(http_folder, "log", "show", asked, "--json").json["response"] is None
    assert ok(http_folder, "kpi", "--json").json["rows"] == 1
    assert "was not kept as text" in refused(run(http_folder, "ask", "-c", "and then?"), 2)


def test_again_is_no_mistake(http_folder: Path, asked: str) -> None:
    ok(http_folder, "log", "forget", asked, "--yes")
    moment = rows(http_folder, "SELECT forgotten FROM outcomes")
    said = ok(http_folder, "log", "forget", asked, "--yes", "--json").json
    assert (said["rows"], said["already_forgotten"]) == (1, 1)
    assert rows(http_folder, "SELECT forgotten FROM outcomes") == moment


def test_a_conversation_and_older_ones(http_folder: Path, server: ModelServer) -> None:
    server.reply(says("yes"))
    ok(http_folder, "ask", "the first of three")
    first = last_id(http_folder)
    ok(http_folder, "ask", "-c", "the second of three")
    ok(http_folder, "ask", "the third, alone")
    assert ok(http_folder, "log", "forget", "--conversation", first, "--yes", "--json").json["rows"] == 2
    left = rows(http_folder, "SELECT query FROM outcomes WHERE forgotten IS NULL")
    assert left == [("the third, alone",)]
    assert ok(http_folder, "log", "forget", "--before", "1d", "--yes", "--json").json["rows"] == 0
    assert ok(http_folder, "log", "forget", "--before", "0m", "--yes", "--json").json["rows"] == 3


def test_others_that_ask_the_same_are_named(http_folder: Path, server: ModelServer) -> None:
    server.reply(says("yes"))
    ok(http_folder, "ask", "the very same question")
    first = last_id(http_folder)
    ok(http_folder, "ask", "the very same question")
    said = ok(http_folder, "log", "forget", first, "--yes", "--json").json
    assert said["same_query"] == [last_id(http_folder)]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "nothing is named"),
        (("nobody", "--yes"), "no outcome has the id 'nobody'"),
        (("--conversation", "nobody", "--yes"), "no conversation is called"),
        (("--before", "soon", "--yes"), "is no moment"),
    ],
)
def test_mistakes_are_told(http_folder: Path, arguments: tuple[str, ...], words: str) -> None:
    assert words in refused(run(http_folder, "log", "forget", *arguments), 2)


def test_it_asks_first(http_folder: Path, asked: str) -> None:
    assert "give --yes" in refused(run(http_folder, "log", "forget", asked), 2)
    assert holders(http_folder, ASKED) == ["zetaroute.duckdb"]


@pytest.mark.parametrize("form", ["plain", "openai"])
def test_outputs_are_blanked_and_what_others_changed_is_named(
    tmp_path: Path, http_folder: Path, server: ModelServer, form: str
) -> None:
    server.reply(says(lambda seen: "re " + seen.body["messages"][-1]["content"]))
    file = write_lines(
        tmp_path / "q.jsonl",
        [{"query": ASKED, "custom_id": "Grzęda-Krakowiak-17"}, {"query": "and 2 + 3?", "custom_id": "b"}],
    )
    target, copied = tmp_path / "out.jsonl", tmp_path / "copied.jsonl"
    for output in (target, copied):
        ok(http_folder, "batch", str(file), "-o", str(output), "--format", form)
    copied.write_text("".join(json.dumps(line) + "\n" for line in read_lines(copied)), encoding="utf-8")
    before = copied.read_bytes()
    ids = [one for (one,) in rows(http_folder, "SELECT id FROM outcomes WHERE custom_id <> 'b'")]
    untouched = [line for line in target.read_bytes().splitlines() if b'"b"' in line]
    said = ok(http_folder, "log", "forget", *ids, "--yes", "--json").json
    assert said["rewritten"] == [str(target)]
    assert said["still"] == [str(copied)]
    assert copied.read_bytes() == before
    assert pieces(ASKED, "Grzęda-Krakowiak-17") & pieces(target.read_text(encoding="utf-8")) == set()
    assert holders(http_folder, ASKED, "Grzęda-Krakowiak-17") == []
    assert [line for line in target.read_bytes().splitlines() if b'"b"' in line] == untouched
    assert {line["id"] for line in read_lines(target)} & set(ids)
    copied.unlink()
    assert ok(http_folder, "log", "forget", *ids, "--yes", "--json").json["missing"] == [str(copied)]
    # The row is asked again, as nobody knows any more that it was answered; the other is not.
    seen = len(server.seen)
    ok(http_folder, "batch", str(file), "-o", str(target), "--format", form)
    assert len(server.seen) == seen + 1


def _opened(path: Path) -> bytes:
    return gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()


def test_exports_of_every_kind_are_written_anew(
    http_folder: Path, tmp_path: Path, server: ModelServer, asked: str
) -> None:
    server.reply(says("Mariehamn"))
    kept = 'What is the capital of Åland, "really"?\n' + "x" * 200_000
    ok(http_folder, "ask", "--tag", "a", "--tag", "b", stdin=kept.encode())
    other = last_id(http_folder)
    ok(http_folder, "rate", other, "4", "--comment", "mine, and it stays")
    names = ("all.csv", "all.csv.gz", "all.jsonl", "all.jsonl.gz")
    for name in names:
        ok(http_folder, "log", "export", "--to", str(tmp_path / name))
        ok(http_folder, "feedback", "export", str(tmp_path / f"feedback-{name}"))
    ok(http_folder, "log", "export", "--to", str(tmp_path / "parquet"), "--host", "here")
    mine = tmp_path / "of-mine.csv"
    mine.write_text(f"id,my_notes\n{asked},{ASKED}\n", encoding="utf-8")
    exports = [*(tmp_path / name for name in names), *(tmp_path / f"feedback-{name}" for name in names)]
    parts = sorted((tmp_path / "parquet").rglob("*.parquet"))
    before = {path: _opened(path) for path in exports}
    said = ok(http_folder, "log", "forget", asked, "--yes", "--json").json
    assert set(said["rewritten"]) == {str(path) for path in (*exports, *parts)}
    assert said["still"] == []
    for path in exports:
        assert not any(piece in _opened(path) for piece in pieces(*TEXTS))
        # What is not of the forgotten row is there as it was.
        lines = [line for line in before[path].splitlines() if asked.encode() not in line]
        assert [line for line in _opened(path).splitlines() if asked.encode() not in line] == lines
        assert asked.encode() in _opened(path)
    outcomes, feedback = (next(one for one in parts if name in str(one)) for name in ("outcomes", "feedback"))
    with duckdb.connect() as connection:
        found = connection.execute(
            f"SELECT id, query, response_s IS NOT NULL, forgotten IS NOT NULL FROM '{outcomes}' ORDER BY id"
        ).fetchall()
        assert found == [(asked, None, True, True), (other, kept.rstrip("\n"), True, False)]
        comments = connection.execute(f"SELECT outcome_id, comment FROM '{feedback}' ORDER BY id").fetchall()
    assert sorted(one for one in comments if one[1]) == [(other, "mine, and it stays")]
    assert (tmp_path / "of-mine.csv").read_text(encoding="utf-8").endswith(f"{ASKED}\n")
    again = ok(http_folder, "log", "forget", asked, "--yes", "--json").json
    assert again["rewritten"] == []
    assert list(tmp_path.rglob("*.forgetting")) == []


def test_damaged_segments_and_pages_are_looked_into(http_folder: Path, tmp_path: Path, asked: str) -> None:
    damaged = http_folder / "journal" / "damaged"
    damaged.mkdir()
    line = json.dumps({"outcomes": [{"id": asked, "query": ASKED}]}) + "\n"
    other = json.dumps({"outcomes": [{"id": "another", "query": "mine"}]}) + "\n"
    (damaged / "one.jsonl").write_text(line + "{broken\n" + other, encoding="utf-8")
    (damaged / "two.jsonl").write_text(line[:-30], encoding="utf-8")
    page = tmp_path / "page.html"
    ok(http_folder, "kpi", "--html", str(page))
    page.write_text(f"<p>{html.escape(ASKED)}</p>", encoding="utf-8")
    said = ok(http_folder, "log", "forget", asked, "--yes", "--json").json
    assert (damaged / "one.jsonl").read_text(encoding="utf-8") == "{broken\n" + other
    assert said["still"] == [str(damaged / "two.jsonl"), str(page)]


def practice(folder: Path, tmp_path: Path) -> list[str]:
    """Fill a home with practice rows, two of which only their like would ask, retrain, and return those two's ids."""
    ok(folder, "practice", "generate", "--rows", "120", "--seed", "5", "--output", str(tmp_path / "p.jsonl"))
    lines = read_lines(tmp_path / "p.jsonl")
    like = [
        {"query": f"galactorrhoea bromocriptine prolactinoma {n}", "reference": "1", "custom_id": f"x{n}"}
        for n in ("one of Krakowiak", "two of Krakowiak", "three of Krakowiak", "four of Krakowiak")
    ]
    ok(
        folder,
        "batch",
        str(write_lines(tmp_path / "all.jsonl", [*lines, *like])),
        "-o",
        str(tmp_path / "a.jsonl"),
    )
    ok(folder, "retrain", "--promote", "force", "--json")
    return [one for (one,) in rows(folder, "SELECT id FROM outcomes WHERE starts_with(custom_id, 'x')")]


def test_words_that_nobody_else_used_leave_the_artifacts(folder: Path, tmp_path: Path) -> None:
    ids = practice(folder, tmp_path)
    words = ("bromocriptine prolactinoma", "galactorrhoea", "krakowiak")
    kept = [path for path in holders(folder, *words[:2]) if path.startswith("artifacts")]
    assert any(path.endswith("vocabulary.json") for path in kept)
    version = json.loads(ok(folder, "policies", "list", "--json").out)[-1]["version"]
    said = ok(folder, "log", "forget", *ids, "--yes", "--json").json
    assert said["versions"] == [version]
    assert holders(folder, *words[:2]) == []
    assert [p for p in folder.rglob("*") if p.is_file() and b"krakowiak" in p.read_bytes().lower()] == []
    # The version serves as before, and repeats the decisions whose text is there.
    ok(folder, "policies", "verify")
    ok(folder, "ask", "What is 2 + 3?")
    assert rows(folder, "SELECT policy_version FROM outcomes ORDER BY id DESC LIMIT 1") == [(version,)]
    again = ok(folder, "retrain", "--json").json
    assert "4 forgotten rows are not used" in again["reasons"]
    assert ok(folder, "kpi", "--by", "segment", "--json").json["rows"] == 125
    ok(folder, "kpi", "--compare", "--json")


def test_no_row_keeps_the_name_of_a_kind_that_held_a_forgotten_word(folder: Path) -> None:
    log = log_of(Home(folder))
    gone = outcome(query="krakowiak", segment="dance, krakowiak")
    kept = outcome(query="polka dance", segment="dance, krakowiak")
    other = outcome(query="sort these", segment="sort, these")
    log.append([Entry(outcomes=(row,)) for row in (gone, kept, other)])
    ok(folder, "log", "forget", gone.id, "--yes")
    found = dict(rows(folder, "SELECT id, segment FROM outcomes"))
    assert found == {gone.id: None, kept.id: None, other.id: "sort, these"}


def killed_while_writing(home: Path, asked: str, size: int) -> bool:
    """Kill `log forget` once its new file has so many bytes; return whether the old one still stood then."""
    before = set(home.glob("*.forgetting*"))

    def fresh() -> list[Path]:
        return [path for path in home.glob("*.forgetting-*") if path not in before]

    def has_come_that_far() -> bool:
        with suppress(FileNotFoundError):
            return any(path.stat().st_size >= size for path in fresh())
        return False

    with subprocess.Popen(
        command(home, "log", "forget", asked, "--yes"), env=environment(), stdout=subprocess.DEVNULL
    ) as process:
        while not has_come_that_far() and process.poll() is None:
            time.sleep(0.001)
        process.kill()
    # One that got to its end leaves no such file.
    return bool(fresh())


def test_a_kill_leaves_the_old_file_or_the_new_one(http_folder: Path, asked: str) -> None:
    database = http_folder / "zetaroute.duckdb"
    state = "SELECT count(*), count(forgotten), (SELECT count(*) FROM mine.ballast) FROM outcomes"
    rows(http_folder, "SELECT 1")
    with duckdb.connect(str(database)) as connection:
        # What cannot be packed takes its time to be copied.
        connection.execute("CREATE SCHEMA mine")
        connection.execute(
            "CREATE TABLE mine.ballast AS SELECT md5(n::VARCHAR) AS x FROM range(500_000) AS r(n)"
        )
    before = rows(http_folder, state)
    for share in (0.0, 0.4, 0.8):
        size = int(share * database.stat().st_size)
        # A kill may come too late; then the new file stands, and forgetting writes it anew all the same.
        for _ in range(50):
            hit = killed_while_writing(http_folder, asked, size)
            after = rows(http_folder, state)
            assert after == before or (not hit and after == [(1, 1, 500_000)])
            before = after
            if hit:
                break
        else:
            pytest.fail(f"no kill hit while the new file had {size} bytes")
    with duckdb.connect(str(database)) as connection:
        connection.execute("DROP SCHEMA mine CASCADE")
    ok(http_folder, "log", "forget", asked, "--yes")
    assert holders(http_folder, *TEXTS) == []
    assert rows(http_folder, "SELECT count(*), count(forgotten) FROM outcomes") == [(1, 1)]
    left = {path.name for path in http_folder.iterdir()}
    assert left == {"config.toml", "zetaroute.duckdb", "state.json", "journal", "artifacts"}


WRITER = """
import sys, time
from pathlib import Path
from zetaroute.config import Home
from zetaroute.domain import Outcome, new_id
from zetaroute.log.journal import Entry
from zetaroute.projections import log_of
log = log_of(Home(Path(sys.argv[1])))
for number in range(int(sys.argv[2])):
    log.append([Entry(outcomes=(Outcome(id=new_id(), time="2026-01-02T03:04:05", query=f"{sys.argv[3]} {number}",
                                        model="a", status="ok"),))])
    log.merge(patience_s=5.0)
"""


def test_processes_that_merge_meanwhile_lose_nothing(http_folder: Path, asked: str) -> None:
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, str(http_folder), "4", name]) for name in ("a", "b")
    ]
    forgetters = [
        subprocess.Popen(
            command(http_folder, "log", "forget", asked, "--yes"),
            env=environment(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        for _ in range(2)
    ]
    for process in forgetters:
        _, err = process.communicate(timeout=PATIENCE_S)
        # Where the machine is busy, its turn may not come in time; it says so, and asked again it does it.
        assert process.returncode == 0 or b"another process" in err, err
    assert [process.wait(timeout=PATIENCE_S) for process in writers] == [0, 0]
    ok(http_folder, "log", "forget", asked, "--yes")
    assert rows(http_folder, "SELECT count(DISTINCT query), count(*) FROM outcomes") == [(8, 9)]
    assert rows(http_folder, "SELECT count(forgotten) FROM outcomes") == [(1,)]
    assert holders(http_folder, *TEXTS) == []


def test_tables_and_views_of_the_user_stay(http_folder: Path, asked: str) -> None:
    with duckdb.connect(str(http_folder / "zetaroute.duckdb")) as connection:
        connection.execute("CREATE SCHEMA mine")
        connection.execute("CREATE TABLE mine.notes (id INTEGER PRIMARY KEY, word VARCHAR DEFAULT 'x')")
        connection.execute("INSERT INTO mine.notes VALUES (1, 'kept')")
        connection.execute("CREATE VIEW mine.counted AS SELECT count(*) AS n FROM main.rounds")
    ok(http_folder, "log", "forget", asked, "--yes")
    assert rows(http_folder, "SELECT * FROM mine.notes") == [(1, "kept")]
    assert rows(http_folder, "SELECT n FROM mine.counted") == [(1,)]


def test_rows_of_a_fallback_are_forgotten_together(http_folder: Path) -> None:
    log = log_of(Home(http_folder))
    first = outcome(query=ASKED, status="error", error=f"no: {ASKED}")
    second = outcome(query=ASKED, fallback_of=first.id, attempt=2, response=ANSWERED, id=new_id())
    log.append([Entry(outcomes=(first, second))])
    assert ok(http_folder, "log", "forget", second.id, "--yes", "--json").json["rows"] == 2
    assert holders(http_folder, *TEXTS) == []
