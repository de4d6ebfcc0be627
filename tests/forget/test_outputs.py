"""Texts in files outside the log: ours are blanked byte for byte, all others are named."""

from __future__ import annotations

import html
import json
from pathlib import Path

import pytest

from tests.log.test_log import outcome
from zetaroute.forget.outputs import blank_lines, still_holding
from zetaroute.log.journal import Entry
from zetaroute.log.log import Log
from zetaroute.log.noted_exports import note_export
from zetaroute.router.answer import output_line
from zetaroute.transfer.export import export

TEXT = "the café of Mnemosyne & <sons> opens at noon and closes at the end of the day"


def line(number: int, form: str = "plain", **changes) -> str:
    values = {"custom_id": f"c{number}", "id": f"id-{number}", "answer": TEXT, "model": "m"} | changes
    return output_line(values, form)


@pytest.mark.parametrize("form", ["plain", "openai"])
@pytest.mark.parametrize("changes", [{}, {"answer": None, "error": TEXT, "error_kind": "server"}])
def test_lines_keep_their_place_and_their_numbers(tmp_path, form, changes):
    path = tmp_path / "out.jsonl"
    lines = [line(1, form, **changes), line(2, form), line(3, form)]
    path.write_text("".join(lines), encoding="utf-8")
    with open(path, "a", encoding="utf-8") as running:
        assert blank_lines(path, {"id-1", "id-3"}) == 2
        running.write(line(4, form))
    found = path.read_text(encoding="utf-8").splitlines(keepends=True)
    assert [len(one.encode()) for one in found[:3]] == [len(one.encode()) for one in lines]
    assert (found[1], found[3]) == (lines[1], line(4, form))
    assert "Mnemosyne" not in found[0] + found[2]
    assert "c1" not in found[0]
    assert json.loads(found[0])["id"] == "id-1"
    assert blank_lines(path, {"id-1", "id-3"}) == 0


@pytest.mark.parametrize(
    "changed",
    [
        json.dumps({"id": "id-1", "answer": TEXT}) + "\n",
        line(1).replace('": ', '":'),
        line(1).rstrip("\n"),
        "id-1: " + TEXT + "\n",
    ],
)
def test_lines_that_are_not_ours_are_not_touched(tmp_path, changed):
    path = tmp_path / "out.jsonl"
    path.write_text(changed, encoding="utf-8")
    blank_lines(path, {"id-1"})
    assert path.read_text(encoding="utf-8") == changed


@pytest.mark.parametrize(
    "content",
    [
        TEXT,
        json.dumps(TEXT),
        html.escape(TEXT),
        "quoted: " + TEXT[5:],
        "x" * 5000 + TEXT[-45:],
        "MNEMOSYNE",
        "",
    ],
)
def test_files_that_hold_a_text_are_found(home, tmp_path, content):
    home.make()
    (home.artifacts / "note").write_text(content, encoding="utf-8")
    outside = tmp_path / "out.jsonl"
    outside.with_name("out.jsonl.errors.jsonl").write_text(content, encoding="utf-8")
    found = {path.name for path in still_holding(home, [outside], [TEXT, "short"], ["no id"])}
    assert found == (
        {"note", "out.jsonl.errors.jsonl"} if "osyne" in content or "of the day" in content else set()
    )


def test_outputs_are_noted_once_each_and_pipes_never(home, tmp_path):
    log = Log(home)
    note_export(log, tmp_path / "a.jsonl", run="r")
    note_export(log, tmp_path)
    with log.open() as connection:
        assert connection.execute("SELECT path, run FROM exports").fetchall() == [
            (str(tmp_path / "a.jsonl"), "r")
        ]


def test_parquet_of_an_export_that_holds_the_rows_is_found(home, tmp_path):
    log = Log(home)
    row, other = outcome(query=TEXT), outcome(query="another")
    log.append([Entry(outcomes=(row, other))])
    export(log, str(tmp_path / "out"), host="h")
    with log.open() as connection:
        noted = [Path(path) for (path,) in connection.execute("SELECT path FROM exports").fetchall()]
    assert [path.name for path in noted] == ["part.parquet"]
    assert still_holding(home, noted, [TEXT], [row.id]) == noted
    assert still_holding(home, noted, [TEXT], ["someone else"]) == []
