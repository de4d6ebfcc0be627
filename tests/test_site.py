"""The documentation site: the page of commands says all that there is, and every page is in the site's menu."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from scripts.reference import reference

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def page() -> str:
    return reference()


@pytest.fixture(scope="module")
def commands() -> dict[str, click.Command]:
    """Every command by the words that call it."""
    with warnings.catch_warnings():
        # typer asks click for names that click 9 will not have; that is between the two of them.
        warnings.simplefilter("ignore", DeprecationWarning)
        import typer

        from zetaroute.cli.app import app

        return dict(below(typer.main.get_command(app), "zetaroute"))


def below(command: click.Command, path: str) -> Iterator[tuple[str, click.Command]]:
    yield path, command
    context = click.Context(command)
    for name in command.list_commands(context) if isinstance(command, click.Group) else ():
        one = command.get_command(context, name) if isinstance(command, click.Group) else None
        assert one is not None
        yield from below(one, f"{path} {name}")


def test_every_command_and_option_is_on_the_page(page: str, commands: dict[str, click.Command]) -> None:
    sections = dict(re.findall(r"^##+ (zetaroute.*)\n((?:(?!^##).*\n?)*)", page, re.MULTILINE))
    assert sections.keys() == commands.keys()
    for path, command in commands.items():
        for option in (one for one in command.params if isinstance(one, click.Option) and not one.hidden):
            for name in option.opts:
                assert f"`{name}`" in sections[path], f"{path} {name}"


def test_examples_are_blocks_of_their_own(page: str) -> None:
    assert "**Examples**\n\n```sh\nzetaroute retrain\n" in page
    assert "\b" not in page


def test_every_page_is_in_the_menu() -> None:
    menu = (ROOT / "mkdocs.yml").read_text("utf-8").partition("\nnav:\n")[2]
    named = set(re.findall(r"[\w-]+\.md", menu))
    pages = {path.name for path in (ROOT / "docs").rglob("*.md")}
    assert named == pages | {"commands.md", "CHANGELOG.md", "CONTRIBUTING.md"}


def test_every_page_is_linked_from_the_readme_or_another_page() -> None:
    pages = [path for path in (ROOT / "docs").rglob("*.md") if path.name != "index.md"]
    texts = "".join(path.read_text("utf-8") for path in [ROOT / "README.md", *pages])
    assert [path.name for path in pages if not re.search(rf"{path.name}[)#]", texts)] == []
