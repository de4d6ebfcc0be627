"""`policies`: the versions of the policy, and which of them serves."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from zetaroute.cli import completion as complete
from zetaroute.cli.command_table import command_group
from zetaroute.cli.options import Json
from zetaroute.cli.printing import console, out, out_json
from zetaroute.cli.session import session
from zetaroute.errors import UsageError

policies_group = command_group("policies")
Version = Annotated[
    str, typer.Argument(autocompletion=complete.versions, help="A version: v0003-..., 3, or current.")
]


@policies_group.command("list")
def list_command(context: typer.Context, json: Json = False) -> None:
    """List the versions: which serves, which challenges it, what the evidence said."""
    rows = session(context).policies().list()
    if json:
        out_json([row.json() for row in rows])
        return
    from zetaroute.report.terminal import show_table
    from zetaroute.report.versions_table import versions_table

    show_table(console(), versions_table([row.json() for row in rows]))


@policies_group.command("show")
def show_command(context: typer.Context, version: Version = "current") -> None:
    """Show the report of a version; a note says what promoted it, and when."""
    run = session(context)
    out(run.policies().report(version))
    for promotion in run.policies().promotions(version):
        run.note(promotion)


@policies_group.command("verify")
def verify_command(
    context: typer.Context,
    version: str | None = typer.Argument(
        None, autocompletion=complete.versions, help="Default: every version."
    ),
) -> None:
    """Check every byte of a version against its hashes, and that it repeats its logged decisions."""
    run = session(context)
    with run.working("checking"):
        repeated = run.policies().verify(version)
    for name, decisions in repeated.items():
        out(f"{name} is whole" + (f" and repeats {decisions} logged decisions" if decisions else ""))
    if not repeated:
        out("there is no version yet: `zetaroute retrain` makes one")


@policies_group.command("promote")
def promote_command(
    context: typer.Context,
    version: Version,
    reason: str = typer.Option("promoted by hand", help="Kept in the log of promotions."),
) -> None:
    """Let a version serve from the next query on, whatever the evidence says of it."""
    out(f"{session(context).policies().promote(version, reason=reason)} serves from now on")


@policies_group.command("diff")
def diff_command(
    context: typer.Context,
    old: Version,
    new: Version = "current",
    json: Json = False,
) -> None:
    """Show how two versions differ: what they learned from, and whom they would ask for the latest queries."""
    run = session(context)
    run.settings(quiet=json)
    with run.working("deciding anew"):
        found = run.policies().diff(old, new).json()
    if json:
        out_json(found)
        return
    from zetaroute.report.terminal import show_report
    from zetaroute.report.versions_table import difference_report

    show_report(console(), difference_report(found))


@policies_group.command("pin")
def pin_command(
    context: typer.Context,
    version: Version = "current",
    off: bool = typer.Option(False, "--off", help="Take the pin away."),
) -> None:
    """Keep a version: no challenger is given a query until a person says so."""
    policies = session(context).policies()
    if off:
        pinned = policies.unpin()
        out(f"{pinned} may be replaced again" if pinned else "nothing was pinned")
        return
    out(f"{policies.pin(version)} serves until you say otherwise")


@policies_group.command("guards")
def guards_command(
    context: typer.Context,
    least: list[str] | None = typer.Option(None, "--min", help="Try METRIC=VALUE: accuracy or satisfaction."),
    most: list[str] | None = typer.Option(
        None, "--max", help="Try METRIC=VALUE: error_rate or p95_response_s."
    ),
    task: str | None = typer.Option(None, help="Try it for this task label."),
    segment: str | None = typer.Option(
        None, help="Try it for this learned kind, by its name in kpi --by segment."
    ),
    model: str | None = typer.Option(
        None, "--model", "-m", autocompletion=complete.models, help="Try it on this model."
    ),
    json: Json = False,
) -> None:
    """Show what each configured guard does with the log of now, or try one that is not configured.

    \b
    Examples
      zetaroute policies guards
      zetaroute policies guards --min accuracy=0.6
      zetaroute policies guards --min accuracy=0.6 --segment "each, costs, pens"
      zetaroute policies guards --max p95_response_s=5 --task stories --model practice/small
    """
    from zetaroute.analysis.guard_trial import judged, lost, tried_rules
    from zetaroute.router.router import open_router

    run = session(context)
    settings = run.settings(quiet=json)
    if model is not None:
        model = settings.arm(model).id
    tried = tried_rules(least or (), most or (), task=task, segment=segment, model=model)
    if (task or segment or model) and not tried:
        raise UsageError("--task, --segment and --model go with a guard to try: give --min or --max too.")
    if task and segment:
        raise UsageError("--task and --segment exclude each other: give one.")
    router = open_router(run.home, settings)
    for words in lost(router.policy, tried or settings.guards):
        run.note(words)
    rows = judged(router, tried or settings.guards, every_kind=bool(tried))
    if json:
        out_json(rows)
    elif rows:
        _show_guards(rows)
    else:
        out("no guard is configured: `zetaroute policies guards --min accuracy=0.6` tries one")


def _show_guards(rows: list[dict[str, Any]]) -> None:
    from zetaroute.analysis.guard_trial import explained
    from zetaroute.report.tables import Column, Result, listed, number
    from zetaroute.report.terminal import show_table

    def figure(row: Result, name: str) -> str:
        return "-" if row[name] is None else f"{row[name]:.3g}"

    guards = listed(
        rows,
        ("model", lambda row: row["model"]),
        ("guard", lambda row: f"{row['metric']} {row['side']} {row['limit']:g}"),
        (Column(title="kind of query", prose=True), lambda row: row["task"] or row["segment"] or "every"),
        (number("figure"), lambda row: figure(row, "value")),
        (number("bound", spare=1), lambda row: figure(row, "bound")),
        (number("rows"), lambda row: str(row["n"])),
        (Column(title="verdict", prose=True), explained),
    )
    show_table(console(), guards)


@policies_group.command("rollback")
def rollback_command(context: typer.Context) -> None:
    """End the contest, else go back to the version that served before; the very next query obeys."""
    out(f"{session(context).policies().rollback()} serves from now on")
