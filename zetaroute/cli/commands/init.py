"""`init`: a config to start from."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from zetaroute.cli.options import Preset
from zetaroute.cli.printing import out, say
from zetaroute.cli.session import session
from zetaroute.errors import UsageError

if TYPE_CHECKING:
    from zetaroute.cli.session import Run
    from zetaroute.domain import Prices
    from zetaroute.setup.detect import Server
    from zetaroute.setup.import_prices import Import

DECLINED = 1


def init_command(
    context: typer.Context,
    preset: Preset | None = typer.Option(None, help="What matters most."),
    detect: bool = typer.Option(
        False, "--detect", help="Look for servers on this machine and for known key variables."
    ),
    server: list[str] | None = typer.Option(
        None, help="With --detect: look at this address too; may be given several times."
    ),
    prices: Path | None = typer.Option(
        None, help="With --detect: a price list, as for `models prices --import`."
    ),
    yes: bool = typer.Option(False, "--yes", "-y", help="With --detect: write without asking."),
) -> None:
    """Write a commented config.toml to start from; an existing one is never touched.

    With --detect it is made of what is found: Ollama, llama.cpp, vLLM, LM Studio and LiteLLM at their usual ports on
    this machine, and keys in the environment, which are known by name and never shown.

    \b
    Examples
      zetaroute init
      zetaroute init --preset cheap
      zetaroute init --detect
      zetaroute init --detect --yes --server http://127.0.0.1:9000/v1
    """
    from zetaroute.setup.write_config import check_no_config, default_config, write_config

    run = session(context)
    if not detect:
        if server or prices or yes:
            raise UsageError("--server, --prices and --yes belong to --detect: give that too.")
        written = write_config(run.home, default_config(preset=preset))
        out(
            f"wrote {written}: edit it to connect your models, then `zetaroute ask --dry-run hello` shows a "
            "decision."
        )
        return

    check_no_config(run.home)
    text = _propose(run, preset=preset, addresses=server or ())
    if not (yes or _agrees(f"write {run.home.config}?")):
        say("nothing was written.")
        raise typer.Exit(DECLINED)
    written = write_config(run.home, text)
    if prices is not None:
        from zetaroute.setup.import_prices import import_prices

        tell_import(run, import_prices(run.home, run.settings(quiet=True).arms, prices))
    out(f"wrote {written}: `zetaroute doctor` checks it, `zetaroute ask hello` asks the first query.")


def _agrees(question: str) -> bool:
    import click

    try:
        agrees = typer.confirm(question, err=True)
    except click.Abort:
        say("")
        raise UsageError("nothing was written: give --yes where no person can be asked.") from None
    if not sys.stdin.isatty():
        say("")
    return agrees


def _propose(run: Run, *, preset: str | None, addresses: Sequence[str]) -> str:
    """Look around, say what was found, and return the config that is made of it."""
    import asyncio
    import os

    from zetaroute.config import parse_settings, read_prices
    from zetaroute.report.terminal import plain
    from zetaroute.setup.detect import PLACES, detect, places_at
    from zetaroute.setup.propose import proposed_config
    from zetaroute.setup.services import available_services

    with run.working("looking for servers"):
        servers = asyncio.run(detect((*PLACES, *places_at(addresses))))
    services = available_services(os.environ)
    for server in servers:
        out(plain(_found(server)))
    for service in services:
        out(f"{service.key} is set: {service.name} can be asked")
    if not services:
        out("no variable of a known service is set")
    text = proposed_config(servers, services, preset=preset, priced=read_prices(run.home.prices))
    models = [arm.id for arm in parse_settings(text, file=None).arms]
    out(plain(f"the config would name {len(models)}: {', '.join(models)}"))
    return text


def tell_import(run: Run, done: Import) -> None:
    """Say what an import of prices did for each model."""
    run.note(f"imported the prices of {len(done.found)} models into {run.home.prices}")
    for model, imported in done.found.items():
        run.note(f"{model} is priced as {imported.listed}{_terms(imported.prices)}")
    for model, terms in done.unpriced.items():
        run.note(
            f"{model}: {', '.join(terms)} of the list is not counted: such calls cost more or less than logged"
        )
    for model, names in done.ambiguous.items():
        some = ", ".join(names[:4]) + (", ..." if len(names) > 4 else "")
        run.note(f"{model} is left out: {some} differ in price; give it a price in the config")
    for model in done.unlisted:
        run.note(f"{model} is left out: the list does not name it; give it a price in the config")
    for model in done.own:
        run.note(f"{model} keeps the price that the config gives")


def _terms(prices: Prices) -> str:
    """Return in words what of an imported price depends on the call."""
    words = [f"above {tier.tokens:,} tokens of input it is more expensive" for tier in prices.above]
    if prices.cache_write is not None:
        words.append("cache writes have a price")
    if prices.reasoning is not None:
        words.append("reasoning has a price")
    return f" ({', '.join(words)})" if words else ""


def _found(server: Server) -> str:
    place = server.place
    at = "" if place.base_url in place.name else f" at {place.base_url}"
    if not server.answers:
        return f"{place.name}: no server answers{at}"
    if server.error is not None:
        reason = server.error.removeprefix(f"{place.name}: ")
        told = f"{place.name}: something answers{at}, but lists no models ({reason})"
        wanted = f"; if it is {place.name}, put its key into {place.keys[0]}" if place.keys else ""
        return told if server.key else told + wanted
    names = (*server.chat, *server.embedding)
    if not names:
        return f"{place.name}: it runs{at} and has no model yet"
    key = f", with the key of {server.key}" if server.key else ""
    return f"{place.name}: {', '.join(names)} at {place.base_url}{key}"
