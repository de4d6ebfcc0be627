"""`log`: look at what was asked, answered and decided, and forget it."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from zetaroute.cli import complete
from zetaroute.cli.context import session
from zetaroute.cli.export import export_command
from zetaroute.cli.past import import_command
from zetaroute.cli.render import console, out, out_json, say
from zetaroute.cli.rooms import Shelf
from zetaroute.errors import UsageError

if TYPE_CHECKING:
    from zetaroute.flows.forget import Forgotten

if TYPE_CHECKING:
    from zetaroute.store.log import Log

log_app = typer.Typer(
    cls=Shelf,
    name="log",
    help="The outcome log: list, show, import, export and forget.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
Json = Annotated[bool, typer.Option("--json", help="Print everything as JSON.")]
Limit = Annotated[int, typer.Option("--limit", "-l", min=1, help="How many, newest first.")]
ModelFilter = Annotated[
    str | None, typer.Option("--model", "-m", autocompletion=complete.models, help="Only this model.")
]
TaskFilter = Annotated[str | None, typer.Option("--task", help="Only this kind of query.")]
StatusFilter = Annotated[str | None, typer.Option("--status", help="ok, error or cancelled.")]


def add_to(app: typer.Typer) -> None:
    """Add these commands to the command line."""
    log_app.command("import")(import_command)
    log_app.command("export")(export_command)
    app.add_typer(log_app)


@log_app.command("list")
def list_command(
    context: typer.Context,
    limit: Limit = 20,
    model: ModelFilter = None,
    task: TaskFilter = None,
    status: StatusFilter = None,
    conversations: Annotated[
        bool, typer.Option("--conversations", help="List conversations, the last spoken in first.")
    ] = False,
    json: Json = False,
) -> None:
    """List outcomes, newest first, or conversations.

    \b
    Examples
      zetaroute log list --limit 5
      zetaroute log list --model practice/small --status error --json
      zetaroute log list --conversations
    """
    if conversations:
        _conversations(session(context).log(), limit=limit, json=json)
        return
    from zetaroute.flows.history import list_outcomes

    rows = list_outcomes(session(context).log(), limit=limit, model=model, task=task, status=status)
    if json:
        out_json(rows)
        return
    from zetaroute.report.outcomes import show_outcomes

    show_outcomes(console(), rows)


def _conversations(log: Log, *, limit: int, json: bool) -> None:
    from zetaroute.flows.conversations import list_conversations

    rows = list_conversations(log, limit=limit)
    if json:
        out_json(rows)
        return
    from zetaroute.report.outcomes import show_conversations

    show_conversations(console(), rows)


@log_app.command("show")
def show_command(
    context: typer.Context,
    outcome_id: Annotated[
        str | None, typer.Argument(metavar="[ID]", autocompletion=complete.answers, help="Default: the last.")
    ] = None,
    json: Json = False,
) -> None:
    """Show one outcome whole: query, answer, figures, feedback, and the decision exactly as it was made."""
    from zetaroute.cli.explain import explained_past
    from zetaroute.flows.history import show_outcome

    run = session(context)
    row = show_outcome(run.log(), outcome_id)
    explanation = explained_past(run, row)
    if json:
        out_json({**row, "explanation": explanation})
        return
    from zetaroute.report.explanation import show_explanation
    from zetaroute.report.outcomes import show_outcome as show

    show(console(), row)
    if explanation is not None:
        show_explanation(console(), explanation)
    out("")


@log_app.command("forget")
def forget_command(
    context: typer.Context,
    ids: Annotated[list[str] | None, typer.Argument(metavar="[ID]...", help="Outcomes to forget.")] = None,
    conversation: Annotated[
        str | None, typer.Option("--conversation", help="All turns of this one: the id of its first outcome.")
    ] = None,
    before: Annotated[
        str | None, typer.Option("--before", help="All older ones: 2026-01-31, or 90d for days ago.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask first.")] = False,
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
    from zetaroute.cli.moments import moment
    from zetaroute.flows.forget import choose, forget

    log = session(context).log()
    chosen = choose(log, ids=ids or (), conversation=conversation, before=moment(before))
    if not yes:
        if sys.stdin is None or not sys.stdin.isatty():
            raise UsageError(
                "forgetting cannot be undone, so it asks first: give --yes where nobody can answer."
            )
        typer.confirm(f"Erase the texts of {len(chosen.ids)} rows for good?", abort=True, err=True)
    done = forget(log, chosen)
    if json:
        out_json(done.json())
        return
    _tell(done)


def _tell(done: Forgotten) -> None:
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
