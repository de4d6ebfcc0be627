"""`models`: what is configured, what it costs, and whether it answers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import typer

from zetaroute.cli import completion as complete
from zetaroute.cli.command_table import command_group
from zetaroute.cli.commands.init import tell_import
from zetaroute.cli.options import Json
from zetaroute.cli.printing import console, out, out_json
from zetaroute.cli.session import session

NO_ANSWER = 3

models_group = command_group("models")


@models_group.command("list")
def list_command(context: typer.Context, json: Json = False) -> None:
    """List the models: state, share of the latest queries, figures of their latest rows, price and priors.

    \b
    States
      onboarding   fewer than 100 graded answers: newcomers share 10% of the queries; then it competes as any other
      active       routed by what was learned
      demoted      by a guard, which is named with its bound
      cooling      failing, and left alone until the moment that is named, or until `models check` reaches it
      no key       its variable is not set
    """
    from zetaroute.analysis.model_table import model_table, state_notes
    from zetaroute.report.models_table import models_table
    from zetaroute.report.terminal import plain, show_table
    from zetaroute.router.router import open_router

    run = session(context)
    rows = model_table(open_router(run.home, run.settings()), run.log())
    if json:
        out_json(rows)
        return
    screen = console()
    show_table(screen, models_table(rows))
    for note in state_notes(rows):
        screen.print(plain(note), markup=False, highlight=False)


@models_group.command("check")
def check_command(
    context: typer.Context,
    model: str | None = typer.Option(
        None, "--model", "-m", autocompletion=complete.models, help="Only this model."
    ),
    json: Json = False,
) -> None:
    """Call each model once with a tiny prompt; exit code 3 when none answers. Nothing enters the log.

    A model that was left alone because it failed takes part again as soon as it answers here.

    \b
    Examples
      zetaroute models check
      zetaroute models check -m ollama/llama3.2:3b --json
    """
    import asyncio
    import time

    from zetaroute.analysis.model_table import MOST_TOKENS, check
    from zetaroute.log.standings import end_cooldowns

    run = session(context)
    settings = run.settings()
    with run.working("calling"):
        checks = asyncio.run(check((settings.arm(model),) if model else settings.arms))
    end_cooldowns(run.home, [one.model for one in checks if one.error is None], now_s=time.time())
    if json:
        out_json([one.json() for one in checks])
    else:
        for one in checks:
            answered = (
                _answered(one.json()) if one.completion else f"reached; no word within {MOST_TOKENS} tokens"
            )
            out(f"error {one.error}" if one.error else f"ok    {one.model}: {answered}")
    if all(one.error for one in checks):
        raise typer.Exit(NO_ANSWER)


@models_group.command("prices")
def prices_command(
    context: typer.Context,
    file: Path | None = typer.Option(
        None, "--import", help="A price list: LiteLLM's model_prices_and_context_window.json."
    ),
    json: Json = False,
) -> None:
    """Show where each price comes from: config, prices.toml, or unknown; --import fills in what is missing.

    \b
    Example
      zetaroute models prices --import model_prices_and_context_window.json
    """
    from zetaroute.config import load_settings
    from zetaroute.report.models_table import or_dash
    from zetaroute.report.tables import listed, number
    from zetaroute.report.terminal import show_table
    from zetaroute.setup.import_prices import import_prices, price_table

    run = session(context)
    settings = run.settings()
    if file is not None:
        tell_import(run, import_prices(run.home, settings.arms, file))
        # What was read before lacks the prices that came in.
        settings = load_settings(run.config_option, run.home.config)
    rows = price_table(settings.arms)
    if json:
        out_json(rows)
        return
    shown = listed(
        rows,
        ("model", lambda row: row["model"]),
        (number("$/1M input"), lambda row: or_dash(row["input"])),
        (number("cached input"), lambda row: or_dash(row["cached_input"])),
        (number("output"), lambda row: or_dash(row["output"])),
        ("from", lambda row: row["source"]),
    )
    show_table(console(), shown)


def _answered(check: dict[str, Any]) -> str:
    """Return time, tokens and cost of a call, and which model answered it where that is another name."""
    from zetaroute.report.figure_words import amount
    from zetaroute.report.models_table import or_dash
    from zetaroute.report.terminal import plain

    about = "about " if check["tokens_estimated"] else ""
    tokens = f"{about}{or_dash(check['input_tokens'])} tokens in, {or_dash(check['output_tokens'])} out"
    cost = "cost unknown" if check["cost_usd"] is None else amount(check["cost_usd"], "usd")
    served = f", served as {plain(check['served_model'])}" if check["served_model"] else ""
    return f"{check['response_s']:.2f} s, {tokens}, {cost}{served}"
