"""What is kept of a row: equal texts are known as equal, and no text is there."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from dataclasses import fields, replace

import numpy as np
import pytest

from zetaroute.config import Privacy
from zetaroute.domain import FileNote, Outcome
from zetaroute.errors import StoreError
from zetaroute.features.hashed import SIZE, hashed_vector, space_of
from zetaroute.log.journal import Entry
from zetaroute.log.log import Log
from zetaroute.log.pseudonyms import home_salt, protect

from .test_log import CANDIDATE, feedback, outcome, rows

SALT = b"s" * 32
ASKED = "my cat Mnemosyne weighs 4.2 kg"
NOTE = FileNote(name="Mnemosyne.txt", media_type="text/plain", sha256="ab" * 32, size=3)
TOLD = {
    "query": ASKED,
    "system": "You are the vet of Mnemosyne",
    "reference": "Mnemosyne is fine",
    "response": "Mnemosyne is too heavy",
    "error": "bad request: Mnemosyne",
    "content_hash": "0123456789abcdef01234567",
}
NUMBERS = {"response_s": 1.5, "cost_usd": 0.25, "input_tokens": 7, "propensity": 0.5, "seed": 3}


def row(**changes) -> Outcome:
    return outcome(
        **(TOLD | NUMBERS | {"attachments": (NOTE,), "candidates": (CANDIDATE,), "tags": ("a",)} | changes)
    )


def only(entry: Entry) -> Outcome:
    assert len(entry.outcomes) == 1
    return entry.outcomes[0]


@pytest.mark.parametrize("store", ["hashed", "features"])
def test_no_text_is_left_and_everything_else_is(store):
    before = row()
    after = only(protect(Entry(outcomes=(before,)), store, salt=SALT))
    assert "Mnemosyne" not in repr(after)
    assert TOLD["content_hash"] not in repr(after)
    assert NOTE.sha256 not in repr(after)
    assert after.store == store
    changed = {
        field.name for field in fields(Outcome) if getattr(before, field.name) != getattr(after, field.name)
    }
    expected = {*TOLD, "attachments", "store"} | (
        {"embedding", "embedding_model"} if store == "features" else set()
    )
    assert changed == expected
    assert (after.attachments[0].size, after.attachments[0].media_type) == (3, "text/plain")


def test_equal_texts_have_equal_hashes_in_one_home_and_others_in_another():
    first, again, other = (
        only(protect(Entry(outcomes=(row(query=text),)), "hashed", salt=salt)).query
        for text, salt in ((ASKED, SALT), (ASKED, SALT), (ASKED, b"t" * 32))
    )
    assert first == again
    assert first != other
    assert first.startswith("sha256:")
    assert len(first) == len("sha256:") + 64


def test_absent_texts_stay_absent_and_what_people_say_as_it_is():
    bare = outcome(query="q")
    said = feedback(bare.id, 1.0, comment="good", source="user")
    quoted = feedback(bare.id, 1.0, comment="it says 'q'", source="judge")
    entry = protect(Entry(outcomes=(bare,), feedback=(said, quoted)), "hashed", salt=SALT)
    kept = only(entry)
    assert (kept.system, kept.reference, kept.response, kept.error, kept.content_hash) == (None,) * 5
    assert [one.comment for one in entry.feedback] == ["good", None]


def test_full_keeps_the_entry_itself():
    entry = Entry(outcomes=(row(),))
    assert protect(entry, "full", salt=SALT) is entry


def test_features_add_a_vector_unless_there_is_one_and_hashed_drops_it():
    given = row(embedding=(1.0, 2.0), embedding_model="other")
    kept = only(protect(Entry(outcomes=(given,)), "features", salt=SALT))
    assert (kept.embedding, kept.embedding_model) == ((1.0, 2.0), "other")
    dropped = only(protect(Entry(outcomes=(given,)), "hashed", salt=SALT))
    assert (dropped.embedding, dropped.embedding_model) == (None, None)
    made = only(protect(Entry(outcomes=(row(),)), "features", salt=SALT))
    assert made.embedding_model == space_of(SALT)
    assert len(made.embedding or ()) == SIZE
    np.testing.assert_array_equal(np.float32(made.embedding or ()), hashed_vector(ASKED, SALT))


@pytest.mark.parametrize("store", ["hashed", "features"])
def test_nothing_readable_reaches_the_disk(home, store):
    log = Log(home, Privacy(store=store))
    log.append([Entry(outcomes=(row(),))])
    waiting = b"".join(path.read_bytes() for path in log.journal.segments())
    assert b"sha256:" in waiting
    assert b"Mnemosyne" not in waiting
    (kept,) = rows(log, "SELECT store, query, tags, len(coalesce(embedding, [])), cost_usd FROM rounds")
    assert kept[0] == store
    assert kept[2:] == (["a"], SIZE if store == "features" else 0, 0.25)
    assert all(b"Mnemosyne" not in path.read_bytes() for path in home.path.rglob("*") if path.is_file())


def test_the_secret_is_made_once_for_its_owner_alone(home):
    home.make()
    script = (
        "import sys; from pathlib import Path; from zetaroute.log.pseudonyms import home_salt; "
        "print(home_salt(Path(sys.argv[1])).hex())"
    )
    running = [
        subprocess.Popen([sys.executable, "-c", script, str(home.salt)], stdout=subprocess.PIPE)
        for _ in range(4)
    ]
    made = {process.communicate(timeout=60)[0] for process in running}
    assert made == {home.salt.read_bytes().hex().encode() + b"\n"}
    assert stat.S_IMODE(home.salt.stat().st_mode) == 0o600
    assert home_salt(home.salt) == home.salt.read_bytes()
    assert [path.name for path in home.path.iterdir() if path.suffix == ".tmp"] == []


def test_a_damaged_secret_is_told(home):
    home.make()
    home.salt.write_bytes(b"short")
    with pytest.raises(StoreError, match="it has 5 bytes"):
        Log(home, Privacy(store="hashed")).append([Entry(outcomes=(row(),))])
    assert Log(home).journal.segments() == []


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_secret_that_cannot_be_read_is_told(home):
    home.make()
    home.salt.write_bytes(b"s" * 32)
    home.salt.chmod(0)
    with pytest.raises(StoreError, match="cannot be used"):
        Log(home, Privacy(store="hashed")).append([Entry(outcomes=(replace(row()),))])
