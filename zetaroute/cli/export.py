"""`log export`: the log for other tools, as tables, lines or training rows.

Apart from the other commands of `log` because of its own reason to change: the shapes that others read.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from zetaroute.cli.context import session
from zetaroute.cli.render import write
from zetaroute.errors import UsageError

if TYPE_CHECKING:
    from zetaroute.flows.exports import Format, Kind

FORMATS = ("parquet", "jsonl", "csv", "rows")
_ENDINGS = {".jsonl": "jsonl", ".ndjson": "jsonl", ".csv": "csv"}


def export_command(
    context: typer.Context,
    to: Annotated[
        str,
        typer.Option("--to", help="Parquet: a folder, or s3://bucket/path; else a file, also .gz, or -."),
    ],
    since: Annotated[
        str | None, typer.Option("--since", help="Only since this moment: 2026-01-31, 7d, 12h.")
    ] = None,
    host: Annotated[
        str | None, typer.Option("--host", help="Parquet: the folder of this machine; default: its name.")
    ] = None,
    format_: Annotated[
        str | None,
        typer.Option(
            "--format", help="parquet, jsonl, csv, or rows (what routers train on); else by the name."
        ),
    ] = None,
) -> None:
    """Write the log for other tools; `retrain --from` reads the Parquet back, `log import` the lines.

    parquet is everything, in folders by day and host. jsonl and csv have a line per attempt with its figures and
    judgements, without the other candidates. rows are the graded attempts whose text is kept, as JSON lines
    {"query", "model_name", "performance", "response_time", "category"}.

    \b
    Examples
      zetaroute log export --to /shared/zetaroute
      zetaroute log export --to s3://bucket/zetaroute --since 7d
      zetaroute log export --to week.csv --since 7d
      zetaroute log export --format rows --to training.jsonl
      zetaroute log export --format jsonl --to - | head
    """
    from zetaroute.cli.moments import moment
    from zetaroute.flows.exports import export_file, export_lines
    from zetaroute.flows.leftovers import note_export

    run, chosen = session(context), _format(format_, to)
    if chosen == "parquet":
        from zetaroute.flows.export import export

        done = export(run.log(), to, host=host, since=moment(since))
        run.note(f"wrote {done.rows} rows in {done.files} files under {done.folder}")
        return
    if host is not None:
        raise UsageError(
            "--host names a folder of the Parquet export: leave it out, or use --format parquet."
        )
    form: Format = "csv" if chosen == "csv" else "jsonl"
    kind: Kind = "rows" if chosen == "rows" else "rounds"
    if to == "-":
        for piece in export_lines(run.log(), form=form, since=moment(since), kind=kind):
            write(piece)
        return
    export_file(run.log(), Path(to), form=form, since=moment(since), kind=kind)
    note_export(run.log(), Path(to))
    run.note(f"the log is in {to}")


def _format(name: str | None, to: str) -> str:
    if name is None:
        return _ENDINGS.get(Path(to.removesuffix(".gz")).suffix, "parquet")
    if name not in FORMATS:
        raise UsageError(f"--format is {name!r}: choose {', '.join(FORMATS)}.")
    return name
