"""The pictures: each one is there, shows nothing of a machine, and fetches nothing from anywhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from scripts.pictures import LARGEST, PICTURES, drawn, screen

ROOT = Path(__file__).parents[1]
NAMED = {
    (page.parent / name).resolve()
    for page in (ROOT / "README.md", *(ROOT / "docs").glob("*.md"))
    for name in re.findall(r"!\[[^\]]+\]\(([^)\s]+)\)", page.read_text("utf-8"))
}
OF_A_MACHINE = re.compile(r"/(tmp|home|root|work|Users|var)/|[\w.-]+@[\w-]+:")


def test_the_readme_and_the_pages_show_every_picture_and_none_that_is_not_there() -> None:
    assert {path for path in NAMED if path.is_relative_to(PICTURES)} == set(PICTURES.iterdir())
    assert all(path.is_file() for path in NAMED)


@pytest.mark.parametrize("picture", sorted(PICTURES.iterdir()), ids=lambda path: path.name)
def test_a_picture_is_small_and_stands_by_itself(picture: Path) -> None:
    assert picture.stat().st_size < LARGEST
    if picture.suffix != ".svg":
        assert picture.read_bytes().startswith(b"\x89PNG\r\n")
        return
    text = picture.read_text("utf-8")
    assert not re.search(r"https?://(?!www\.w3\.org/2000/svg\")|@import|@font-face|url\((?!#)|href", text)
    shown = "".join(re.findall(r">([^<]*)</text>", text)).replace("&#160;", " ")
    assert "zetaroute" in shown
    assert not OF_A_MACHINE.search(shown)


@pytest.mark.parametrize(
    ("said", "stands"),
    [
        ("a\r\nb\r\n", "a\nb"),
        ("\x1b[?25l10%\r\x1b[2K20%\r\x1b[2K\x1b[?25hdone\r\n", "done"),
        ("one\r\ntwo\r\x1b[2K\x1b[1A\x1b[2Kthree\r\n", "three"),
        ("\x1b[1mbold\x1b[0m\r\n", "\x1b[1mbold\x1b[0m"),
    ],
)
def test_what_was_drawn_over_does_not_stand_in_the_end(said: str, stands: str) -> None:
    assert screen(said) == stands


def test_commands_and_colours_are_drawn() -> None:
    svg = drawn([("zetaroute kpi", "\x1b[32mbetter\x1b[0m & <so>")], title="a title")
    shown = re.sub(r"<[^>]*>", " ", svg).replace("&#160;", " ")
    assert "$ zetaroute kpi" in shown
    assert "better" in shown
    assert "&lt;so&gt;" in shown
    assert "a title" in shown
