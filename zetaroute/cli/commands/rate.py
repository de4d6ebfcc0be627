"""`rate`, and the question after an answer: one line, one key, and gone again."""

from __future__ import annotations

import sys

import typer

from zetaroute.cli import completion as complete
from zetaroute.cli.session import Run, session
from zetaroute.errors import UsageError

PATIENCE_S = 30.0
"""No answer is needed: after this long the question goes away by itself."""
_QUESTION = "How was it? 1-5, u (up), d (down); Enter skips: "


def rate_command(
    context: typer.Context,
    words: list[str] = typer.Argument(
        ...,
        metavar="[ID] VALUE",
        autocompletion=complete.ratings,
        help="1-5, up, down, or a verdict: good_fit, underpowered, overprovisioned, failed.",
    ),
    metric: str | None = typer.Option(None, help="A metric of your own."),
    comment: str | None = typer.Option(None, help="Why."),
    author: str = typer.Option("user", help="Who rates; the latest of each author counts."),
) -> None:
    """Rate an answer: that of the last `ask`, or the one with the given id.

    An id may be cut short where no other begins like it, and stand before or after the value.

    \b
    Examples
      zetaroute rate up
      zetaroute rate 4 --comment "right, but slow"
      zetaroute rate 0192f0c1 2
      zetaroute rate overprovisioned --comment "a smaller model would have done"
    """
    from zetaroute.feedback.ratings import is_rating, rate
    from zetaroute.log.named_outcomes import LAST
    from zetaroute.report.figure_words import opinion
    from zetaroute.report.terminal import one_line

    if len(words) > 2:
        raise UsageError("rate takes at most an id and a value: zetaroute rate [ID] VALUE.")
    *ids, value = words
    if ids and is_rating(ids[0], metric) and not is_rating(value, metric):
        ids, value = [value], ids[0]
    run = session(context)
    rated = rate(
        run.log(),
        value,
        outcome_id=ids[0] if ids else LAST,
        metric=metric,
        comment=comment,
        author=author,
    )
    kept = rated.feedback
    run.note(
        f"kept {kept.metric} {kept.label or opinion(kept.metric, kept.value)} for {kept.outcome_id} "
        f"({rated.model}: {one_line(rated.query or 'no text is kept', 40)} -> {one_line(rated.response or '', 40)})"
    )


def rating_share(run: Run) -> float | None:
    """Return how often to ask for a rating; None where no user sits at a terminal, or questions are not wanted."""
    share = run.settings(quiet=True).ratings.ask_share
    return None if share == 0.0 or run.quiet or not _can_ask() else share


def ask_rating(run: Run, outcome_id: str) -> None:
    """Ask for a rating of an answer and keep it, if one is given."""
    from zetaroute.feedback.ratings import keep_rating, rating_of
    from zetaroute.log.journal import Journal
    from zetaroute.report.figure_words import opinion

    given = rating_of(_asked_key())
    if given is not None:
        keep_rating(Journal(run.home.journal), outcome_id, given, prompted=True)
        run.note(f"kept {given.metric} {opinion(given.metric, given.value)}; `zetaroute rate` corrects it")


def _can_ask() -> bool:
    """Whether a person sees the answer and can press a key: all three streams are a terminal."""
    streams = (sys.stdin, sys.stdout, sys.stderr)
    return all(stream is not None and stream.isatty() for stream in streams)


def _asked_key() -> str:
    """Show the question on standard error and return the key, empty when none came; leaves the line empty."""
    try:
        return _key()
    except (KeyboardInterrupt, EOFError, OSError):
        return ""
    finally:
        # Not an escape sequence: a terminal that knows none would show it.
        sys.stderr.write("\r" + " " * len(_QUESTION) + "\r")
        sys.stderr.flush()


def _show_question() -> None:
    sys.stderr.write(_QUESTION)
    sys.stderr.flush()


def _key() -> str:
    try:
        import termios
        import tty
    except ImportError:
        import click

        _show_question()
        return click.getchar()
    import os
    import select

    stream = sys.stdin.fileno()
    before = termios.tcgetattr(stream)
    try:
        # What was typed before the question was shown is no answer to it: switching over drops it.
        tty.setcbreak(stream)
        _show_question()
        ready, _, _ = select.select([stream], [], [], PATIENCE_S)
        return os.read(stream, 16).decode("utf-8", "replace")[:1] if ready else ""
    finally:
        termios.tcsetattr(stream, termios.TCSADRAIN, before)
