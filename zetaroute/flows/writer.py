"""Makes the finished rows of a batch safe, group by group: journal first, then the output, then the counts.

Apart from the batch because its workers only ever wait for it: a worker takes its next row when its last one is
safe, so a kill costs at most the answers of the rows that were under way.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable

from zetaroute.errors import ArtifactError, StoreError
from zetaroute.flows.answers import answer_of
from zetaroute.flows.output import Output
from zetaroute.flows.progress import Progress
from zetaroute.flows.round import Round
from zetaroute.flows.router import Router
from zetaroute.store.log import Log
from zetaroute.store.standing import read_past

MERGE_EVERY_S = 5.0
"""Seconds between merges of the journal into the DuckDB file while a batch runs."""

Safe = asyncio.Future[None]


class Writer:
    """The one place of a batch that writes."""

    def __init__(
        self,
        *,
        router: Router,
        log: Log,
        output: Output | None,
        progress: Progress,
        on_round: Callable[[Round], None] | None,
        on_progress: Callable[[Progress], None] | None,
        on_unkept: Callable[[Round], None] | None,
        on_failure: Callable[[StoreError], None],
    ) -> None:
        self._router = router
        self._spending = router.spending
        self._log = log
        self._output = output
        self._progress = progress
        self._on_round = on_round
        self._on_progress = on_progress
        self._on_unkept = on_unkept
        self._on_failure = on_failure
        self._waiting: asyncio.Queue[tuple[Round, Safe] | None] = asyncio.Queue()
        self._task = asyncio.create_task(self._write())
        self._merging: asyncio.Task[bool] | None = None
        self._merged_at = time.monotonic()

    def add(self, played: Round) -> Safe:
        """Take a finished round; the future is done when it was written."""
        safe: Safe = asyncio.get_running_loop().create_future()
        self._waiting.put_nowait((played, safe))
        return safe

    async def aclose(self) -> None:
        """Write what is still there."""
        self._waiting.put_nowait(None)
        await self._task
        if self._merging is not None:
            await asyncio.wait([self._merging])

    async def _write(self) -> None:
        ended = False
        while not ended:
            group = [await self._waiting.get()]
            while not self._waiting.empty():
                group.append(self._waiting.get_nowait())
            ended = None in group
            found = [one for one in group if one is not None]
            if found:
                await self._keep([played for played, _ in found])
            for _, safe in found:
                if not safe.done():
                    safe.set_result(None)

    async def _keep(self, rounds: list[Round]) -> None:
        try:
            await asyncio.to_thread(self._log.append, [played.entry for played in rounds])
        except StoreError as error:
            self._on_failure(error)
            for played in rounds:
                if self._on_unkept is not None and played.outcome.status == "ok":
                    self._on_unkept(played)
        for played in rounds:
            self._spending.keep(played.spent_usd)
        self._tell([played for played in rounds if played.outcome.status != "cancelled"])
        await self._merge_now_and_then()

    def _tell(self, rounds: list[Round]) -> None:
        try:
            if self._output is not None:
                for played in rounds:
                    self._output.answer(answer_of(played))
                self._output.flush()
        except StoreError as error:
            self._on_failure(error)
        for played in rounds:
            self._progress.count(played)
            if self._on_round is not None:
                self._on_round(played)
        if self._on_progress is not None:
            self._on_progress(self._progress)

    def _obey(self) -> None:
        """Follow what the merge has decided; a version that cannot be loaded is no reason to stop a batch."""
        with contextlib.suppress(ArtifactError):
            self._router.obey(self._log.home)

    async def _merge_now_and_then(self) -> None:
        """Merge beside the writing; where that fails, rows stay in the journal and the last merge tells of it."""
        if self._merging is not None and self._merging.done():
            self._merging.exception()
            self._merging, self._merged_at = None, time.monotonic()
            await asyncio.to_thread(self._obey)
            if self._spending.limited:
                # Other processes spend too. Nothing is kept meanwhile, so that no row is counted twice or never.
                past = await asyncio.to_thread(read_past, self._log.home)
                self._spending.refresh(past.spent_usd)
        if self._merging is None and time.monotonic() - self._merged_at > MERGE_EVERY_S:
            self._merging = asyncio.create_task(asyncio.to_thread(self._log.merge))
