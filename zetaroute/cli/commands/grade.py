"""`grade`: mark answers that are in the log already."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from zetaroute.cli.options import Json
from zetaroute.cli.printing import moment, out, out_json, telling
from zetaroute.cli.session import Run, session

if TYPE_CHECKING:
    from zetaroute.batch.regrade import RegradeSummary

_REASONS_SHOWN = 5
INTERRUPTED = 130


def grade_command(
    context: typer.Context,
    since: str | None = typer.Option(None, help="Only answers from this moment on: 2026-01-31, 7d, 12h."),
    grader: str | None = typer.Option(None, help="Grade by this one instead of each answer's own."),
    task: str | None = typer.Option(None, help="Only answers to queries with this label."),
    limit: int | None = typer.Option(None, min=1, help="At most N answers, the newest first."),
    all_: bool = typer.Option(False, "--all", help="Grade again what this grader has graded before."),
    concurrency: int = typer.Option(8, min=1, help="Answers graded at once."),
    json: Json = False,
) -> None:
    """Grade answers of the log that have a reference, or any answers by a program or a judge of the config.

    What a grader has graded is not graded again; Ctrl-C keeps what is done, and the same command goes on.

    \b
    Examples
      zetaroute grade
      zetaroute grade --since 7d --task extraction --grader json
      zetaroute grade --grader my-judge --limit 200
      zetaroute grade --grader my-checks --all
    """
    import asyncio

    from zetaroute.batch.regrade import RegradeSelection, RegradeSummary, regrade

    run = session(context)
    log, tally = run.log(), RegradeSummary()
    settings = run.settings(quiet=True)
    wanted = RegradeSelection(grader=grader, since=moment(since), task=task, limit=limit, again=all_)
    interrupted = False
    try:
        with telling("grading", quiet=run.quiet) as tell:
            graded = regrade(
                log,
                settings,
                wanted,
                concurrency=concurrency,
                tally=tally,
                on_progress=(lambda now: tell(_line(now))) if tell else None,
            )
            asyncio.run(graded)
    except KeyboardInterrupt:
        interrupted = True
    finally:
        log.merge(patience_s=2.0)
    _tell(run, tally, json=json)
    if interrupted:
        run.note("interrupted: what was graded is kept, and the same command goes on")
        raise typer.Exit(INTERRUPTED)


def _tell(run: Run, tally: RegradeSummary, *, json: bool) -> None:
    from zetaroute.report.terminal import one_line

    if json:
        out_json(tally.summary())
    else:
        out(_line(tally))
    for reason, times in sorted(tally.notes.items(), key=lambda item: -item[1])[:_REASONS_SHOWN]:
        run.note(f"no grade for {times}: {one_line(reason, 200)}")
    if tally.stopped:
        run.note(
            f"stopped: the {tally.stopped} is used up; {tally.left} answers are left to grade, and the same command "
            "goes on when there is money again"
        )
    if tally.self_judged:
        run.note(f"{tally.self_judged} answers were judged by the model that gave them")


def _line(tally: RegradeSummary) -> str:
    if not tally.rows:
        return "nothing to grade: every answer that can be graded is"
    accuracy = f", accuracy {100 * tally.accuracy_sum / tally.graded:.1f}%" if tally.graded else ""
    missed = f", {tally.no_grade} without a grade" if tally.no_grade else ""
    cost = f", judging cost ${tally.cost_usd:.4f}" if tally.cost_usd else ""
    return f"{tally.graded} of {tally.rows} graded{missed}{accuracy}{cost}"
