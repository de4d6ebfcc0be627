"""`serve`: the same loop behind an OpenAI-compatible endpoint."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from typing import TYPE_CHECKING

import typer

from zetaroute.cli.printing import say
from zetaroute.cli.session import session
from zetaroute.errors import StoreError, UsageError, ZetarouteError

if TYPE_CHECKING:
    from zetaroute.config import Serving
    from zetaroute.serve.admission import Admission

SHORTEST_TOKEN = 16
INTERRUPTED = 130


def serve_command(
    context: typer.Context,
    host: str | None = typer.Option(
        None, help="Listen here; any but the loopback needs a token. [127.0.0.1]"
    ),
    port: int | None = typer.Option(None, min=0, max=65535, help="0 takes a free one and says which. [8642]"),
    token_env: str | None = typer.Option(
        None, metavar="NAME", help="Ask every request for the token in this variable."
    ),
    workers: int = typer.Option(1, min=1, max=64, help="Processes on the one home."),
    log_requests: bool = typer.Option(
        False, "--log-requests", help="Write a line for every answer, with its ids, to standard error."
    ),
) -> None:
    """Serve an OpenAI-compatible endpoint over the same policy, log and retraining.

    Clients need another base URL alone: http://127.0.0.1:8642/v1 with the model `auto`. The page at / shows
    what happens.

    \b
    Examples
      zetaroute serve
      zetaroute serve --port 9000 --workers 2
      ZR_TOKEN=... zetaroute serve --host 0.0.0.0 --token-env ZR_TOKEN
    """
    try:
        from zetaroute.analysis.dashboard import Dashboard
        from zetaroute.serve.app import Offer
        from zetaroute.serve.supervisor import listen, serve
    except ImportError as error:
        raise ZetarouteError(
            f"serve needs {error.name}, which is not installed: `pip install 'zetaroute[serve]'` brings it."
        ) from error

    run = session(context)
    settings = run.settings()
    serving = settings.serving
    place = host or serving.host
    admission = _admission(serving, place, token_env)
    run.home.make()
    listener = listen(place, serving.port if port is None else port)
    bound = listener.getsockname()[1]
    say(f"zetaroute serves http://{f'[{place}]' if ':' in place else place}:{bound}/v1 (Ctrl-C stops)")
    try:
        offer = Offer(
            home=run.home,
            settings=settings,
            admission=admission,
            dashboard=Dashboard(),
            quiet=run.quiet,
            log_requests=log_requests,
        )
        came = serve(offer, listener, workers=workers)
    finally:
        listener.close()
        with suppress(StoreError):
            run.log().merge(patience_s=2.0)
    if came == signal.SIGINT:
        raise typer.Exit(INTERRUPTED)


def _admission(serving: Serving, host: str, token_env: str | None) -> Admission:
    from zetaroute.serve.admission import LOOPBACK, Admission, hashed

    token_sha256 = serving.token_sha256
    if token_env is not None:
        token = os.environ.get(token_env, "").strip()
        if len(token) < SHORTEST_TOKEN:
            raise UsageError(
                f"the variable {token_env} must hold a token of at least {SHORTEST_TOKEN} characters: "
                "`openssl rand -hex 24` makes one."
            )
        token_sha256 = hashed(os.fsencode(token))
    local = host.strip("[]") in {name.strip("[]") for name in LOOPBACK}
    if not local and token_sha256 is None:
        raise UsageError(
            f"{host} can be reached by others: name a variable that holds a token with --token-env, "
            "or set token_sha256 in [serve]."
        )
    # Without a token, a foreign page could come in under a name of its own that leads here.
    hosts = (
        () if token_sha256 is not None and not serving.hosts else (*LOOPBACK, *serving.hosts, host.lower())
    )
    return Admission(token_sha256=token_sha256, hosts=hosts, max_requests=serving.max_requests)
