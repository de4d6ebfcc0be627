"""`batch`: many queries from a file, with progress, resume and a budget."""

from __future__ import annotations

import asyncio
import hashlib
import signal
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from zetaroute.cli.context import Session, session
from zetaroute.cli.render import console, out, out_json
from zetaroute.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from zetaroute.domain import Query
    from zetaroute.flows.batch import Plan, Progress
    from zetaroute.flows.intake import BadLine, Part
    from zetaroute.flows.output import Done

INTERRUPTED = 130

File = Annotated[str, typer.Argument(help="A .jsonl, .jsonl.gz or .parquet file, or - for standard input.")]
Out = Annotated[
    Path | None, typer.Option("--output", "-o", help="Where answers go; default FILE.answers.jsonl.")
]
Model = Annotated[str | None, typer.Option("--model", "-m", help="Ask this model (no routing).")]
Concurrency = Annotated[int, typer.Option("--concurrency", min=1, help="Queries under way at once.")]
Budget = Annotated[float | None, typer.Option("--budget-usd", min=0, help="Stop before this is spent.")]
Limit = Annotated[int | None, typer.Option("--limit", min=1, help="Only the first N rows.")]
AllModels = Annotated[bool, typer.Option("--all-models", help="Every model answers every row (seeding).")]
LocalOnly = Annotated[bool, typer.Option("--local-only", help="Only models with the tag local.")]
PartOption = Annotated[str | None, typer.Option("--part", help="train or test rows of a recorded file.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show the expected spend and ask nobody.")]
Restart = Annotated[bool, typer.Option("--restart", help="Ask every row again.")]
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
    local_only: LocalOnly = False,
    part: PartOption = None,
    dry_run: DryRun = False,
    restart: Restart = False,
    seed: Seed = 0,
    json: Json = False,
) -> None:
    """Answer every query of a file; run it again to go on where it stopped.

    \b
    Examples
      zetaroute batch queries.jsonl -o answers.jsonl
      zetaroute batch queries.jsonl --budget-usd 2 --concurrency 16
      zetaroute batch queries.jsonl --dry-run
      cat queries.jsonl | zetaroute batch - -o answers.jsonl
    """
    from zetaroute.flows.batch import Plan
    from zetaroute.policy import Limits

    if model is not None and all_models:
        raise UsageError("--model and --all-models exclude each other: give one.")
    run = session(context)
    settings = run.settings()
    if model is not None:
        settings.arm(model)
    models = tuple(arm.id for arm in settings.arms) if all_models else (model,) if model else ()
    target = _target(file, output)
    plan = Plan(
        run=_run_name(file, target, models),
        concurrency=concurrency,
        models=models,
        budget_usd=budget_usd,
        limits=Limits(local_only=local_only),
        seed=seed,
    )
    rows = _rows(file, part, limit)
    if dry_run:
        _preview(run, rows, plan, json=json)
        return
    progress = _run(run, rows, plan, target, restart=restart)
    _tell(run, progress, target, json=json)
    if progress.stopped == "interrupted":
        raise typer.Exit(INTERRUPTED)
    if (progress.failed or progress.stopped) and not progress.answered:
        raise typer.Exit(3)


def _run(
    run: Session, rows: Iterable[Query | BadLine], plan: Plan, target: Path, *, restart: bool
) -> Progress:
    from zetaroute.flows.batch import run_batch
    from zetaroute.flows.output import Output, resume
    from zetaroute.flows.router import open_router

    run.home.make()
    log = run.log()
    done: Done = frozenset()
    if restart:
        target.unlink(missing_ok=True)
    else:
        done = resume(log, plan.run, target, pinned=bool(plan.models))

    async def play() -> Progress:
        stopping = asyncio.Event()
        with _interruptible(stopping), _bar(run) as advance, Output(target) as output:
            progress = await run_batch(
                open_router(run.home, run.settings(quiet=True)),
                rows,
                log=log,
                plan=plan,
                output=output,
                done=done,
                on_progress=advance,
                stopping=stopping,
            )
        if stopping.is_set():
            progress.stopped = "interrupted"
        return progress

    progress = asyncio.run(play())
    log.merge(patience_s=2.0)
    return progress


@contextmanager
def _interruptible(stopping: asyncio.Event) -> Iterator[None]:
    """Let the first Ctrl-C finish what is under way, and a second one end it."""
    loop, task = asyncio.get_running_loop(), asyncio.current_task()

    def interrupt() -> None:
        if stopping.is_set() and task is not None:
            task.cancel()
        stopping.set()

    try:
        loop.add_signal_handler(signal.SIGINT, interrupt)
    except (NotImplementedError, RuntimeError, ValueError):
        yield
        return
    try:
        yield
    finally:
        loop.remove_signal_handler(signal.SIGINT)


@contextmanager
def _bar(run: Session) -> Iterator[Callable[[Progress], None]]:
    """Show progress on a terminal: rate, cost and accuracy so far."""
    screen = console(stderr=True)
    if run.quiet or not screen.is_terminal:
        yield lambda progress: None
        return
    from rich.progress import Progress as Bar
    from rich.progress import SpinnerColumn, TextColumn, TimeElapsedColumn

    with Bar(SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn(), console=screen) as bar:
        line = bar.add_task("starting")
        yield lambda progress: bar.update(line, description=_line(progress))


def _line(progress: Progress) -> str:
    accuracy = "" if progress.accuracy is None else f", accuracy {100 * progress.accuracy:.1f}%"
    failed = f", {progress.failed} failed" if progress.failed else ""
    return f"{progress.answered} answered{failed}, ${progress.cost_usd:.4f}{accuracy}"


def _tell(run: Session, progress: Progress, target: Path, *, json: bool) -> None:
    if json:
        out_json(progress.summary())
    else:
        skipped = f", {progress.skipped} done before" if progress.skipped else ""
        bad = f", {progress.bad_lines} bad lines in {target}.errors.jsonl" if progress.bad_lines else ""
        out(f"{_line(progress)}{skipped}{bad}; answers in {target}")
    if progress.stopped:
        run.note(f"stopped: {progress.stopped}; run the same command again to go on")


def _preview(run: Session, rows: Iterable[Query | BadLine], plan: Plan, *, json: bool) -> None:
    from zetaroute.flows.preview import preview
    from zetaroute.flows.router import open_router

    found = preview(open_router(run.home, run.settings(quiet=True)), rows, plan)
    if json:
        out_json(found)
        return
    low, high = found["cost_usd"]["low"], found["cost_usd"]["high"]
    unpriced = f"; unknown prices: {', '.join(found['unpriced_models'])}" if found["unpriced_models"] else ""
    out(
        f"{found['rows']} rows, expected cost ${found['cost_usd']['value']:.4f} [{low:.4f}, {high:.4f}]{unpriced}"
    )


def _rows(file: str, part: str | None, limit: int | None) -> Iterable[Query | BadLine]:
    from itertools import islice

    from zetaroute.flows.intake import read_queries

    if part not in {None, "train", "test"}:
        raise UsageError(f"--part is {part!r}: choose train or test.")
    chosen: Part | None = None if part is None else _part(part)
    return islice(read_queries(file, part=chosen), limit)


def _part(part: str) -> Literal["train", "test"]:
    return "train" if part == "train" else "test"


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
