"""`init`, `demo` and `practice generate`: the first minutes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from zetaroute.cli.context import session
from zetaroute.cli.render import console, out
from zetaroute.errors import UsageError

practice = typer.Typer(
    name="practice",
    help="Practice queries with known answers, for the built-in practice models.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


def add_to(app: typer.Typer) -> None:
    """Add these commands to the command line."""
    app.command("init")(init_command)
    app.command("demo")(demo_command)
    app.add_typer(practice)


def init_command(
    context: typer.Context,
    preset: Annotated[str | None, typer.Option("--preset", help="quality, balanced, cheap or fast.")] = None,
) -> None:
    """Write a commented config.toml to start from; an existing one is never touched.

    \b
    Examples
      zetaroute init
      zetaroute init --preset cheap
    """
    from zetaroute.flows.start import write_config

    home = session(context).home
    written = write_config(home, preset=preset)
    out(
        f"wrote {written}: edit it to connect your models, then `zetaroute ask --dry-run hello` shows a decision."
    )


def demo_command(
    context: typer.Context,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Other queries and draws.")] = 0,
    rows: Annotated[int, typer.Option("--rows", min=400, help="Queries before the retrain.")] = 2400,
) -> None:
    """Turn the whole loop on practice models: route, rate, retrain, route again, compare.

    Uses the home when it is empty, else a fresh folder in it. Everything shown is read back from the log that
    it leaves there.
    """
    from zetaroute.cli.demo import play_demo

    run = session(context)
    if run.config_option is not None:
        raise UsageError("demo runs on the practice models and takes no --config.")
    play_demo(run, seed=seed, rows=rows, screen=console())


@practice.command("generate")
def generate_command(
    rows: Annotated[int, typer.Option("--rows", min=1, help="How many.")] = 1500,
    seed: Annotated[int, typer.Option("--seed", min=0, help="The same seed gives the same queries.")] = 2026,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Default: standard output.")] = None,
) -> None:
    """Write practice queries with their true answers as JSON lines.

    \b
    Example
      zetaroute practice generate --rows 500 --seed 7 -o practice.jsonl
    """
    from zetaroute.flows.start import practice_lines

    lines = practice_lines(rows=rows, seed=seed)
    if output is None:
        for line in lines:
            out(line)
        return
    try:
        with open(output, "w", encoding="utf-8", newline="\n") as file:
            file.writelines(line + "\n" for line in lines)
    except OSError as error:
        raise UsageError(f"cannot write {output} ({error.strerror}): name another with -o.") from error
    out(f"wrote {rows} queries to {output}")
