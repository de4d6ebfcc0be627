"""Makes answers safe, group by group: journal first, then those that wait for it, then the counts.

Workers only ever wait for it: one is never more than an answer ahead of what is safe, so a kill costs at most the
answers that were under way and one more of each worker. The one place of a run that writes, merges and follows what
the merge has decided.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace

from zetaroute.errors import ArtifactError, StoreError
from zetaroute.log.journal import Entry
from zetaroute.log.log import Log
from zetaroute.log.standings import LogState, read_state
from zetaroute.router.answer import Answer
from zetaroute.router.attempts import cut_answer
from zetaroute.router.notes import turns
from zetaroute.router.relearning import Relearning
from zetaroute.router.router import Router

MERGE_EVERY_S = 5.0
"""Seconds between merges of the journal into the DuckDB file while a run goes on."""
SETTLE_AFTER_S = 0.025
"""Seconds that rows of a lasting run may wait for others to be put on disk with them: one by one that takes as much
of the processor as all the rest of an answer."""

Safe = asyncio.Future[bool]
"""Done when an answer was written, or could not be: then it is False."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Waiting:
    entry: Entry
    answer: Answer | None
    safe: Safe


class Writer:
    """Takes answers and other entries of the log while a run goes on."""

    def __init__(
        self,
        *,
        router: Router,
        log: Log,
        on_done: Callable[[Sequence[Answer]], None] | None = None,
        on_unkept: Callable[[Answer], None] | None = None,
        on_failure: Callable[[StoreError], None],
        on_merge: Callable[[StoreError | None], None] | None = None,
        lasting: bool = False,
    ) -> None:
        """Tell `on_failure` of rows that cannot be written, and `on_merge` why the log takes none (None: it does)."""
        self._router = router
        self._log = log
        self._relearning = Relearning(log.home, router.settings)
        self._on_done = on_done
        self._on_unkept = on_unkept
        self._on_failure = on_failure
        self._on_merge = on_merge
        self._lasting = lasting
        """A run without an end: it follows the log while it idles, and an answer counts as safe when the end of this
        process cannot lose it any more; on disk it is right after."""
        self._waiting: asyncio.Queue[_Waiting | None] = asyncio.Queue()
        self._keeping = asyncio.Lock()
        self._placed: list[str] = []
        self._settling: asyncio.Task[None] | None = None
        self._following: asyncio.Task[None] | None = None
        self._followed_at = time.monotonic()
        self._task = asyncio.create_task(self._write())

    async def take(self, answering: Awaitable[Answer]) -> tuple[Answer, Safe]:
        """Return an answer once it is there, and when it is written; a cancelled one is written too."""
        try:
            answer = await answering
        except asyncio.CancelledError as error:
            if (cut := cut_answer(error)) is not None:
                self._add(cut.entry, cut)
            raise
        return answer, self._add(answer.entry, answer)

    def add_entry(self, entry: Entry) -> Safe:
        """Take what is no answer, such as feedback or an audit; the future is done when it was written."""
        return self._add(entry, None)

    async def aclose(self) -> None:
        """Write what is still there."""
        self._waiting.put_nowait(None)
        await self._task
        for task in (self._settling, self._following):
            if task is not None:
                await asyncio.wait([task])
        self._relearning.leave()

    def _add(self, entry: Entry, answer: Answer | None) -> Safe:
        safe: Safe = asyncio.get_running_loop().create_future()
        self._waiting.put_nowait(_Waiting(entry=entry, answer=answer, safe=safe))
        return safe

    async def _write(self) -> None:
        ended = False
        while not ended:
            group = await self._group()
            ended = None in group
            found = [one for one in group if one is not None]
            if found:
                for one, kept in zip(found, await self._keep(found), strict=True):
                    if not one.safe.done():
                        one.safe.set_result(kept)
            self._follow_now_and_then()

    async def _group(self) -> list[_Waiting | None]:
        """Return all that waits; nothing after a while in which a lasting run idled."""
        try:
            async with asyncio.timeout(MERGE_EVERY_S if self._lasting else None):
                group = [await self._waiting.get()]
        except TimeoutError:
            return []
        while not self._waiting.empty():
            group.append(self._waiting.get_nowait())
        return group

    async def _keep(self, found: Sequence[_Waiting]) -> list[bool]:
        """Write what was found and count it; return of each whether it is written."""
        answers = [one.answer for one in found if one.answer is not None]
        async with self._keeping:
            kept = await self._journal([one.entry for one in found])
            for one, is_kept in zip(found, kept, strict=True):
                self._router.keep(one.entry)
                if is_kept or one.answer is None or self._on_unkept is None:
                    continue
                if one.answer.outcome.status == "ok":
                    self._on_unkept(one.answer)
        if self._on_done is not None:
            try:
                self._on_done(answers)
            except Exception as error:
                self._on_failure(_broken("what was written cannot be reported", error))
        return kept

    async def _journal(self, entries: Sequence[Entry]) -> list[bool]:
        """Write entries and return of each whether it is written; one that breaks something costs no other."""
        try:
            if self._lasting:
                self._placed.append(await asyncio.to_thread(self._log.journal.place, entries))
                if self._settling is None or self._settling.done():
                    self._settling = asyncio.create_task(self._settle())
            else:
                await asyncio.to_thread(self._log.append, entries)
        except StoreError as error:
            self._on_failure(error)
            return [False] * len(entries)
        except Exception as error:
            if len(entries) > 1:
                return [kept for entry in entries for kept in await self._journal([entry])]
            self._on_failure(_broken("a row cannot be written", error))
            return [False]
        return [True] * len(entries)

    async def _settle(self) -> None:
        """Put on disk what was placed, as long as more comes meanwhile."""
        while self._placed:
            await asyncio.sleep(SETTLE_AFTER_S)
            names, self._placed = self._placed, []
            try:
                await asyncio.to_thread(self._log.journal.settle, names)
            except StoreError as error:
                self._on_failure(error)

    def _follow_now_and_then(self) -> None:
        over = self._following is None or self._following.done()
        if over and time.monotonic() - self._followed_at > MERGE_EVERY_S * 0.99:
            self._following = asyncio.create_task(self._follow())

    async def _follow(self) -> None:
        """Merge beside the writing, then follow; where merging fails, rows stay in the journal for the last merge."""
        self._followed_at = time.monotonic()
        try:
            if self._log.journal.segments():
                await asyncio.to_thread(self._log.merge)
            if self._on_merge is not None:
                self._on_merge(None)
        except StoreError as error:
            if self._on_merge is not None:
                self._on_merge(error)
        if self._router.spending.limited or self._router.audit_spending.limited:
            # Other processes spend too. Nothing is kept meanwhile, so that no row is counted twice or never.
            async with self._keeping:
                past = await asyncio.to_thread(self._obey)
                self._router.sync_spending(past)
        else:
            past = await asyncio.to_thread(self._obey)
        self._router.sync_standings(past)
        self._followed_at = time.monotonic()

    def _obey(self) -> LogState:
        """Follow what the merge has decided; a version that cannot be loaded is no reason to stop."""
        past = read_state(self._log.home)
        self._relearning.follow(past.rows)
        before = replace(self._router)
        with contextlib.suppress(ArtifactError):
            self._router.sync_versions(self._log.home, past)
        for words in turns(before, self._router):
            logging.getLogger("zetaroute").warning("note: %s", words)
        return past


def _broken(what: str, error: Exception) -> StoreError:
    return StoreError(
        f"{what} ({type(error).__name__}: {error}): this is a fault of zetaroute; please report it."
    )
