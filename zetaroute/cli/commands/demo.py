"""`demo` and `practice generate`: the whole loop, and queries, without a model of one's own."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from zetaroute.cli.command_table import command_group
from zetaroute.cli.commands.batch_progress import shown
from zetaroute.cli.printing import console, out
from zetaroute.cli.session import Run, session
from zetaroute.errors import UsageError

if TYPE_CHECKING:
    from rich.console import Console

    from zetaroute.config import Home, Settings
    from zetaroute.setup.demo_loop import Phase

CONCURRENCY = 4

practice_group = command_group("practice")


def demo_command(
    context: typer.Context,
    seed: int = typer.Option(0, min=0, help="Other queries and draws."),
    rows: int = typer.Option(900, min=200, help="Queries before the retrain."),
) -> None:
    """Turn the whole loop on practice models: route, rate, retrain, route again, compare.

    Uses the home when it is empty, else a fresh folder in it. Everything shown is read back from the log that
    it leaves there.
    """
    run = session(context)
    if run.config_option is not None:
        raise UsageError("demo runs on the practice models and takes no --config.")
    _play(run, seed=seed, rows=rows, screen=console())


@practice_group.command("generate")
def generate_command(
    rows: int = typer.Option(1500, min=1, help="How many."),
    seed: int = typer.Option(2026, min=0, help="The same seed gives the same queries."),
    output: Path | None = typer.Option(None, "--output", "-o", help="Default: standard output."),
) -> None:
    """Write practice queries with their true answers as JSON lines.

    \b
    Example
      zetaroute practice generate --rows 500 --seed 7 -o practice.jsonl
    """
    from zetaroute.files.atomic import os_errors
    from zetaroute.practice.generator import generate, json_line

    lines = map(json_line, generate(rows=rows, seed=seed))
    if output is None:
        for line in lines:
            out(line)
        return
    with (
        os_errors(f"cannot write {output}", "name another with -o.", UsageError),
        open(output, "w", encoding="utf-8", newline="\n") as file,
    ):
        file.writelines(line + "\n" for line in lines)
    out(f"wrote {rows} queries to {output}")


def _play(run: Run, *, seed: int, rows: int, screen: Console) -> None:
    """Play the demo and show it."""
    from zetaroute.config import default_config_text, parse_settings
    from zetaroute.report.kpi_report import compare_report
    from zetaroute.report.retrain_report import retrain_report
    from zetaroute.report.terminal import show_report
    from zetaroute.setup.demo_loop import Phase, before_and_after, demo_home, learn

    settings = parse_settings(default_config_text(), file=None)
    home = demo_home(run.home)
    home.make()
    run.note("practice models answer: small built-in programs, not language models; ratings are simulated")
    out(
        f"1. {rows} queries with the cold-start policy: all models are asked, so that there is something to learn"
    )
    _route(run, home, settings, Phase(name="before", rows=rows, seed=2 * seed), screen)
    out("\n2. retrain: play the queries through, each judged by what was learned before it")
    with run.working("fitting"):
        done = learn(home, settings, seed=seed)
    show_report(screen, retrain_report(done.json()))
    serving = done.serves
    beside = ", and half of them with the policy before, as a test for harm" if done.promoted else ""
    out(f"\n3. {rows} new queries with {serving}{beside}")
    _route(run, home, settings, Phase(name="after", rows=rows, seed=2 * seed + 1), screen)
    if not done.promoted:
        out(
            "\nnothing was promoted, so there is no before and after; the reasons are above and in the report:"
        )
        out(str(done.report))
        return
    out("\n4. before against after, from the log")
    result, report = before_and_after(home, settings)
    show_report(screen, compare_report(result))
    out(f"\nreports: {done.report}\n         {report}")
    out(f"look around: zetaroute --home {home.path} log list")


def _route(run: Run, home: Home, settings: Settings, phase: Phase, screen: Console) -> None:
    from zetaroute.setup.demo_loop import play_phase

    with shown(phase.rows, quiet=run.quiet) as advance:
        progress = asyncio.run(
            play_phase(home, settings, phase, concurrency=CONCURRENCY, on_progress=advance)
        )
    shares = ", ".join(
        f"{model} {100 * count / max(progress.answered, 1):.0f}%"
        for model, count in sorted(progress.share.items())
    )
    accuracy = "-" if progress.accuracy is None else f"{100 * progress.accuracy:.1f}%"
    out(f"   {progress.answered} answered, accuracy {accuracy}, ${progress.cost_usd:.4f}; {shares}")
