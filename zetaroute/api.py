"""A home as Python and notebooks use it: the same flows as the commands, and the same rows in the same log.

Apart from the flows because of whom it serves: somebody who has an event loop running already, wants a table, and
has no screen to write to.
"""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from zetaroute.config import PRESETS, Home, Objective, Settings, find_home, load_settings
from zetaroute.domain import Candidate, Query
from zetaroute.errors import UsageError

if TYPE_CHECKING:
    import polars as pl

    from zetaroute.log.log import Log
    from zetaroute.router.attempts import Round

By = Literal["task", "model", "segment", "day", "version"]
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """An answer and how it came about."""

    id: str
    """What `feedback` names it by."""
    text: str
    model: str
    policy: str
    propensity: float | None
    """Probability with which the model was drawn; None where it was pinned."""
    explored: bool
    response_s: float
    cost_usd: float | None
    """None: a price is unknown."""
    input_tokens: int | None
    output_tokens: int | None
    accuracy: float | None
    """0 to 1, where a reference was given."""
    candidates: tuple[Candidate, ...]
    """Every model with what was expected of it."""

    def __str__(self) -> str:
        """Return the text."""
        return self.text


@dataclass(frozen=True, slots=True)
class OpenHome:
    """One home with its settings. Nothing is held open between two calls."""

    home: Home
    settings: Settings

    def ask(
        self,
        prompt: str,
        *,
        model: str | None = None,
        system: str | None = None,
        task: str | None = None,
        reference: str | None = None,
        grader: str | None = None,
        tags: Sequence[str] = (),
        prefer: str | None = None,
        max_cost_usd: float | None = None,
        local_only: bool = False,
        conversation: str | None = None,
        timeout_s: float | None = None,
        seed: int | None = None,
        keep: bool = True,
    ) -> Answer:
        """Ask one query as `zetaroute ask` does and return the answer; `keep=False` keeps nothing of it.

        `model` pins one; `conversation` goes on with one of that name and keeps its model. Works inside a running
        event loop, which waits meanwhile. Raises UsageError for a wrong argument, NoAnswerError when no model
        could answer.
        """
        query = Query(
            text=prompt, system=system, task=task, reference=reference, grader=grader, tags=tuple(tags)
        )
        kept: str | None = None
        if conversation is not None:
            query, kept = self._in_conversation(query, conversation)
        played = _own_loop(
            lambda: self._play(
                query,
                model=model,
                kept=kept,
                objective=_objective(prefer),
                max_cost_usd=max_cost_usd,
                local_only=local_only,
                timeout_s=timeout_s,
                seed=random.randrange(2**48) if seed is None else seed,
                keep=keep,
            )
        )
        if keep:
            self._log().merge()
        return _answer(played)

    def feedback(
        self,
        outcome_id: str,
        value: str | float | bool,
        *,
        metric: str | None = None,
        comment: str | None = None,
        author: str = "user",
    ) -> None:
        """Keep what is thought of an answer: 1 to 5, True or False, `up`, `down`, a verdict; or any `metric`.

        Raises UsageError for an unknown id or a value that means nothing.
        """
        from zetaroute.feedback.ratings import rate

        word = ("up" if value else "down") if isinstance(value, bool) else str(value)
        rate(self._log(), word, outcome_id=outcome_id, metric=metric, comment=comment, author=author)

    def frame(self, *, since: datetime | None = None) -> pl.DataFrame:
        """Return the rounds, oldest first: a row per attempt with its decision and what is known of its answer."""
        import polars as pl

        from zetaroute.log.log import rows_since

        with self._log().open() as connection:
            return pl.DataFrame(
                rows_since(connection, "SELECT * FROM rounds", _moment(since), order="time, id")
            )

    def kpi(self, *, by: By | None = None, since: datetime | None = None) -> dict[str, Any]:
        """Return the key figures of what was served, each with its interval, as `zetaroute kpi --json` does."""
        from zetaroute.analysis.kpi import kpis

        return kpis(log=self._log(), settings=self.settings, home=self.home, by=by, since=_moment(since))

    def _log(self) -> Log:
        from zetaroute.projections import log_of

        return log_of(self.home, self.settings.privacy)

    def _in_conversation(self, query: Query, conversation: str) -> tuple[Query, str | None]:
        """Return the query behind its conversation's turns, and the model that goes on there, if one does."""
        from zetaroute.router.conversations import in_conversation

        continued, kept = in_conversation(self._log(), query, conversation)
        return continued, kept if kept in {arm.id for arm in self.settings.arms} else None

    def _play(
        self,
        query: Query,
        *,
        model: str | None,
        kept: str | None,
        objective: Objective | None,
        max_cost_usd: float | None,
        local_only: bool,
        timeout_s: float | None,
        seed: int,
        keep: bool,
    ) -> Round:
        from zetaroute.grading.graders import Graders
        from zetaroute.policy import Limits
        from zetaroute.router.attempts import check_query
        from zetaroute.router.engine import ask, choose
        from zetaroute.router.prepare import embedded_now, may_be_embedded, parse_check
        from zetaroute.router.router import open_router

        graders = Graders(self.settings)
        check_query(query, graders)
        router = open_router(self.home, self.settings)
        query = router.tagged(graders.checked(query, parse_check(None)))
        limits = Limits(local_only=local_only, max_cost_usd=max_cost_usd)
        endpoint = self.settings.embedding
        if endpoint is not None and may_be_embedded(query, self.settings, limits):
            query = embedded_now(query, endpoint)
        decision = choose(
            router, query, seed=seed, model=model, kept=kept, limits=limits, objective=objective
        )
        if keep:
            self.home.make()
        journal = self._log().journal if keep else None
        return asyncio.run(ask(router, query, decision, journal=journal, timeout_s=timeout_s, limits=limits))


def open_home(
    home: str | os.PathLike[str] | None = None, *, config: str | os.PathLike[str] | None = None
) -> OpenHome:
    """Return a home with its settings; raises ConfigError for a config that cannot be used."""
    found = find_home(None if home is None else Path(home))
    return OpenHome(found, load_settings(None if config is None else Path(config), found.config))


def _own_loop(work: Callable[[], _T]) -> _T:
    """Do work that starts an event loop; in a thread of its own where one runs already, as in a notebook."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return work()
    with ThreadPoolExecutor(max_workers=1) as thread:
        return thread.submit(work).result()


def _objective(prefer: str | None) -> Objective | None:
    if prefer is not None and prefer not in PRESETS:
        raise UsageError(f"prefer is {prefer!r}: choose one of {', '.join(PRESETS)}.")
    return None if prefer is None else PRESETS[prefer]


def _moment(since: datetime | None) -> str | None:
    if since is None:
        return None
    return (since.astimezone(UTC).replace(tzinfo=None) if since.tzinfo else since).isoformat()


def _answer(played: Round) -> Answer:
    row, decision = played.outcome, played.decision
    return Answer(
        id=row.id,
        text=row.response or "",
        model=row.model,
        policy=decision.policy_version,
        propensity=decision.propensity,
        explored=decision.explored,
        response_s=played.response_s,
        cost_usd=played.cost_usd,
        input_tokens=row.input_tokens,
        output_tokens=row.output_tokens,
        accuracy=played.accuracy,
        candidates=decision.candidates,
    )
