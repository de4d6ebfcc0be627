"""What `ask` shows of an answer and what it does with it afterwards.

Apart from the command because of its reason to change: what stands on the screen, not what may be asked for.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import typer

from zetaroute.cli.commands.rate import ask_rating, draw
from zetaroute.cli.json_output import round_json
from zetaroute.cli.output import out, out_json, say, write
from zetaroute.cli.session import Run
from zetaroute.errors import StoreError

if TYPE_CHECKING:
    from zetaroute.domain import Attempt, Decision, Query
    from zetaroute.policy import Limits
    from zetaroute.router.attempts import Round
    from zetaroute.router.router import Router


def answer(
    run: Run,
    router: Router,
    query: Query,
    decision: Decision,
    *,
    keep: bool,
    stream: bool,
    timeout_s: float | None,
    limits: Limits,
    rate: str | None,
    json: bool,
) -> None:
    """Ask, show the answer as it comes, keep what came of it, and ask for a rating where the lot says so."""
    import asyncio

    from zetaroute.log.pseudonyms import protected_journal
    from zetaroute.router.engine import ask

    if keep:
        run.home.make()
    show = _AnswerScreen(run)
    lot = draw(run, router, decision) if keep and rate is None and not json else None
    asking = ask(
        router,
        query,
        decision,
        journal=protected_journal(run.home, router.settings.privacy) if keep else None,
        on_text=show.piece if stream else None,
        on_switch=show.switch,
        timeout_s=timeout_s,
        limits=limits,
        lot=lot,
    )
    try:
        played = asyncio.run(asking)
    except KeyboardInterrupt:
        say("interrupted: " + ("what came until now is kept in the log." if keep else "nothing is kept."))
        raise typer.Exit(130) from None
    if json:
        out_json(round_json(played))
    else:
        show.end(played)
    if played.check is not None:
        _tell_check(run, played)
    if played.note is not None:
        from zetaroute.report.terminal import plain

        run.note(f"no grade: {plain(played.note)}")
    if lot is not None and lot.asked:
        ask_rating(run, played.outcome.id)
    if keep:
        _merge(run, played, rate)


def _tell_check(run: Run, played: Round) -> None:
    from zetaroute.router.attempts import PASSES

    *before, _ = [row.model for row in played.entry.outcomes if row.status == "ok"]
    if before:
        run.note(f"{', '.join(before)} failed the check, so {played.outcome.model} was asked")
    if (played.check or 0.0) < PASSES:
        run.note("no answer passed the check: this is the last one")


def _merge(run: Run, played: Round, rating: str | None) -> None:
    """Bring the journal into the log, now that the answer is on screen."""
    from zetaroute.feedback.ratings import keep_rating, parse_rating

    try:
        if rating is not None:
            keep_rating(run.log().journal, played.outcome.id, parse_rating(rating), prompted=False)
        run.log().merge()
    except StoreError as error:
        run.note(f"the answer is safe in the journal, but the log could not take it: {error}")


class _AnswerScreen:
    """Shows an answer as it comes."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._shown = False
        self._told = False
        self._raw = not sys.stdout.isatty()

    def piece(self, text: str) -> None:
        self._shown = True
        write(self._safe(text))

    def switch(self, failed: Attempt, following: str) -> None:
        self._told = True
        if self._shown:
            write("\n")
        self._run.note(f"{failed.model} failed ({failed.error}); asking {following}")

    def end(self, played: Round) -> None:
        if not self._shown:
            write(self._safe(played.outcome.response or ""))
        out("")
        if not self._told:
            for failed in played.entry.outcomes:
                if failed.status == "ok":
                    break
                self._run.note(f"{failed.model} failed ({failed.error}); {played.outcome.model} answered")

    def _safe(self, text: str) -> str:
        """A terminal is protected from what a model writes; a pipe gets it as it is."""
        if self._raw:
            return text
        from zetaroute.report.terminal import plain

        return plain(text)
