"""The page of all commands, made from the command line itself, so that it never says anything else.

`python -m scripts.reference` writes it to standard output; the site makes it anew at every build.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator

import click

_HEAD = """# Commands

Made from the program itself: what `--help` says, on one page. [Start here](start-here.md) shows them at work.
"""
_VERBATIM = "\b"
"""What click begins a paragraph with that is not to be folded."""


def reference() -> str:
    """Return the page in Markdown: every command with its arguments, options and examples."""
    parts = [part for path, command in command_tree() for part in _command(path, command)]
    return _HEAD + "\n" + "\n\n".join(parts) + "\n"


def command_tree() -> list[tuple[str, click.Command]]:
    """Return the program and every command in it, each with the words that call it."""
    with warnings.catch_warnings():
        # typer asks click for names that click 9 will not have; that is between the two of them.
        warnings.simplefilter("ignore", DeprecationWarning)
        import typer

        from zetaroute.cli.app import app

        return list(_commands(typer.main.get_command(app), "zetaroute"))


def _commands(command: click.Command, path: str) -> Iterator[tuple[str, click.Command]]:
    """Yield a command and those under it, each with the words that call it."""
    yield path, command
    if isinstance(command, click.Group):
        context = click.Context(command, info_name=path)
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            if below is not None and not below.hidden:
                yield from _commands(below, f"{path} {name}")


def _command(path: str, command: click.Command) -> Iterator[str]:
    yield f"{'##' if path.count(' ') < 2 else '###'} {path}"
    context = click.Context(command, info_name=path)
    pieces = " ".join(command.collect_usage_pieces(context))
    yield f"```text\n{path} {pieces}\n```"
    yield from _paragraphs(command.help or "")
    rows = [row for parameter in command.params if (row := _row(parameter, context))]
    if rows:
        yield "\n".join(("| name | value | what it does |", "|---|---|---|", *rows))


def _paragraphs(text: str) -> Iterator[str]:
    for paragraph in text.split("\n\n"):
        lines = [line for line in paragraph.splitlines() if line.strip() != _VERBATIM]
        if len(lines) == len(paragraph.splitlines()):
            yield " ".join(line.strip() for line in lines)
            continue
        title, *examples = lines
        yield f"**{title.strip()}**"
        yield "```sh\n" + "\n".join(line.removeprefix("  ") for line in examples) + "\n```"


def _row(parameter: click.Parameter, context: click.Context) -> str | None:
    """Return the line of a table: names, what may stand there, what it does; None for a hidden one."""
    if getattr(parameter, "hidden", False):
        return None
    told = getattr(parameter, "help", None) or ""
    if isinstance(parameter, click.Argument):
        return _cells(f"`{parameter.make_metavar(context)}`", "", told)
    names = ", ".join(f"`{name}`" for name in (*parameter.opts, *parameter.secondary_opts))
    flag = isinstance(parameter, click.Option) and parameter.is_flag
    kind = "" if flag else f"`{parameter.make_metavar(context)}`"
    default = parameter.default
    if not flag and isinstance(default, str | int | float) and default != "":
        told += f" Default: `{default}`."
    return _cells(names, kind, told)


def _cells(*cells: str) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


if __name__ == "__main__":
    sys.stdout.write(reference())
