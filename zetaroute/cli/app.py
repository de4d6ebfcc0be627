"""The command line: global options, the commands, and how errors become exit codes.

Commands are thin: parse, build, call, render, exit code. Nothing heavy is imported before a command needs it.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from zetaroute.cli.command_table import LazyCommands
from zetaroute.cli.printing import lost, say
from zetaroute.cli.session import Run
from zetaroute.errors import ZetarouteError

if TYPE_CHECKING:
    import click

LOST = 1

app = typer.Typer(
    cls=LazyCommands,
    name="zetaroute",
    help="Route queries to language models, and learn from every answer which model to ask.",
    invoke_without_command=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    suggest_commands=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        from zetaroute.version import __version__

        typer.echo(f"zetaroute {__version__}")
        raise typer.Exit


@app.callback()
def root(
    context: typer.Context,
    home: Path | None = typer.Option(
        None, help="Folder with config, log and artifacts.", envvar="ZETAROUTE_HOME"
    ),
    config: Path | None = typer.Option(None, help="Use this config.toml."),
    quiet: bool = typer.Option(False, "--quiet", "-q", help="Say nothing beside the answer."),
    _: bool = typer.Option(False, "--version", callback=_version, is_eager=True, help="Show the version."),
) -> None:
    """Route queries to language models, and learn from every answer which model to ask.

    Without a command it says where you stand and what to do next.
    --home, --config and --quiet may stand before or after the command.

    \b
    Examples
      zetaroute                             where you stand, and what to do next
      zetaroute demo                        see the whole loop on practice models
      zetaroute ask "What is 17 * 23?"      ask one query
      zetaroute chat                        ask in turns
      zetaroute batch queries.jsonl         ask many
      zetaroute rate up                     say how the last answer was
      zetaroute retrain                     learn from the log
      zetaroute kpi --compare               before against after
      zetaroute serve                       the same for programs, as an OpenAI-compatible endpoint
    """
    context.obj = run = Run(home_option=home, config_option=config, quiet=quiet)
    if context.invoked_subcommand is None:
        from zetaroute.cli.commands.standing import show_standing

        show_standing(run)


def main() -> None:
    """Run the command line and leave with the exit code of the contract."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Run one command and return the exit code of the contract."""
    code, unwritten = _run(arguments), lost()
    return code or (LOST if unwritten else 0)


def _run(arguments: list[str]) -> int:
    import click

    try:
        result = app(arguments, prog_name="zetaroute", standalone_mode=False)
    except ZetarouteError as error:
        say(f"error: {error}")
        return error.exit_code
    except click.ClickException as error:
        say(_usage_words(error))
        return 2
    except OSError as error:
        what = f"use {error.filename}" if error.filename else "write what was asked for"
        say(f"error: cannot {what} ({error.strerror or error}): make room or give the right, and ask again.")
        return 1
    except (KeyboardInterrupt, click.Abort):
        say("interrupted: what was answered until now is kept.")
        return 130
    except SystemExit as left:
        # click leaves with 1 when the reader of its help has gone, and has already quietened standard output.
        return 0 if type(sys.stdout).__name__ == "PacifyFlushWrapper" else int(left.code or 0)
    return result if isinstance(result, int) else 0


def _usage_words(error: click.ClickException) -> str:
    """Return what to say of a line that is no command; a group by itself is answered with its help."""
    from click.exceptions import NoArgsIsHelpError

    if isinstance(error, NoArgsIsHelpError):
        return error.format_message()
    told = error.format_message().rstrip(".")
    context = getattr(error, "ctx", None)
    path = context.command_path if context else "zetaroute"
    return f"error: {told}{' See' if told.endswith('?') else ': see'} `{path} --help`."
