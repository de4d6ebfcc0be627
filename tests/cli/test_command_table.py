"""The list of commands says what the commands say of themselves."""

from __future__ import annotations

import warnings
from pathlib import Path

import click
import pytest

from tests.cli.command import ok

with warnings.catch_warnings():
    # typer asks click for names that click 9 will not have; that is between the two of them.
    warnings.simplefilter("ignore", DeprecationWarning)
    import typer

    from zetaroute.cli.app import app
    from zetaroute.cli.command_table import COMMANDS


@pytest.fixture(scope="module")
def whole() -> click.Group:
    command = typer.main.get_command(app)
    assert isinstance(command, click.Group)
    return command


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_is_where_it_is_said_to_be_and_does_what_is_said(whole: click.Group, name: str) -> None:
    command = whole.get_command(click.Context(whole), name)
    assert command is not None
    assert command.name == name
    assert command.get_short_help_str(10_000) == COMMANDS[name][1]


def test_every_command_of_a_module_is_listed(whole: click.Group) -> None:
    for name in COMMANDS:
        whole.get_command(click.Context(whole), name)
    assert set(whole.commands) == set(COMMANDS)


def test_an_unknown_command_is_none(whole: click.Group) -> None:
    assert whole.get_command(click.Context(whole), "route") is None


def test_global_options_may_stand_after_the_command(tmp_path: Path) -> None:
    before, after = tmp_path / "before", tmp_path / "after"
    assert ok(before, "ask", "What is 2 + 3?", "--home", str(after), "-q").err == ""
    assert not before.exists()
    assert ok(before, "policies", "list", "--home", str(after), "--json").json
