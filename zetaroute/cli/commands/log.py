"""`log`: look at what was asked, answered and decided, and forget it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from zetaroute.cli import completion as complete
from zetaroute.cli.command_table import command_group
from zetaroute.cli.options import Json
from zetaroute.cli.printing import console, moment, out, out_json, say, telling, write
from zetaroute.cli.session import Run, session
from zetaroute.errors import UsageError

if TYPE_CHECKING:
    from zetaroute.forget.forget import Forgotten
    from zetaroute.transfer.export import Kind
    from zetaroute.transfer.import_logs import ImportSummary


log_group = command_group("log")
FORMATS = ("parquet", "jsonl", "csv", "rows")
_ENDINGS = {".jsonl": "jsonl", ".ndjson": "jsonl", ".csv": "csv"}


@log_group.command("export")
def export_command(
    context: typer.Context,
    to: str = typer.Option(..., help="Parquet: a folder, or s3://bucket/path; else a file, also .gz, or -."),
    since: str | None = typer.Option(None, help="Only since this moment: 2026-01-31, 7d, 12h."),
    host: str | None = typer.Option(None, help="Parquet: the folder of this machine; default: its name."),
    format_: str | None = typer.Option(
        None, "--format", help="parquet, jsonl, csv, or rows (what routers train on); else by the name."
    ),
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
    run, chosen = session(context), _format(format_, to)
    if chosen == "parquet":
        from zetaroute.transfer.export import export

        with run.working("writing the log"):
            done = export(run.log(), to, host=host, since=moment(since))
        run.note(f"wrote {done.rows} rows in {done.files} files under {done.folder}")
        return
    if host is not None:
        raise UsageError(
            "--host names a folder of the Parquet export: leave it out, or use --format parquet."
        )
    kind: Kind = "rows" if chosen == "rows" else "rounds"
    export_to(run, to, "log", form="csv" if chosen == "csv" else "jsonl", since=moment(since), kind=kind)


def export_to(run: Run, to: str, what: str, **how: Any) -> None:
    """Write what is exported to a file, and note that it is there; or to standard output for `-`."""
    from zetaroute.log.noted_exports import note_export
    from zetaroute.transfer.export import export_file, export_lines

    if to == "-":
        for piece in export_lines(run.log(), **how):
            write(piece)
        return
    with run.working(f"writing the {what}"):
        export_file(run.log(), Path(to), **how)
    note_export(run.log(), Path(to))
    run.note(f"the {what} is in {to}")


def _format(name: str | None, to: str) -> str:
    if name is None and to == "-":
        return "jsonl"
    if name is None:
        ending = Path(to.removesuffix(".gz")).suffix
        if ending[1:].isalpha() and ending not in _ENDINGS and "://" not in to and not Path(to).is_dir():
            raise UsageError(
                f"--to {to} ends in {ending}: name a file in .csv or .jsonl, or a new folder for Parquet."
            )
        return _ENDINGS.get(ending, "parquet")
    if name not in FORMATS:
        raise UsageError(f"--format is {name!r}: choose {', '.join(FORMATS)}.")
    return name


@log_group.command("import")
def import_command(
    context: typer.Context,
    file: str = typer.Argument(
        ..., help="A log of the llm command (SQLite) or JSON lines, also packed; - for standard input."
    ),
    form: str | None = typer.Option(
        None, "--format", help="llm, jsonl, or that of a package; default: by the first bytes."
    ),
    input_: Path | None = typer.Option(
        None, "--input", help="The file that the batch read: the queries by custom_id."
    ),
    run_name: str | None = typer.Option(
        None, "--run", help="Name of the rows; default: import- and the file's name."
    ),
    as_: list[str] | None = typer.Option(
        None, "--as", metavar="NAME=ID", help="Which configured model the file means by NAME; repeatable."
    ),
    json: Json = False,
) -> None:
    """Take answers that were given elsewhere into the log; the same file may come twice.

    Known are the log of the `llm` command, the output of an OpenAI Batch (with --input for the queries), the
    training rows of routers {"query", "model_name", "performance", "response_time", "category"}, and the lines that
    `log export` and `batch` write. No chance was ever drawn for these rows, so they have no propensity: they teach
    what to expect of each model, and never count as evidence that routing would have helped. What the file does not
    say, such as a price, stays unknown. Bad lines go to FILE.errors.jsonl in the current folder.

    \b
    Examples
      zetaroute log import "$(llm logs path)" --as gpt-4o-mini=openai/gpt-4o-mini
      zetaroute log import batch_output.jsonl --input batch_input.jsonl
      zetaroute log import router_rows.jsonl --run llmrouter --json
    """
    from zetaroute.transfer.import_logs import import_log

    if file != "-" and not Path(file).is_file():
        raise UsageError(f"there is no file {file}: name an SQLite or .jsonl file, or - for standard input.")
    run = session(context)
    settings = run.settings(quiet=True)
    renamed = _renamed(as_ or [])
    with telling("reading", quiet=run.quiet) as tell:
        done = import_log(
            run.log(settings),
            settings,
            file,
            form=form,
            asked=input_,
            run=run_name,
            renamed=renamed,
            on_progress=(lambda now: tell(f"{now.rows} rows, {now.added} new")) if tell else None,
        )
    if json:
        out_json(done.summary())
    else:
        _tell(run, done)
    if done.rows and done.bad_lines == done.rows:
        raise UsageError(f"no row of {file} could be used: {done.errors} says why.")


def _renamed(given: list[str]) -> dict[str, str]:
    renamed = {}
    for one in given:
        name, equals, model = one.rpartition("=")
        if not (equals and name and model):
            raise UsageError(f"--as is {one!r}: write NAME=ID, the file's name and that of your config.")
        renamed[name] = model
    return renamed


def _tell(run: Run, done: ImportSummary) -> None:
    from zetaroute.report.terminal import plain

    bad = f", {done.bad_lines} bad lines in {done.errors}" if done.bad_lines else ""
    out(f"{done.added} added to the run {plain(done.run)}, {done.known} known before{bad}")
    if not done.added:
        return
    run.note(
        "they have no propensity: they teach the models' heads and are no evidence of what routing gains"
    )
    if done.graded < done.added:
        run.note(
            f"{done.added - done.graded} of them say nothing of accuracy: `zetaroute grade --grader NAME` or "
            "`zetaroute feedback import` marks them"
        )
    if done.unconfigured:
        named = ", ".join(f"{plain(model)} ({rows})" for model, rows in done.unconfigured.items())
        run.note(
            f"kept, but nothing is learned of models that are not configured: {named}; add a [[models]] block, or "
            "import with --as NAME=ID"
        )


@log_group.command("list")
def list_command(
    context: typer.Context,
    limit: int = typer.Option(20, "--limit", "-l", min=1, help="How many, newest first."),
    model: str | None = typer.Option(
        None, "--model", "-m", autocompletion=complete.models, help="Only this model."
    ),
    task: str | None = typer.Option(None, help="Only this kind of query."),
    status: str | None = typer.Option(None, help="ok, error or cancelled."),
    conversations: bool = typer.Option(
        False, "--conversations", help="List conversations, the last spoken in first."
    ),
    json: Json = False,
) -> None:
    """List outcomes, newest first, or conversations.

    \b
    Examples
      zetaroute log list --limit 5
      zetaroute log list --model practice/small --status error --json
      zetaroute log list --conversations
    """
    from zetaroute.analysis.outcomes import list_outcomes
    from zetaroute.report.decisions_outcomes import show_conversations, show_outcomes
    from zetaroute.router.conversations import list_conversations

    log = session(context).log()
    if conversations:
        rows = list_conversations(log, limit=limit)
    else:
        with log.open() as connection:
            rows = list_outcomes(connection, limit=limit, model=model, task=task, status=status)
    if json:
        out_json(rows)
    else:
        (show_conversations if conversations else show_outcomes)(console(), rows)


@log_group.command("show")
def show_command(
    context: typer.Context,
    outcome_id: str | None = typer.Argument(
        None,
        metavar="[ID]",
        autocompletion=complete.answers,
        help="An id, the beginning of one, or `last`: the last ask. Default: the last row.",
    ),
    json: Json = False,
) -> None:
    """Show one outcome whole: query, answer, figures, feedback, and the decision exactly as it was made."""
    from zetaroute.analysis.explain import explain_past
    from zetaroute.analysis.outcomes import show_outcome
    from zetaroute.registry import Registry

    run = session(context)
    with run.log().open() as connection:
        row = show_outcome(connection, outcome_id)
    found = explain_past(row, registry=Registry(run.home.artifacts))
    explanation = found.json() if found else None
    if json:
        out_json({**row, "explanation": explanation})
        return
    from zetaroute.report.decisions_outcomes import show_explanation, show_outcome as show

    show(console(), row)
    if explanation is not None:
        show_explanation(console(), explanation)
    out("")


@log_group.command("forget")
def forget_command(
    context: typer.Context,
    ids: list[str] | None = typer.Argument(None, metavar="[ID]...", help="Outcomes to forget."),
    conversation: str | None = typer.Option(None, help="All turns of this one: the id of its first outcome."),
    before: str | None = typer.Option(None, help="All older ones: 2026-01-31, or 90d for days ago."),
    yes: bool = typer.Option(False, "--yes", "-y", help="Do not ask first."),
    json: Json = False,
) -> None:
    """Erase the text of queries and answers everywhere it is stored; their numbers stay.

    Query, answer, system prompt, reference, error text, names of files, comments and what was made of them go from
    the log, which is written anew, from the outputs that batches wrote and from the words that artifacts keep. What
    was changed by others is named and left. It cannot be undone.

    \b
    Examples
      zetaroute log forget 0192f0c1-7d3e-7a3b-8c1d-2e3f4a5b6c7d
      zetaroute log forget --conversation 0192f0c1-7d3e-7a3b-8c1d-2e3f4a5b6c7d --yes
      zetaroute log forget --before 90d
    """
    from zetaroute.forget.forget import choose, forget

    run = session(context)
    log = run.log()
    chosen = choose(log, ids=ids or (), conversation=conversation, before=moment(before))
    if not yes:
        if sys.stdin is None or not sys.stdin.isatty():
            raise UsageError(
                "forgetting cannot be undone, so it asks first: give --yes where no person can answer."
            )
        typer.confirm(f"Erase the texts of {len(chosen.ids)} rows for good?", abort=True, err=True)
    with run.working("writing the log anew"):
        done = forget(log, chosen)
    if json:
        out_json(done.json())
        return
    _tell_forgotten(done)


def _tell_forgotten(done: Forgotten) -> None:
    before = f" ({done.already} were before)" if done.already else ""
    out(f"{done.rows} rows are forgotten{before}; their numbers stay")
    for name, paths in (
        ("blanked in", done.rewritten),
        ("words blotted out in", done.versions),
    ):
        if paths:
            out(f"{name} {', '.join(paths)}")
    for path in done.still:
        say(
            f"note: {path} still holds a text of them: it was not written like this by zetaroute, so look yourself"
        )
    for path in done.missing:
        say(f"note: answers were once written to {path}, which is not there any more: look where it went")
    if done.same:
        say(f"note: {len(done.same)} other rows ask the very same and stay: {', '.join(done.same[:5])}")
