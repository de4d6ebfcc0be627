"""`feedback import` and `feedback export`: judgements that come from elsewhere, and those of the log."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

import typer

from zetaroute.cli.command_table import command_group
from zetaroute.cli.commands.log import export_to
from zetaroute.cli.options import Json
from zetaroute.cli.printing import moment, out, out_json, telling
from zetaroute.cli.session import session
from zetaroute.errors import UsageError

if TYPE_CHECKING:
    from zetaroute.transfer.bulk import Delivery

feedback_group = command_group("feedback")


@feedback_group.command("import")
def import_command(
    context: typer.Context,
    file: str = typer.Argument(
        ..., help="JSON lines or CSV, also packed with gzip or zstd; - for standard input."
    ),
    json: Json = False,
) -> None:
    """Take feedback into the log; what it has already is passed over, so the same file may come twice.

    A line names its answer by outcome_id (or inference_id), or by custom_id with run and model where they are
    needed, and gives metric and value; source (truth, judge, user, implicit), author, time and comment if it
    likes. The latest per answer, metric and author counts. Bad lines go to FILE.errors.jsonl.

    \b
    Examples
      zetaroute feedback import labels.jsonl
      zetaroute feedback import ratings.csv.gz --json
      cat labels.jsonl | zetaroute feedback import -
    """
    from zetaroute.transfer.import_feedback import import_feedback

    if file != "-" and not Path(file).is_file():
        raise UsageError(f"there is no file {file}: name a .jsonl or .csv file, or - for standard input.")
    run = session(context)
    with telling("reading", quiet=run.quiet) as tell:

        def show(progress: Delivery, share: float | None) -> None:
            far = "" if share is None else f" ({100 * share:.0f}%)"
            if tell:
                tell(f"{progress.rows} lines{far}, {progress.added} new")

        done = import_feedback(run.log(), file, on_progress=show)
    if json:
        out_json(done.summary())
    else:
        bad = f", {done.bad_lines} bad lines in {done.errors}" if done.bad_lines else ""
        out(f"{done.added} added, {done.known} known before{bad}")
    if done.rows and done.bad_lines == done.rows:
        raise UsageError(f"no line of {file} could be used: {done.errors} says why.")


@feedback_group.command("export")
def export_command(
    context: typer.Context,
    file: str = typer.Argument("-", help="Where to: .jsonl or .csv, also .gz; - for standard output."),
    since: str | None = typer.Option(None, help="Only feedback from this moment on: 2026-01-31, 7d, 12h."),
    format_: Literal["jsonl", "csv"] | None = typer.Option(
        None, "--format", help="Default: by the file's name, else jsonl."
    ),
) -> None:
    """Write all feedback of the log as lines that `feedback import` reads again.

    \b
    Examples
      zetaroute feedback export labels.jsonl
      zetaroute feedback export --since 7d --format csv > week.csv
    """
    by_name = "csv" if file.removesuffix(".gz").endswith(".csv") else "jsonl"
    export_to(session(context), file, "feedback", form=format_ or by_name, since=moment(since))
