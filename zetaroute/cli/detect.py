"""What `init --detect` says of what it finds, and what an import of prices says.

Apart from the commands so that `init` stays a command: parse, build, call, render.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from zetaroute.cli.render import out

if TYPE_CHECKING:
    from zetaroute.cli.context import Session
    from zetaroute.flows.detect import Server
    from zetaroute.flows.prices import Import


def propose(run: Session, *, preset: str | None, addresses: Sequence[str]) -> str:
    """Look around, say what was found, and return the config that is made of it."""
    import asyncio
    import os

    from zetaroute.config import parse_settings, read_prices
    from zetaroute.flows.detect import PLACES, detect, places_at
    from zetaroute.flows.hosted import services_open
    from zetaroute.flows.proposal import proposed_config
    from zetaroute.report.terminal import plain

    servers = asyncio.run(detect((*PLACES, *places_at(addresses))))
    services = services_open(os.environ)
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


def price(run: Session, file: Path) -> None:
    """Import prices for the config that was just written."""
    from zetaroute.flows.prices import import_prices

    tell_import(run, import_prices(run.home, run.settings(quiet=True).arms, file))


def tell_import(run: Session, done: Import) -> None:
    """Say what an import of prices did for each model."""
    run.note(f"imported the prices of {len(done.found)} models into {run.home.prices}")
    for model, imported in done.found.items():
        run.note(f"{model} is priced as {imported.listed}")
    for model, names in done.ambiguous.items():
        some = ", ".join(names[:4]) + (", ..." if len(names) > 4 else "")
        run.note(f"{model} is left out: {some} differ in price; give it a price in the config")
    for model in done.unlisted:
        run.note(f"{model} is left out: the list does not name it; give it a price in the config")
    for model in done.own:
        run.note(f"{model} keeps the price that the config gives")


def _found(server: Server) -> str:
    place = server.place
    if not server.answers:
        return f"{place.name}: nobody answers at {place.base_url}"
    if server.error is not None:
        told = f"{place.name}: something answers at {place.base_url}, but lists no models ({server.error})"
        wanted = f"; if it is {place.name}, put its key into {place.keys[0]}" if place.keys else ""
        return told if server.key else told + wanted
    names = (*server.chat, *server.embedding)
    if not names:
        return f"{place.name}: it runs at {place.base_url} and has no model yet"
    key = f", with the key of {server.key}" if server.key else ""
    return f"{place.name}: {', '.join(names)} at {place.base_url}{key}"
