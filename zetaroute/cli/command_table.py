"""The commands by name: in which module each stands, and what the list of commands says of it."""

from __future__ import annotations

from collections.abc import Iterable, MutableMapping
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import click
import typer
from typer.core import TyperGroup

_TYPED = click.core.ParameterSource.COMMANDLINE


COMMANDS = {
    "ask": ("ask", "Ask one query: the policy picks a model, the answer is streamed, the outcome is kept."),
    "chat": ("chat", "Ask in turns: a conversation that keeps its model until you choose another."),
    "rate": ("rate", "Rate an answer: that of the last `ask`, or the one with the given id."),
    "batch": ("batch", "Answer every query of a file; run it again to go on where it stopped."),
    "grade": (
        "grade",
        "Grade answers of the log that have a reference, or any answers by a program or a judge of the config.",
    ),
    "retrain": (
        "learn",
        "Promote the challenger that the evidence proves, and learn the next one from all of the log.",
    ),
    "kpi": (
        "learn",
        "Show the key figures: accuracy, satisfaction, response time, cost; with --compare before against after.",
    ),
    "doctor": (
        "doctor",
        "Check config, keys, servers, disk, log and versions, and say how to fix what is wrong.",
    ),
    "bench": ("bench", "Fit on recorded outcomes, route the test rows, and compare with what is simple."),
    "replay": (
        "bench",
        "Play the whole loop on recorded outcomes: only the outcomes of the models that it asks are seen.",
    ),
    "serve": ("serve", "Serve an OpenAI-compatible endpoint over the same policy, log and retraining."),
    "init": ("init", "Write a commented config.toml to start from; an existing one is never touched."),
    "demo": ("demo", "Turn the whole loop on practice models: route, rate, retrain, route again, compare."),
    "feedback": ("feedback", "Feedback in bulk: import it late, in any order and twice, or export it."),
    "policies": (
        "policies",
        "The versions of the policy: list, show, diff, verify, promote, pin, guards, roll back.",
    ),
    "log": ("log", "The outcome log: list, show, import, export and forget."),
    "models": ("models", "The models: list, check and prices."),
    "practice": ("demo", "Practice queries with known answers, for the built-in practice models."),
}
"""In which module a command stands, as `NAME_command` or as the group `NAME_group`, and what it does."""


class CommandGroup(TyperGroup):
    """Commands whose list says the whole of what each does, and which know a command that was nearly named."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command that is named; raise UsageError with the nearest name where there is none."""
        known = self.list_commands(ctx)
        if args and args[0] not in known and not args[0].startswith("-") and not ctx.resilient_parsing:
            from difflib import get_close_matches

            close = get_close_matches(args[0], known, n=1)
            hint = f" (did you mean {close[0]}?)" if close else ""
            if " " in args[0] and "ask" in known:
                hint = " (`zetaroute ask` asks a query)"
            raise click.UsageError(f"there is no command {args[0]!r}{hint}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands, folded and never cut."""
        found = ((name, self.get_command(ctx, name)) for name in self.list_commands(ctx))
        _list(formatter, ((name, one.help or "") for name, one in found if one is not None))


def command_group(name: str) -> typer.Typer:
    """Return the group of this name, without its commands."""
    return typer.Typer(
        cls=CommandGroup, name=name, help=COMMANDS[name][1], no_args_is_help=True, rich_markup_mode=None
    )


def _list(formatter: click.HelpFormatter, rows: Iterable[tuple[str, str]]) -> None:
    with formatter.section("Commands"):
        formatter.write_dl([(name, " ".join(says.partition("\n\n")[0].split())) for name, says in rows])


def _take_global(context: click.Context, option: click.Parameter, value: Any) -> None:
    """Let a global option that stands after the command take the place of the one before it."""
    from zetaroute.cli.session import Run

    run = context.find_object(Run)
    if run is not None and value is not None and context.get_parameter_source(option.name or "") is _TYPED:
        context.obj = replace(run, **{str(option.name): value})


def _with_globals(command: click.Command) -> click.Command:
    """Return the command, and all that are below it, with the global options that the root documents."""
    for name, words, kind in (
        ("home_option", ["--home"], click.Path(path_type=Path)),
        ("config_option", ["--config"], click.Path(path_type=Path)),
        ("quiet", ["--quiet", "-q"], None),
    ):
        command.params.append(
            click.Option(
                [name, *words],
                type=kind,
                is_flag=kind is None,
                expose_value=False,
                hidden=True,
                callback=_take_global,
            )
        )
    for one in command.commands.values() if isinstance(command, click.Group) else ():
        _with_globals(one)
    return command


class LazyCommands(CommandGroup):
    """The commands, each loaded when it is called."""

    def _main_shell_completion(
        self, ctx_args: MutableMapping[str, Any], prog_name: str, complete_var: str | None = None
    ) -> None:
        from zetaroute.cli.completion import mend_bash

        mend_bash()
        super()._main_shell_completion(ctx_args, prog_name, complete_var)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order of the help."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command, its module loaded; None where there is none of this name."""
        if cmd_name in COMMANDS and cmd_name not in self.commands:
            module = import_module(f"zetaroute.cli.commands.{COMMANDS[cmd_name][0]}")
            part = typer.Typer(rich_markup_mode=None)
            if found := getattr(module, f"{cmd_name}_group", None):
                part.add_typer(found)
            else:
                part.command(cmd_name)(getattr(module, f"{cmd_name}_command"))
            self.commands[cmd_name] = _with_globals(typer.main.get_group(part).commands[cmd_name])
        return super().get_command(ctx, cmd_name)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands without loading them."""
        _list(formatter, ((name, says) for name, (_, says) in COMMANDS.items()))
