"""`log import`: what people have already asked elsewhere.

Apart from the other commands of `log` because it is about rows that were never decided here.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from zetaroute.cli.context import Session, session
from zetaroute.cli.render import console, out, out_json
from zetaroute.errors import UsageError

if TYPE_CHECKING:
    from zetaroute.flows.past import Taken

Json = Annotated[bool, typer.Option("--json", help="Print the summary as JSON.")]
Input = Annotated[
    Path | None, typer.Option("--input", help="The file that the batch read: the queries by custom_id.")
]
Run = Annotated[
    str | None, typer.Option("--run", help="Name of the rows; default: import- and the file's name.")
]
As = Annotated[
    list[str] | None,
    typer.Option(
        "--as", metavar="NAME=ID", help="Which configured model the file means by NAME; repeatable."
    ),
]


def import_command(
    context: typer.Context,
    file: Annotated[
        str,
        typer.Argument(
            help="A log of the llm command (SQLite) or JSON lines, also packed; - for standard input."
        ),
    ],
    input_: Input = None,
    run_name: Run = None,
    as_: As = None,
    json: Json = False,
) -> None:
    """Take answers that were given elsewhere into the log; the same file may come twice.

    Known are the log of the `llm` command, the output of an OpenAI Batch (with --input for the queries), the
    training rows of routers {"query", "model_name", "performance", "response_time", "category"}, and the lines that
    `log export` and `batch` write. No chance was ever drawn for these rows, so they have no propensity: they teach
    what to expect of each model, and never count as evidence that routing would have helped. What the file does not
    say, such as a price, stays unknown. Bad lines go to FILE.errors.jsonl.

    \b
    Examples
      zetaroute log import "$(llm logs path)" --as gpt-4o-mini=openai/gpt-4o-mini
      zetaroute log import batch_output.jsonl --input batch_input.jsonl
      zetaroute log import router_rows.jsonl --run llmrouter --json
    """
    from zetaroute.flows.past import import_log

    if file != "-" and not Path(file).is_file():
        raise UsageError(f"there is no file {file}: name an SQLite or .jsonl file, or - for standard input.")
    run = session(context)
    settings = run.settings(quiet=True)
    take = partial(import_log, run.log(settings), settings, file, asked=input_, run=run_name)
    renamed, screen = _renamed(as_ or []), console(stderr=True)
    if run.quiet or not screen.is_terminal:
        done = take(renamed=renamed)
    else:
        with screen.status("reading") as status:
            done = take(
                renamed=renamed, on_progress=lambda now: status.update(f"{now.rows} rows, {now.added} new")
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


def _tell(run: Session, done: Taken) -> None:
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
