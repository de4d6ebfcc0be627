"""Of a damaged segment what is whole comes into the log, and nothing that was changed on the way."""

from __future__ import annotations

import json
import random

from tests.log.test_log import outcome, rows
from zetaroute.domain import new_id
from zetaroute.log.journal import Entry
from zetaroute.log.log import Log


def test_lines_of_a_damaged_segment_are_salvaged_one_by_one(home, caplog):
    log = Log(home)
    log.append([Entry(outcomes=(outcome(query=f"query {place}"),)) for place in range(5)])
    (segment,) = log.journal.segments()
    lines = segment.read_bytes().splitlines(keepends=True)
    lines[1] = lines[1].replace(b"query 1", b"query 9")
    lines[3] = lines[3][:40] + b"\n"
    segment.write_bytes(b"".join(lines))
    log.append([Entry(outcomes=(outcome(query="of another segment"),))])
    found = [query for (query,) in rows(log, "SELECT query FROM outcomes ORDER BY query")]
    assert found == ["of another segment", "query 0", "query 2", "query 4"]
    assert [path.name for path in (home.journal / "damaged").iterdir()] == [segment.name]
    assert log.journal.segments() == []
    assert f"2 of 5 lines of {segment.name} cannot be read" in caplog.text


def test_no_flipped_bit_is_merged_unnoticed(home):
    log = Log(home)
    draw = random.Random(5)
    written = {}
    for place in range(60):
        row = outcome(query=f"{place} of them", cost_usd=0.25, input_tokens=1000)
        written[row.id] = row.query
        name = log.journal.place([Entry(outcomes=(row,))])
        content = bytearray((home.journal / name).read_bytes())
        # The last bytes are the checksum itself, and the end of the line.
        bit = draw.randrange(8 * (len(content) - 24))
        content[bit // 8] ^= 1 << bit % 8
        (home.journal / name).write_bytes(content)
    found = rows(log, "SELECT id, query, cost_usd, input_tokens FROM outcomes")
    assert found == []
    assert len(list((home.journal / "damaged").iterdir())) == len(written)


def test_lines_without_a_checksum_are_read_as_before(home):
    log = Log(home)
    home.make()
    old = {"outcomes": [{"id": new_id(), "time": "2026-01-02T03:04:05", "query": "old", "model": "a"}]}
    (home.journal / f"{new_id()}.jsonl").write_text(json.dumps(old) + "\n")
    assert rows(log, "SELECT query FROM outcomes") == [("old",)]


def test_numbers_that_no_column_holds_become_null_and_cost_no_other_row(home):
    log = Log(home)
    huge = outcome(id=new_id(2.0), input_tokens=2**63, output_tokens=10**400, cached_tokens=2**63 - 1)
    log.append([Entry(outcomes=(outcome(id=new_id(1.0), input_tokens=3),)), Entry(outcomes=(huge,))])
    assert rows(log, "SELECT input_tokens, output_tokens, cached_tokens FROM outcomes ORDER BY id") == [
        (3, None, None),
        (None, None, 2**63 - 1),
    ]
