"""`batch`: many queries from a file, with progress, resume and a budget."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import typer

from zetaroute.cli.commands.batch_progress import counts, shown
from zetaroute.cli.options import AnsweringLine, with_line
from zetaroute.cli.printing import out, out_json
from zetaroute.cli.session import Run, session
from zetaroute.errors import UsageError

if TYPE_CHECKING:
    import asyncio

    from zetaroute.batch.job import BatchJob
    from zetaroute.batch.progress import Progress
    from zetaroute.router.answer import Answer


INTERRUPTED = 130


@contextmanager
def _interruptible(run: Run, stopping: asyncio.Event) -> Iterator[None]:
    """Let the first Ctrl-C finish what is under way, and a second one end it."""
    import asyncio

    loop, task = asyncio.get_running_loop(), asyncio.current_task()

    def interrupt() -> None:
        if not stopping.is_set():
            stopping.set()
            run.note("finishing the rows under way; Ctrl-C once more stops at once")
        elif task is not None:
            task.cancel()

    try:
        loop.add_signal_handler(signal.SIGINT, interrupt)
    except (NotImplementedError, RuntimeError, ValueError):
        yield
        return
    try:
        yield
    finally:
        loop.remove_signal_handler(signal.SIGINT)


@dataclass(frozen=True, kw_only=True)
class BatchLine(AnsweringLine):
    """What `batch` can be told."""

    file: str = typer.Argument(
        ..., help="JSON lines, also packed with gzip or zstd, or .parquet; - for standard input."
    )
    output: Path | None = typer.Option(
        None, "--output", "-o", help="Where answers go; default FILE.answers.jsonl."
    )
    concurrency: int = typer.Option(8, min=1, help="Queries under way at once.")
    budget_usd: float | None = typer.Option(None, min=0, help="Stop before this is spent.")
    limit: int | None = typer.Option(None, min=1, help="Only the first N rows.")
    all_models: bool = typer.Option(False, "--all-models", help="Every model answers every row (seeding).")
    part: Literal["train", "test"] | None = typer.Option(None, help="One side of a recorded file.")
    ordered: bool = typer.Option(False, "--ordered", help="Put the output into the order of the input.")
    format_: Literal["plain", "openai"] = typer.Option(
        "plain", "--format", help="Lines of the output; openai as its Batch API writes them."
    )
    restart: bool = typer.Option(False, "--restart", help="Ask every row again.")


@with_line
def batch_command(context: typer.Context, line: BatchLine) -> None:
    """Answer every query of a file; run it again to go on where it stopped.

    \b
    Examples
      zetaroute batch queries.jsonl -o answers.jsonl
      zetaroute batch queries.jsonl --budget-usd 2 --concurrency 16
      zetaroute batch queries.jsonl --check json=@schema.json
      cat queries.jsonl | zetaroute batch - -o answers.jsonl
    """
    from zetaroute.batch.job import BatchJob, target_of
    from zetaroute.batch.run import BatchPlan
    from zetaroute.router.prepare import parse_check

    run = session(context)
    job = BatchJob(
        source=line.file,
        target=target_of(line.file, line.output),
        plan=BatchPlan(
            concurrency=line.concurrency,
            models=_models(run, line.model, all_models=line.all_models),
            budget_usd=line.budget_usd,
            limits=line.limits(),
            seed=line.seed or 0,
            timeout_s=line.timeout_s,
            check=parse_check(line.check),
            ordered=line.ordered,
            seeds=line.all_models,
            no_audit=line.no_audit,
            no_chain=line.no_chain,
        ),
        form=line.format_,
        part=line.part,
        limit=line.limit,
        restart=line.restart,
    )
    (_preview if line.dry_run else _run)(run, job, json=line.json)


def _models(run: Run, model: str | None, *, all_models: bool) -> tuple[str, ...]:
    """Return the models that are pinned; none lets the row or the policy choose."""
    if model is not None and all_models:
        raise UsageError("--model and --all-models exclude each other: give one.")
    settings = run.settings()
    if all_models:
        return tuple(arm.id for arm in settings.arms)
    return (settings.arm(model).id,) if model else ()


def _run(run: Run, job: BatchJob, *, json: bool) -> None:
    """Answer the rows, say what was done, and exit with a code where not all went well."""
    progress = _answered(run, job)
    progress.check_usable(job.source)
    _tell(run, progress, job.target, json=json)
    if job.plan.seeds:
        _tell_newcomers(run)
    if progress.interrupted:
        raise typer.Exit(INTERRUPTED)
    if progress.failed and not progress.answered:
        raise typer.Exit(3)


def _answered(run: Run, job: BatchJob) -> Progress:
    """Show the run as it goes; raise typer.Exit when a second Ctrl-C ended it at once."""
    import asyncio

    from zetaroute.batch.job import answer_file
    from zetaroute.log.standings import read_state
    from zetaroute.router.audits import FIRST_AUDIT

    def show_unkept(answer: Answer) -> None:
        """Show an answer that cannot be kept anywhere else."""
        out(answer.line(job.form).rstrip("\n"))

    home_has_none = read_state(run.home).audit_rows == 0

    def told(progress: Progress) -> None:
        nonlocal home_has_none
        if home_has_none and progress.audits:
            home_has_none = False
            run.note(FIRST_AUDIT)
        advance(progress)

    try:
        with shown(job.limit, quiet=run.quiet) as advance:
            return answer_file(
                run.log(run.settings(quiet=True)),
                run.settings(quiet=True),
                job,
                on_progress=told,
                on_unkept=show_unkept,
                interruptible=partial(_interruptible, run),
            )
    except asyncio.CancelledError:
        run.note("stopped at once: run the same command again to go on")
        raise typer.Exit(INTERRUPTED) from None


def _preview(run: Run, job: BatchJob, *, json: bool) -> None:
    """Show what the rest would cost."""
    from zetaroute.batch.preview import preview
    from zetaroute.router.audits import SWITCH

    found = preview(run.log(), run.settings(quiet=True), job)
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
    if (audits := found["audits"])["rows"]:
        out(
            f"audits: about {audits['rows']:.0f} answers of other models beside, to learn from, expected cost "
            f"${audits['cost_usd']:.4f}; {SWITCH}"
        )


def _tell(run: Run, progress: Progress, target: Path, *, json: bool) -> None:
    from zetaroute.report.terminal import LONGEST_NOTE, one_line

    if json:
        out_json(progress.summary())
    else:
        skipped = f", {progress.skipped} done before or repeated" if progress.skipped else ""
        bad = f", {progress.bad_lines} bad lines in {target}.errors.jsonl" if progress.bad_lines else ""
        out(f"{counts(progress)}{skipped}{bad}; answers in {target}")
    if progress.failure is not None:
        run.note(f"the latest failure: {one_line(progress.failure, LONGEST_NOTE)}")
    for model, lost in progress.dropped.items():
        cost = f" and ${lost.cost_usd:.4f}" if lost.cost_usd else ""
        run.note(f"{model} was away for {lost.calls} calls, which took {lost.response_s:.1f} s{cost}")
    for count, words in (
        (progress.chains, f"answers came of chains, which asked {progress.chain_asks} times"),
        (progress.fallbacks, "answers are of another model than the one that was asked first and failed"),
        (progress.cut, "answers were cut at a limit of length or by a filter: see their finish_reason"),
        (progress.refused, "answers are refusals of the model"),
        *(
            (count, f"answers of {model} are another model's, as its server says: see `zetaroute log show`")
            for model, count in progress.other_models.items()
        ),
    ):
        if count:
            run.note(f"{count} {words}")
    for one in progress.promotions:
        run.note(f"{one.version} serves in place of {one.previous}: {one.reason}")
    if progress.ungraded:
        run.note(f"{progress.ungraded} answers got no grade: `zetaroute grade` tries again")
    if progress.stopped:
        run.note(f"stopped: {progress.stopped}; run the same command again to go on")


def _tell_newcomers(run: Run) -> None:
    """Say how far the models are that are still newcomers."""
    from zetaroute.analysis.model_table import model_table, onboarding_notes
    from zetaroute.router.router import open_router

    for note in onboarding_notes(model_table(open_router(run.home, run.settings(quiet=True)), run.log())):
        run.note(note)
