"""`zetaroute` alone: where you stand, and what to do next."""

from __future__ import annotations

from zetaroute.cli.printing import console
from zetaroute.cli.session import Run


def show_standing(run: Run) -> None:
    """Show ten lines at most, each with its label."""
    from rich.table import Table
    from rich.text import Text

    from zetaroute.report.terminal import plain
    from zetaroute.setup.overview import overview

    settings = run.settings(quiet=True)
    with run.working("looking"):
        lines = overview(run.home, settings, run.log())
    grid = Table.grid(padding=(0, 2, 0, 0))
    for label, words in [*lines, ("help", "`zetaroute --help` lists the commands")]:
        grid.add_row(Text(label, style="bold"), Text(plain(words), overflow="fold"))
    console().print(grid)
