"""`batch`: many queries from a file, with progress, resume and a budget."""

from __future__ import annotations

import hashlib
from contextlib import ExitStack, closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from zetaroute.cli import complete
from zetaroute.cli.context import Session, session
from zetaroute.cli.render import out, out_json
from zetaroute.errors import UsageError

if TYPE_CHECKING:
    from zetaroute.flows.answers import Format
    from zetaroute.flows.intake import Part
    from zetaroute.flows.progress import Progress

File = Annotated[
    str, typer.Argument(help="JSON lines, also packed with gzip or zstd, or .parquet; - for standard input.")
]
Out = Annotated[
    Path | None, typer.Option("--output", "-o", help="Where answers go; default FILE.answers.jsonl.")
]
Model = Annotated[
    str | None,
    typer.Option("--model", "-m", autocompletion=complete.models, help="Ask this model (no routing)."),
]
Concurrency = Annotated[int, typer.Option("--concurrency", min=1, help="Queries under way at once.")]
Budget = Annotated[float | None, typer.Option("--budget-usd", min=0, help="Stop before this is spent.")]
Limit = Annotated[int | None, typer.Option("--limit", min=1, help="Only the first N rows.")]
AllModels = Annotated[bool, typer.Option("--all-models", help="Every model answers every row (seeding).")]
MaxCost = Annotated[
    float | None,
    typer.Option("--max-cost-usd", min=0, help="At most this for a query, over all models that are asked."),
]
LocalOnly = Annotated[bool, typer.Option("--local-only", help="Only models with the tag local.")]
PartOption = Annotated[str | None, typer.Option("--part", help="train or test rows of a recorded file.")]
Ordered = Annotated[bool, typer.Option("--ordered", help="Put the output into the order of the input.")]
FormatOption = Annotated[
    str, typer.Option("--format", help="Lines of the output: plain, or openai as its Batch API writes them.")
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show the expected spend and ask nobody.")]
Restart = Annotated[bool, typer.Option("--restart", help="Ask every row again.")]
CheckOption = Annotated[
    str | None,
    typer.Option(
        "--check", help="GRADER, GRADER=TEXT or GRADER=@FILE; answers that fail go to the next model."
    ),
]
Timeout = Annotated[
    float | None, typer.Option("--timeout", min=0.01, help="Seconds for each query, with its fallbacks.")
]
Seed = Annotated[int, typer.Option("--seed", min=0, help="Repeat the decisions of a run.")]
Json = Annotated[bool, typer.Option("--json", help="Print the summary as JSON.")]


def add_to(app: typer.Typer) -> None:
    """Add this command to the command line."""
    app.command("batch")(batch_command)


def batch_command(
    context: typer.Context,
    file: File,
    output: Out = None,
    model: Model = None,
    concurrency: Concurrency = 8,
    budget_usd: Budget = None,
    limit: Limit = None,
    all_models: AllModels = False,
    max_cost_usd: MaxCost = None,
    local_only: LocalOnly = False,
    part: PartOption = None,
    ordered: Ordered = False,
    format_: FormatOption = "plain",
    dry_run: DryRun = False,
    restart: Restart = False,
    check: CheckOption = None,
    timeout: Timeout = None,
    seed: Seed = 0,
    json: Json = False,
) -> None:
    """Answer every query of a file; run it again to go on where it stopped.

    \b
    Examples
      zetaroute batch queries.jsonl -o answers.jsonl
      zetaroute batch queries.jsonl --budget-usd 2 --concurrency 16
      zetaroute batch queries.jsonl --dry-run
      zetaroute batch queries.jsonl --check json=@schema.json
      cat queries.jsonl | zetaroute batch - -o answers.jsonl
    """
    from zetaroute.cli.job import INTERRUPTED, Job
    from zetaroute.domain import Query
    from zetaroute.flows.batch import Plan
    from zetaroute.flows.checking import parse_check
    from zetaroute.flows.grading import Graders
    from zetaroute.flows.intake import open_rows
    from zetaroute.flows.ledger import Ledger
    from zetaroute.flows.output import check_target
    from zetaroute.policy import Limits
    from zetaroute.store.protect import seal_of

    if model is not None and all_models:
        raise UsageError("--model and --all-models exclude each other: give one.")
    run = session(context)
    settings = run.settings()
    if model is not None:
        settings.arm(model)
    models = tuple(arm.id for arm in settings.arms) if all_models else (model,) if model else ()
    target, graders, check_of = _target(file, output), Graders(settings), parse_check(check)
    if check_of is not None:
        graders.checked(Query(text=""), check_of)
    plan = Plan(
        run=_run_name(file, target, models),
        concurrency=concurrency,
        models=models,
        budget_usd=budget_usd,
        limits=Limits(local_only=local_only, max_cost_usd=max_cost_usd),
        seed=seed,
        timeout_s=timeout,
        check=check_of,
        ordered=ordered,
        live=file == "-",
        seal=seal_of(run.home, settings.privacy),
    )
    nameable = None if models else [arm.id for arm in settings.arms]
    with ExitStack() as held:
        intake = held.enter_context(open_rows(file, graders=graders, part=_part(part), models=nameable))
        check_target(target, file)
        job = Job(
            run=run,
            plan=plan,
            intake=intake,
            ledger=held.enter_context(closing(Ledger())),
            target=target,
            form=_format(format_),
            limit=limit,
        )
        if dry_run:
            job.preview(restart=restart, json=json)
            return
        progress = job.play(restart=restart)
    _tell(run, progress, target, json=json)
    if all_models:
        _tell_newcomers(run)
    if progress.interrupted:
        raise typer.Exit(INTERRUPTED)
    if progress.failed and not progress.answered:
        raise typer.Exit(3)


def _tell(run: Session, progress: Progress, target: Path, *, json: bool) -> None:
    from zetaroute.cli.meter import counts
    from zetaroute.report.terminal import LONGEST_NOTE, one_line

    if json:
        out_json(progress.summary())
    else:
        skipped = f", {progress.skipped} done before or repeated" if progress.skipped else ""
        bad = f", {progress.bad_lines} bad lines in {target}.errors.jsonl" if progress.bad_lines else ""
        out(f"{counts(progress)}{skipped}{bad}; answers in {target}")
    if progress.failure is not None:
        run.note(f"the latest failure: {one_line(progress.failure, LONGEST_NOTE)}")
    if progress.ungraded:
        run.note(f"{progress.ungraded} answers got no grade: `zetaroute grade` tries again")
    if progress.stopped:
        run.note(f"stopped: {progress.stopped}; run the same command again to go on")


def _tell_newcomers(run: Session) -> None:
    """Say how far the models are that are still newcomers."""
    from zetaroute.flows.models import model_table, onboarding_notes
    from zetaroute.flows.router import open_router

    for note in onboarding_notes(model_table(open_router(run.home, run.settings(quiet=True)), run.log())):
        run.note(note)


def _part(part: str | None) -> Part | None:
    match part:
        case None | "train" | "test":
            return part
        case _:
            raise UsageError(f"--part is {part!r}: choose train or test.")


def _format(name: str) -> Format:
    match name:
        case "plain" | "openai":
            return name
        case _:
            raise UsageError(f"--format is {name!r}: choose plain or openai.")


def _target(file: str, output: Path | None) -> Path:
    if output is not None:
        if output.is_dir():
            raise UsageError(f"{output} is a folder: name a file with -o.")
        return output
    if file == "-":
        raise UsageError("with standard input, name where answers go with -o FILE.")
    return Path(f"{file}.answers.jsonl")


def _run_name(file: str, target: Path, models: tuple[str, ...]) -> str:
    source = file if file == "-" else str(Path(file).absolute())
    key = "\0".join((source, str(target.absolute()), *models))
    return f"{Path(file).stem}-{hashlib.sha256(key.encode()).hexdigest()[:8]}"
