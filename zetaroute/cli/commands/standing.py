"""`zetaroute` alone: where you stand, and what to do next."""

from __future__ import annotations

from zetaroute.cli.output import console
from zetaroute.cli.session import Run


def show_standing(run: Run) -> None:
    """Show ten lines at most, each with its label."""
    from rich.text import Text

    from zetaroute.report.terminal import plain
    from zetaroute.setup.overview import overview

    settings = run.settings(quiet=True)
    screen = console()
    with run.working("looking"):
        lines = overview(run.home, settings, run.log())
    for label, words in [
        *lines,
        ("help", "`zetaroute --help` lists the commands"),
    ]:
        screen.print(Text(f"{label:9}", style="bold").append(plain(words), style="not bold"), soft_wrap=True)
