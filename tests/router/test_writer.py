"""The writer of a run goes on, whatever one row holds."""

from __future__ import annotations

import asyncio

from tests.log.test_log import outcome
from zetaroute.errors import StoreError
from zetaroute.log.journal import Entry
from zetaroute.log.log import Log
from zetaroute.router.router import open_router
from zetaroute.router.writer import Writer


def test_a_row_that_cannot_be_written_costs_no_other_one(home, settings):
    nested: list = []
    for _ in range(100_000):
        nested = [nested]
    failures: list[StoreError] = []

    async def run() -> list[bool]:
        log = Log(home)
        writer = Writer(router=open_router(home, settings), log=log, on_failure=failures.append, lasting=True)
        waiting = [
            writer.add_entry(Entry(outcomes=(row,)))
            for row in (outcome(query="first"), outcome(candidates=nested), outcome(query="third"))
        ]
        kept = await asyncio.gather(*waiting)
        kept.append(await writer.add_entry(Entry(outcomes=(outcome(query="later"),))))
        await writer.aclose()
        with log.open() as connection:
            assert connection.execute("SELECT query FROM outcomes ORDER BY query").fetchall() == [
                ("first",),
                ("later",),
                ("third",),
            ]
        return kept

    assert asyncio.run(run()) == [True, False, True, True]
    assert [str(error).partition(" (RecursionError")[0] for error in failures] == ["a row cannot be written"]


def test_a_log_that_takes_no_rows_is_told_until_it_does(home, settings):
    told: list[StoreError | None] = []

    async def run() -> None:
        log = Log(home)
        log.append([Entry(outcomes=(outcome(),))])
        writer = Writer(
            router=open_router(home, settings),
            log=log,
            on_failure=told.append,
            on_merge=told.append,
            lasting=True,
        )
        home.database.write_bytes(b"this is no database" * 1000)
        await writer._follow()
        home.database.unlink()
        await writer._follow()
        await writer.aclose()

    asyncio.run(run())
    assert ["cannot be opened as the outcome log" in str(one) for one in told] == [True, False]
    assert told[1] is None
