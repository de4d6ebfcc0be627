"""What `ask` shows of an answer and what it does with it afterwards."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

import typer

from zetaroute.cli.commands.rate import ask_rating
from zetaroute.cli.printing import out, out_json, say, write
from zetaroute.cli.session import Run
from zetaroute.errors import StoreError

if TYPE_CHECKING:
    from zetaroute.domain import Attempt, Check, Decision, Query
    from zetaroute.log.log import Log
    from zetaroute.router.answer import Answer
    from zetaroute.router.engine import Engine
    from zetaroute.router.options import AskOptions


def answer(
    run: Run,
    engine: Engine,
    query: Query,
    options: AskOptions,
    *,
    check: Check | None = None,
    keep: bool = True,
    stream: bool = True,
    rate: str | None = None,
    usage: bool = False,
    json: bool = False,
    on_decision: Callable[[Query, Decision], None] | None = None,
) -> Answer:
    """Ask, show the answer as it comes, keep what came of it, ask for a rating where that was drawn; return it."""
    import asyncio

    from zetaroute.router.answer import UnansweredError, UnkeptAnswerError
    from zetaroute.router.options import Callbacks

    log = run.log(engine.router.settings) if keep else None
    if log is not None:
        log.home.make()
    show = _AnswerScreen(run)
    asking = engine.ask(
        query,
        options,
        check=check,
        callbacks=Callbacks(on_text=show.piece if stream else None, on_switch=show.switch),
        on_decision=on_decision,
        journal=log.journal if log else None,
    )
    unkept: StoreError | None = None
    try:
        answer = asyncio.run(asking)
    except UnkeptAnswerError as error:
        answer, unkept = error.answer, error
    except UnansweredError as error:
        _audited(run, engine, error.answer, options, log)
        raise
    except KeyboardInterrupt:
        say("interrupted: " + ("what came until now is kept in the log." if keep else "nothing is kept."))
        raise typer.Exit(130) from None
    if json:
        # One object tells all; a person has the answer before other models are asked.
        answer = _audited(run, engine, answer, options, None if unkept else log)
        out_json(answer.json())
    else:
        show.end(answer)
    _tell(run, engine, answer, usage=usage)
    if unkept is not None:
        raise unkept
    _note_grade(run, answer, explained=on_decision is not None)
    if answer.outcome.asked:
        ask_rating(run, answer.id)
    if log is not None:
        if not json:
            _audited(run, engine, answer, options, log)
        _merge(run, log, answer, rate)
    return answer


def _tell(run: Run, engine: Engine, answer: Answer, *, usage: bool) -> None:
    from zetaroute.router.notes import news, notes_of

    for words in (*news(engine.router), *notes_of(answer, asked_for=engine.router.arms[answer.model].model)):
        run.note(words)
    if usage:
        say(usage_line(answer))


def usage_line(answer: Answer) -> str:
    """Return model, tokens, time and cost in one line."""
    from zetaroute.report.figure_words import amount

    row = answer.outcome
    about = "about " if row.tokens_estimated else ""
    read, written = (
        "?" if count is None else f"{count:,}" for count in (row.input_tokens, row.output_tokens)
    )
    cost = "cost unknown" if answer.cost_usd is None else amount(answer.cost_usd, "usd")
    asked = len(answer.entry.outcomes)
    others = f" ({asked} models asked)" if asked > 1 else ""
    tokens, took = f"{about}{read} tokens in, {written} out", amount(answer.response_s, "seconds")
    return f"{answer.model}{others}, {tokens}, {took}, {cost}"


def _audited(run: Run, engine: Engine, answer: Answer, options: AskOptions, log: Log | None) -> Answer:
    """Ask other models the same where the coin said so, to learn from; without a log none is asked."""
    import asyncio

    from zetaroute.router.audits import FIRST_AUDIT, asked_beside

    if log is None or not asked_beside(answer.decision):
        return answer
    if engine.router.audit_rows == 0:
        run.note(FIRST_AUDIT)
    return asyncio.run(engine.finish_audit(answer, options, log.journal))


def _note_grade(run: Run, answer: Answer, *, explained: bool) -> None:
    """Say what a chain thought of the answers, which ones failed their check, and why there is no grade."""
    if explained and answer.chain:
        from zetaroute.report.decisions_outcomes import chain_lines

        for line in chain_lines(answer.chain):
            run.note(f"chain: {line}")
    if answer.check is not None:
        from zetaroute.router.attempts import PASSES

        *before, _ = [row.model for row in answer.entry.outcomes if row.status == "ok"]
        if before and not answer.chain:
            run.note(f"{', '.join(before)} failed the check, so {answer.model} was asked")
        if answer.check < PASSES:
            run.note("no answer passed the check: this is the last one")
    if answer.note is not None:
        from zetaroute.report.terminal import plain

        run.note(f"no grade: {plain(answer.note)}")


def _merge(run: Run, log: Log, answer: Answer, rating: str | None) -> None:
    """Keep the rating, and now and then bring the journal into the log, now that the answer is on screen."""
    try:
        if rating is not None:
            from zetaroute.feedback.ratings import keep_rating, parse_rating

            keep_rating(log.journal, answer.id, parse_rating(rating), prompted=False)
        log.keep_up(read_soon=answer.query.conversation is not None)
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

    def end(self, answer: Answer) -> None:
        if not self._shown:
            write(self._safe(answer.text))
        out("")
        if not self._told:
            from zetaroute.router.notes import failed_before

            for words in failed_before(answer):
                self._run.note(words)

    def _safe(self, text: str) -> str:
        """A terminal is protected from what a model writes; a pipe gets it as it is."""
        if self._raw:
            return text
        from zetaroute.report.terminal import plain

        return plain(text)
