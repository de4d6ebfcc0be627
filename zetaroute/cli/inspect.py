"""`log`: look at what was asked, answered and decided."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from zetaroute.cli import complete
from zetaroute.cli.context import session
from zetaroute.cli.render import console, out, out_json

if TYPE_CHECKING:
    from zetaroute.store.log import Log

log_app = typer.Typer(
    name="log", help="The outcome log: list and show.", no_args_is_help=True, rich_markup_mode=None
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
