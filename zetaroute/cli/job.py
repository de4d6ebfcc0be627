"""One run of `batch`: what it works with, how it is played, interrupted and previewed.

Apart from the command because that only parses what was typed and shows what came out.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from zetaroute.cli.context import Session
from zetaroute.cli.meter import Meter, shown
from zetaroute.cli.render import out, out_json
from zetaroute.errors import StoreError

if TYPE_CHECKING:
    from zetaroute.flows.answers import Format
    from zetaroute.flows.batch import Plan
    from zetaroute.flows.intake import Intake
    from zetaroute.flows.ledger import Ledger
    from zetaroute.flows.progress import Progress
    from zetaroute.flows.round import Round

INTERRUPTED = 130


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """Everything one run of the command works with."""

    run: Session
    plan: Plan
    intake: Intake
    ledger: Ledger
    target: Path
    form: Format
    limit: int | None

    def play(self, *, restart: bool) -> Progress:
        """Ask what is left to ask; raises typer.Exit when a second Ctrl-C ended it at once."""
        from zetaroute.flows.sole import sole_writer

        with sole_writer(self.target):
            return self._play(restart=restart)

    def _play(self, *, restart: bool) -> Progress:
        import asyncio

        from zetaroute.flows.leftovers import note_export
        from zetaroute.flows.output import resume

        self.run.home.make()
        log = self.run.log(self.run.settings(quiet=True))
        note_export(log, self.target, run=self.plan.run)
        if restart:
            self.target.unlink(missing_ok=True)
        else:
            by_model = bool(self.plan.models)
            resume(log, self.plan.run, self.target, self.ledger, form=self.form, by_model=by_model)
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

        from zetaroute.flows.batch import run_batch
        from zetaroute.flows.output import Output
        from zetaroute.flows.router import open_router

        stopping = asyncio.Event()
        meter = Meter(self.intake.share_read, self.limit)
        with (
            shown(meter, quiet=self.run.quiet) as advance,
            Output(self.target, form=self.form, by_model=bool(self.plan.models)) as output,
            _interruptible(self.run, stopping) as interrupts,
        ):
            settings = self.run.settings(quiet=True)
            progress = await run_batch(
                open_router(self.run.home, settings),
                islice(self.intake.rows, self.limit),
                log=self.run.log(settings),
                plan=self.plan,
                ledger=self.ledger,
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
        from zetaroute.flows.answers import answer_of

        out(answer_of(played).line(self.form).rstrip("\n"))

    def preview(self, *, restart: bool, json: bool) -> None:
        """Show what the rest would cost."""
        from itertools import islice

        from zetaroute.flows.output import note_answered
        from zetaroute.flows.preview import preview
        from zetaroute.flows.router import open_router

        if not restart and self.run.home.database.exists():
            note_answered(self.run.log(), self.plan.run, self.ledger)
        router = open_router(self.run.home, self.run.settings(quiet=True))
        found = preview(router, islice(self.intake.rows, self.limit), self.plan, self.ledger)
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
def _interruptible(run: Session, stopping: asyncio.Event) -> Iterator[list[int]]:
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
