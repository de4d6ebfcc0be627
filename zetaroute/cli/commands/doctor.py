"""`doctor`: what is wrong with this installation, and how to fix it."""

from __future__ import annotations

import typer

from zetaroute.cli.options import Json
from zetaroute.cli.printing import console, out, out_json
from zetaroute.cli.session import session

FAILED = 1


def doctor_command(
    context: typer.Context,
    calls: bool = typer.Option(
        False, "--calls", help="Ask an embedding endpoint for one vector even if that costs."
    ),
    json: Json = False,
) -> None:
    """Check config, keys, servers, disk, log and versions, and say how to fix what is wrong.

    No model is asked and nothing is spent. Exit code 0 when nothing is wrong, 1 otherwise.

    \b
    Examples
      zetaroute doctor
      zetaroute doctor --json | jq '.checks[] | select(.level != "ok")'
    """
    from zetaroute.setup.doctor import examine

    run = session(context)
    with run.working("looking"):
        found = examine(run.home, run.config_option, calls=calls)
    counts = {level: sum(one.level == level for one in found) for level in ("ok", "warn", "wrong")}
    if json:
        out_json({**counts, "checks": [one.json() for one in found]})
    else:
        from zetaroute.report.terminal import show_diagnoses

        show_diagnoses(console(), [one.json() for one in found])
        out(f"{counts['ok']} ok, {counts['warn']} to look at, {counts['wrong']} wrong")
    if counts["wrong"]:
        raise typer.Exit(FAILED)
