"""Files that are replaced in one step, and what is said when they cannot be."""

from __future__ import annotations

from pathlib import Path

import pytest

from zetaroute.errors import StoreError, UsageError
from zetaroute.files.atomic import os_errors, rewrite, write_whole


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "file"
    path.write_bytes(b"old")
    return path


def test_the_new_content_takes_the_place_of_the_old(path: Path) -> None:
    write_whole(path, b"whole")
    assert path.read_bytes() == b"whole"
    rewrite(path, lambda draft: draft.write(b""))
    assert path.read_bytes() == b""
    assert [one.name for one in path.parent.iterdir()] == ["file"]


def test_false_leaves_the_old_one(path: Path) -> None:
    rewrite(path, lambda draft: draft.write(b"new") < 0)
    assert path.read_bytes() == b"old"
    assert [one.name for one in path.parent.iterdir()] == ["file"]


def test_an_exception_leaves_the_old_one(path: Path) -> None:
    with pytest.raises(ZeroDivisionError):
        rewrite(path, lambda draft: draft.write(b"new") / 0, suffix=".half")
    assert path.read_bytes() == b"old"
    assert [one.name for one in path.parent.iterdir()] == ["file"]


def test_what_a_kill_left_is_gone_with_the_next_rewrite(path: Path) -> None:
    path.with_name("file.tmp").write_bytes(b"half of something longer")
    rewrite(path, lambda draft: draft.write(b"new"))
    assert path.read_bytes() == b"new"
    assert [one.name for one in path.parent.iterdir()] == ["file"]


def test_an_os_error_becomes_one_sentence(tmp_path: Path) -> None:
    gone = tmp_path / "none" / "file"
    with pytest.raises(StoreError, match=r"^cannot write it \(No such file or directory\): make room\.$"):  # noqa: SIM117
        with os_errors("cannot write it", "make room."):
            write_whole(gone, b"")
    with pytest.raises(UsageError, match=r"^cannot read it \(made up\): name another\.$"):  # noqa: SIM117
        with os_errors("cannot read it", "name another.", UsageError):
            raise OSError("made up")
