"""What is released: the wheel is the same at every build, and holds what the program says of itself."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest
from hatchling.builders.wheel import WheelBuilder

from scripts.release import CHANGELOG, notes
from scripts.share import SHARE, shared
from tests.container import FILE, instructions, put
from zetaroute.version import __version__

ROOT = Path(__file__).parents[1]


def test_the_shared_files_say_what_the_program_says() -> None:
    """`make share` writes them anew."""
    assert {path: (SHARE / path).read_text("utf-8") for path in shared()} == shared()


def test_the_wheel_is_the_same_at_every_build_and_holds_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    first, second = (
        Path(built)
        for folder in ("first", "second")
        for built in WheelBuilder(str(ROOT)).build(directory=str(tmp_path / folder), versions=["standard"])
    )
    assert first.read_bytes() == second.read_bytes()
    with zipfile.ZipFile(first) as opened:
        names = set(opened.namelist())
    assert {f"zetaroute-{__version__}.data/data/share/{path}" for path in shared()} <= names
    source = {
        str(file.relative_to(ROOT))
        for file in (ROOT / "zetaroute").rglob("*")
        if file.is_file() and "__pycache__" not in file.parts
    }
    assert source <= names


def test_the_notes_are_the_changelog_of_the_version() -> None:
    assert notes(CHANGELOG.read_text("utf-8"), __version__).startswith(f"# zetaroute {__version__} (")
    text = "## 2.0 - today\n\nnew\n\n## 1.0 - before\n\nold\n"
    assert notes(text, "2.0") == "# zetaroute 2.0 (today)\n\nnew\n"
    with pytest.raises(ValueError, match="write it first"):
        notes(text, "3.0")


def test_what_the_containerfile_copies_makes_the_wheel(tmp_path: Path) -> None:
    """`python -m tests.container ROOT` runs all of its steps in a root folder."""
    steps = instructions(FILE.read_text("utf-8"))
    for name, rest in steps:
        if name == "COPY":
            *sources, _ = rest.split()
            for source in sources:
                put(ROOT / source, tmp_path / source, into=False)
    (built,) = WheelBuilder(str(tmp_path)).build(directory=str(tmp_path / "dist"), versions=["standard"])
    with zipfile.ZipFile(built) as opened:
        assert "zetaroute/cli/app.py" in opened.namelist()
