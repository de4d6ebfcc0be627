"""What the shell offers after a tab: models, versions and answers by their names.

It must be quick and must never fail: whatever goes wrong, nothing is offered.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path

import typer

from zetaroute.cli.session import Run

LATEST = 30
"""Answers that are offered, the newest first."""

Offers = list[tuple[str, str]]
_BREAK = re.compile("[:=@]+")
"""Where bash ends a word."""


def _offering(offers: Callable[[Run], Iterable[tuple[str, str]]]) -> Callable[[typer.Context, str], Offers]:
    """Return what typer asks: the names that go on as the line does, until something goes wrong."""

    def offered(context: typer.Context, incomplete: str) -> Offers:
        found: Offers = []
        # A broken config or a busy log must not write into the line that is typed.
        with suppress(Exception):
            for name, note in offers(_run(context)):
                if name.startswith(incomplete):
                    found.append((name, note))
        return found

    return offered


@_offering
def models(run: Run) -> Iterable[tuple[str, str]]:
    """Offer the configured models with what they cost."""
    for arm in run.settings().arms:
        price = (
            "price unknown" if arm.prices is None else f"${arm.prices.input:g}/${arm.prices.output:g} per 1M"
        )
        yield arm.id, price
        yield from ((alias, arm.id) for alias in arm.aliases)


@_offering
def versions(run: Run) -> Iterable[tuple[str, str]]:
    """Offer the policy versions, newest first."""
    from zetaroute.registry import COLD, Registry

    registry = Registry(run.home.artifacts)
    current = registry.current_or_none()
    for version in (*reversed(registry.versions()), COLD):
        yield version, "serves now" if version == current else ""
    yield "current", ""


@_offering
def answers(run: Run) -> Iterable[tuple[str, str]]:
    """Offer the ids of the latest answers with the beginnings of their queries."""
    yield from _answers(run)


@_offering
def graders(_: Run) -> Iterable[tuple[str, str]]:
    """Offer the graders."""
    from zetaroute.grading import grader_names

    yield from ((name, "") for name in grader_names())


@_offering
def ratings(run: Run) -> Iterable[tuple[str, str]]:
    """Offer what an answer can be rated, and the ids of the latest ones."""
    yield from (("up", "good"), ("down", "bad"), *((str(stars), "of 5") for stars in range(1, 6)))
    yield from _answers(run)


def _run(context: typer.Context) -> Run:
    """Return the session of the line as far as it is typed."""
    said = context.find_root().params
    home, config = said.get("home"), said.get("config")
    return Run(
        home_option=Path(home) if home else None, config_option=Path(config) if config else None, quiet=True
    )


def _answers(run: Run) -> Iterable[tuple[str, str]]:
    """Yield the latest answers of the journal and of the file, which is only read and never waited for."""
    from zetaroute.log.journal import Journal
    from zetaroute.report.terminal import one_line

    waiting = [
        row for _, entry in Journal(run.home.journal).named_lines() for row in entry.get("outcomes") or ()
    ]
    found = {
        row["id"]: row["query"] for row in waiting if row["status"] == "ok" and row.get("role") != "audit"
    }
    found |= _stored(run.home.database)
    for outcome_id in sorted(found, reverse=True)[:LATEST]:
        yield outcome_id, one_line(found[outcome_id] or "", 40)


def _stored(database: Path) -> dict[str, str]:
    import duckdb

    from zetaroute.log.views import GIVEN

    if not database.exists():
        return {}
    try:
        with duckdb.connect(str(database), read_only=True) as connection:
            latest = f"SELECT id, query FROM outcomes WHERE status = 'ok' AND {GIVEN} ORDER BY id DESC"
            return dict(connection.execute(f"{latest} LIMIT {LATEST}").fetchall())
    except duckdb.Error:
        return {}


def mend_bash() -> None:
    """Have bash complete names that hold what it takes for the end of a word, such as `ollama/llama3.2:3b`.

    It hands such a name over in pieces and puts what it is offered in the place of the last one alone.
    """
    from click import shell_completion

    bash = shell_completion.get_completion_class("bash") or shell_completion.BashComplete

    class Pieces(bash):  # type: ignore[misc, valid-type]  # typer's own, which says how answers look
        kept = ""

        def get_completion_args(self) -> tuple[list[str], str]:
            place = int(os.environ["COMP_CWORD"])
            pieces = shell_completion.split_arg_string(os.environ["COMP_WORDS"])[1 : place + 1]
            if len(pieces) < place:
                return _words(pieces), ""
            *args, incomplete = _words(pieces)
            self.kept = _kept(pieces, incomplete)
            return args, incomplete

        def format_completion(self, item: shell_completion.CompletionItem) -> str:
            return str(super().format_completion(item)).removeprefix(self.kept)

    shell_completion.add_completion_class(Pieces, "bash")


def _words(pieces: Sequence[str]) -> list[str]:
    """Return the words that bash has broken into pieces."""
    words: list[str] = []
    for before, piece in zip(("", *pieces), pieces, strict=False):
        if words and (_BREAK.fullmatch(before) or _BREAK.fullmatch(piece)):
            words[-1] += piece
        else:
            words.append(piece)
    return words


def _kept(pieces: Sequence[str], incomplete: str) -> str:
    """Return what of a name is on the line already and stays there."""
    replaced = "" if pieces[-1] in {":", "="} else pieces[-1]
    if pieces[-2:-1] == ["@"]:  # this one bash counts to what follows it
        replaced = "@" + replaced
    kept = incomplete.removesuffix(replaced)
    return kept.partition("=")[2] if kept.startswith("-") else kept
