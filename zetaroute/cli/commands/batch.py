"""`batch`: many queries from a file, with progress, resume and a budget."""

from __future__ import annotations

import asyncio
import hashlib
import signal
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from zetaroute.cli import completion as complete
from zetaroute.cli.commands.batch_progress import Meter, shown
from zetaroute.cli.output import out, out_json
from zetaroute.cli.session import Run, session
from zetaroute.errors import StoreError, UsageError

if TYPE_CHECKING:
    from zetaroute.batch.input import BatchInput, Part
    from zetaroute.batch.run import BatchPlan, Progress
    from zetaroute.batch.seen import SeenRows
    from zetaroute.router.answer import Format
    from zetaroute.router.attempts import Round


INTERRUPTED = 130


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """Everything one run of the command works with."""

    run: Run
    plan: BatchPlan
    batch_input: BatchInput
    seen_rows: SeenRows
    target: Path
    form: Format
    limit: int | None

    def play(self, *, restart: bool) -> Progress:
        """Ask what is left to ask; raises typer.Exit when a second Ctrl-C ended it at once."""
        from zetaroute.files.lock import exclusive_lock

        with exclusive_lock(self.target):
            return self._play(restart=restart)

    def _play(self, *, restart: bool) -> Progress:
        import asyncio

        from zetaroute.batch.output import resume
        from zetaroute.transfer.export import note_export

        self.run.home.make()
        log = self.run.log(self.run.settings(quiet=True))
        note_export(log, self.target, run=self.plan.run)
        if restart:
            self.target.unlink(missing_ok=True)
        else:
            by_model = bool(self.plan.models)
            resume(log, self.plan.run, self.target, self.seen_rows, form=self.form, by_model=by_model)
        try:
            progress = asyncio.run(self._answer())
        except BaseException as error:
            # What stopped the batch is what is told; the rows are safe in the journal.
            with suppress(StoreError):
                log.merge(patience_s=2.0)
            if not isinstance(error, asyncio.CancelledError):
                raise
            self.run.note("stopped at once: run the same command again to go on")
            raise typer.Exit(INTERRUPTED) from None
        log.merge(patience_s=2.0)
        return progress

    async def _answer(self) -> Progress:
        import asyncio
        from itertools import islice

        from zetaroute.batch.output import Output
        from zetaroute.batch.run import run_batch
        from zetaroute.router.router import open_router

        stopping = asyncio.Event()
        meter = Meter(self.batch_input.share_read, self.limit)
        with (
            shown(meter, quiet=self.run.quiet) as advance,
            Output(self.target, form=self.form, by_model=bool(self.plan.models)) as output,
            _interruptible(self.run, stopping) as interrupts,
        ):
            settings = self.run.settings(quiet=True)
            progress = await run_batch(
                open_router(self.run.home, settings),
                islice(self.batch_input.rows, self.limit),
                log=self.run.log(settings),
                plan=self.plan,
                seen_rows=self.seen_rows,
                output=output,
                on_progress=advance,
                on_unkept=self._print,
                stopping=stopping,
            )
        if interrupts:
            progress.interrupted, progress.stopped = True, "interrupted"
        return progress

    def _print(self, played: Round) -> None:
        """Show an answer that cannot be kept anywhere else."""
        from zetaroute.router.answer import answer_of

        out(answer_of(played).line(self.form).rstrip("\n"))

    def preview(self, *, restart: bool, json: bool) -> None:
        """Show what the rest would cost."""
        from itertools import islice

        from zetaroute.batch.output import note_answered
        from zetaroute.batch.preview import preview
        from zetaroute.router.router import open_router

        if not restart and self.run.home.database.exists():
            note_answered(self.run.log(), self.plan.run, self.seen_rows)
        router = open_router(self.run.home, self.run.settings(quiet=True))
        found = preview(router, islice(self.batch_input.rows, self.limit), self.plan, self.seen_rows)
        if json:
            out_json(found)
            return
        cost, unpriced = found["cost_usd"], found["unpriced_models"]
        notes = [
            f"; {found[key]} {words}"
            for key, words in (
                ("skipped", "done before or repeated"),
                ("bad_lines", "bad lines"),
                ("unfit", "that no model takes"),
            )
            if found[key]
        ]
        notes += [f"; unknown prices: {', '.join(unpriced)}"] if unpriced else []
        out(
            f"{found['rows']} rows to ask, expected cost ${cost['value']:.4f} [{cost['low']:.4f}, {cost['high']:.4f}]"
            + "".join(notes)
        )


@contextmanager
def _interruptible(run: Run, stopping: asyncio.Event) -> Iterator[list[int]]:
    """Let the first Ctrl-C finish what is under way, and a second one end it; yields those that came."""
    import asyncio

    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    came: list[int] = []

    def interrupt() -> None:
        came.append(signal.SIGINT)
        stopping.set()
        if len(came) == 1:
            run.note("finishing the rows under way; Ctrl-C once more stops at once")
        elif len(came) == 2 and task is not None:
            task.cancel()

    try:
        loop.add_signal_handler(signal.SIGINT, interrupt)
    except (NotImplementedError, RuntimeError, ValueError):
        yield came
        return
    try:
        yield came
    finally:
        loop.remove_signal_handler(signal.SIGINT)


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
    from zetaroute.batch.input import open_rows
    from zetaroute.batch.output import check_target
    from zetaroute.batch.run import BatchPlan
    from zetaroute.batch.seen import SeenRows
    from zetaroute.domain import Query
    from zetaroute.grading.graders import Graders
    from zetaroute.log.pseudonyms import seal_of
    from zetaroute.policy import Limits
    from zetaroute.router.prepare import parse_check

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
    plan = BatchPlan(
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
        batch_input = held.enter_context(open_rows(file, graders=graders, part=_part(part), models=nameable))
        check_target(target, file)
        job = Job(
            run=run,
            plan=plan,
            batch_input=batch_input,
            seen_rows=held.enter_context(closing(SeenRows())),
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


def _tell(run: Run, progress: Progress, target: Path, *, json: bool) -> None:
    from zetaroute.cli.commands.batch_progress import counts
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


def _tell_newcomers(run: Run) -> None:
    """Say how far the models are that are still newcomers."""
    from zetaroute.analysis.models import model_table, onboarding_notes
    from zetaroute.router.router import open_router

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
