"""The engine: what a query becomes before it is decided, who answers it, and which rows are made of that."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import pytest

from tests.cli.conftest import fails, http_config, says
from tests.providers.loopback import ModelServer, Reply, Running, Seen, chat, http
from zetaroute.config import Budget, Home, Privacy, Settings, parse_settings
from zetaroute.config.grading import TaskCheck
from zetaroute.domain import Check, Query, Standing
from zetaroute.errors import ConfigError, NoAnswerError, UsageError
from zetaroute.log.journal import Journal
from zetaroute.policy import Limits, Policy, PriorPredictor
from zetaroute.router.answer import Answer, UnkeptAnswerError
from zetaroute.router.attempts import cut_answer
from zetaroute.router.budget import RunBudget, Spending
from zetaroute.router.engine import Engine
from zetaroute.router.options import AskOptions, Callbacks
from zetaroute.router.router import Router

QUERY = Query(text="What is 2 + 3?", reference="5", grader="number")
PINNED = AskOptions(model="practice/large", seed=1)


@pytest.fixture
def server() -> Iterator[ModelServer]:
    running = Running()
    yield running.start()
    running.stop()


def engine_of(settings: Settings, **fields: Any) -> Engine:
    policy = Policy(version="v0000", predictor=PriorPredictor())
    return Engine(Router(**{"settings": settings, "policy": policy, "standings": {}, **fields}), many=False)


def with_endpoint(server: ModelServer) -> Settings:
    def reply(seen: Seen) -> Reply:
        return http({"data": [{"index": 0, "embedding": [1.0, 0.0]}], "usage": {"prompt_tokens": 3}})

    server.reply(reply)
    more = f'[embedding]\nbase_url = "{server.url}/v1"\nmodel = "e1"\ntags = ["elsewhere"]\n'
    return parse_settings(http_config(server) + more, file=None)


def prepared(settings: Settings, query: Query, options: AskOptions = PINNED, **more: Any) -> Query:
    async def run() -> Query:
        async with engine_of(settings) as engine:
            return await engine.prepare(query, options, **more)

    return asyncio.run(run())


def answered(engine: Engine, query: Query, options: AskOptions, callbacks: Callbacks | None = None) -> Answer:
    async def run() -> Answer:
        async with engine:
            ready = await engine.prepare(query, options)
            decision = engine.decide(ready, options)
            return await engine.answer(ready, decision, options, callbacks=callbacks or Callbacks())

    return asyncio.run(run())


def test_a_query_is_embedded_where_its_tags_let_it(server: ModelServer) -> None:
    made = prepared(with_endpoint(server), Query(text="hello"))
    assert made.embedding is not None
    assert made.embedding.values == (1.0, 0.0)


@pytest.mark.parametrize(
    ("query", "options", "privacy"),
    [
        (Query(text="hello", tags=("private",)), PINNED, Privacy()),
        (Query(text="hello"), AskOptions(limits=Limits(local_only=True)), Privacy()),
        # What a detector finds counts before the endpoint is asked.
        (Query(text="write to anna.kowalska@firma.pl"), PINNED, Privacy(detect=("personal",))),
    ],
)
def test_what_must_stay_here_reaches_no_endpoint_elsewhere(
    server: ModelServer, query: Query, options: AskOptions, privacy: Privacy
) -> None:
    made = prepared(replace(with_endpoint(server), privacy=privacy), query, options)
    assert made.embedding is None
    assert server.seen == []


def test_a_check_of_its_own_goes_before_that_of_its_task(settings: Settings) -> None:
    of_the_task = replace(settings, checks=(TaskCheck(task="sums", check=Check(grader="json")),))
    query = Query(text="hello", task="sums")
    assert prepared(of_the_task, query).check == Check(grader="json", reference="{}")
    own = Check(grader="contains", reference="a")
    assert prepared(of_the_task, query, check=own).check == own
    with pytest.raises(UsageError, match="needs something to hold answers against"):
        prepared(settings, query, check=Check(grader="exact"))


def test_a_conversation_keeps_its_model_while_that_is_there_and_well(settings: Settings) -> None:
    failing = Standing(model="practice/large", consecutive_errors=3, last_error_s=0.0)
    kept = AskOptions(kept="practice/large", seed=1)
    assert engine_of(settings).decide(QUERY, kept).kept
    assert not engine_of(settings, standings={failing.model: failing}).decide(QUERY, kept).forced
    assert not engine_of(settings).decide(QUERY, replace(kept, kept="gone/away")).forced
    with pytest.raises(ConfigError, match="no model is called 'gone/away'"):
        engine_of(settings).decide(QUERY, replace(kept, model="gone/away"))


def test_an_alias_pins_the_model_that_it_stands_for(settings: Settings) -> None:
    *others, large = settings.arms
    named = replace(settings, arms=(*others, replace(large, aliases=("big",))))
    decision = engine_of(named).decide(QUERY, AskOptions(model="big"))
    assert (decision.model, decision.pinned) == (large.id, True)


def test_a_seed_repeats_a_decision_and_none_draws_one(settings: Settings) -> None:
    engine = engine_of(settings)
    assert engine.decide(QUERY, AskOptions(seed=7)).seed == 7
    assert len({engine.decide(QUERY, AskOptions()).seed for _ in range(5)}) == 5


@pytest.mark.parametrize("seed", [1, 2, 3, 4])
def test_whether_to_ask_for_a_rating_is_drawn_by_the_seed_and_stands_in_the_row(
    settings: Settings, seed: int
) -> None:
    row = answered(engine_of(settings), QUERY, replace(PINNED, seed=seed, rating_share=0.5)).outcome
    assert (row.ask_probability, row.asked) == (0.5, Random(f"rating {seed}").random() < 0.5)
    nobody = answered(engine_of(settings), QUERY, replace(PINNED, seed=seed)).outcome
    assert (nobody.ask_probability, nobody.asked) == (None, None)


def test_the_first_row_has_the_promised_id_and_the_run(settings: Settings) -> None:
    answer = answered(engine_of(settings), QUERY, replace(PINNED, outcome_id="promised", run="mine"))
    assert (answer.id, answer.outcome.run, answer.accuracy) == ("promised", "mine", 1.0)


def test_an_answer_that_is_checked_is_told_when_it_is_whole(server: ModelServer) -> None:
    server.reply(says(lambda seen: "no" if seen.body["model"] == "m1" else "yes it is"))
    asked: list[str] = []
    pieces: list[str] = []
    hopeful = http_config(server).replace("prior_accuracy = 0.2", "prior_accuracy = 0.95")
    hopeful = hopeful.replace("prior_accuracy = 0.9\n", "prior_accuracy = 0.6\n")
    engine = engine_of(
        parse_settings(hopeful.replace("input = 100, output = 200", "input = 3, output = 9"), file=None)
    )
    query = Query(text="hello", check=Check(grader="contains", reference="yes"))
    wanted = (AskOptions(seed=seed) for seed in range(100))
    options = next(one for one in wanted if engine.decide(query, one).model == "one/m1")
    callbacks = Callbacks(on_text=pieces.append, on_ask=asked.append)
    answer = answered(engine, query, options, callbacks)
    assert (answer.text, answer.check) == ("yes it is", 1.0)
    assert pieces == ["yes it is"]
    assert asked == ["one/m1", "two/m2", "two/m2"]
    assert [row.escalated for row in answer.entry.outcomes] == [False, True]


def test_what_was_asked_counts_in_the_standings(server: ModelServer) -> None:
    server.reply(fails())
    engine = engine_of(parse_settings(http_config(server), file=None))
    answer = answered(engine, Query(text="hello"), AskOptions(model="one/m1"))
    assert answer.error is not None
    assert engine.router.standings["one/m1"].consecutive_errors == 1


def test_a_cancelled_answer_tells_what_there_is_to_write(server: ModelServer) -> None:
    server.reply(says("late", after_s=30.0))
    engine = engine_of(parse_settings(http_config(server), file=None))
    options = AskOptions(model="one/m1", rating_share=1.0)

    async def cut() -> Answer | None:
        async with engine:
            query = await engine.prepare(Query(text="hello"), options)
            asking = asyncio.create_task(engine.answer(query, engine.decide(query, options), options))
            while not server.now:
                await asyncio.sleep(0.01)
            asking.cancel()
            try:
                await asking
            except asyncio.CancelledError as error:
                return cut_answer(error)
        return None

    answer = asyncio.run(cut())
    assert answer is not None
    assert [(row.status, row.asked) for row in answer.entry.outcomes] == [("cancelled", None)]
    assert engine.router.spending.reserved.usd == 0.0


def test_asking_journals_what_happened_and_raises_where_nobody_answered(
    server: ModelServer, tmp_path: Any
) -> None:
    server.reply(fails(400, "not today"))
    settings = replace(parse_settings(http_config(server), file=None), budget=Budget(daily_usd=1e-9))
    journal = Journal(tmp_path / "journal")
    told = []
    engine = engine_of(settings, spending=Spending(Budget()))
    asking = engine.ask(
        Query(text="hello"),
        AskOptions(seed=1),
        on_decision=lambda query, decision: told.append((query.text, decision.seed)),
        journal=journal,
    )
    with pytest.raises(NoAnswerError, match="no model could answer: .*not today"):
        asyncio.run(asking)
    assert told == [("hello", 1)]
    ((_, entry),) = journal.named_lines()
    assert {row["status"] for row in entry["outcomes"]} == {"error"}
    assert len(entry["outcomes"]) == 2


def test_models_that_money_did_not_reach_are_named(server: ModelServer) -> None:
    server.reply(fails(400, "not today"))
    engine = engine_of(parse_settings(http_config(server), file=None))
    engine = Engine(engine.router, budget=RunBudget(1e-3), many=False)
    seeds = (AskOptions(seed=seed) for seed in range(100))
    options = next(one for one in seeds if engine.decide(QUERY, one).model == "one/m1")
    answer = answered(engine, QUERY, options)
    assert [row.model for row in answer.entry.outcomes] == ["one/m1"]
    assert answer.refused == ("two/m2",)


@pytest.mark.parametrize(
    "error", [BrokenPipeError(), ValueError(), UnicodeEncodeError("latin-1", "x", 0, 1, "no")]
)
def test_a_screen_that_breaks_costs_no_row(home: Home, instant_config: str, error: Exception) -> None:
    pieces: list[str] = []

    def broken(piece: str) -> None:
        pieces.append(piece)
        raise error

    engine, journal = engine_of(parse_settings(instant_config, file=None)), Journal(home.journal)
    asking = engine.ask(QUERY, PINNED, callbacks=Callbacks(on_text=broken), journal=journal)
    with pytest.raises(type(error)):
        asyncio.run(asking)
    assert len(pieces) == 1
    ((_, entry),) = journal.named_lines()
    (row,) = entry["outcomes"]
    assert row["status"] == "ok"
    assert row["response"].startswith(pieces[0])


def test_an_answer_whose_row_cannot_be_kept_is_told_with_the_error(
    tmp_path: Path, instant_config: str
) -> None:
    (tmp_path / "journal").write_text("a file in the place of the folder")
    engine = engine_of(parse_settings(instant_config, file=None))
    with pytest.raises(UnkeptAnswerError, match="cannot write the journal") as caught:
        asyncio.run(engine.ask(QUERY, PINNED, journal=Journal(tmp_path / "journal")))
    assert caught.value.answer.text


def test_tokens_of_a_failed_answer_are_in_its_row(server: ModelServer) -> None:
    counted = {
        "prompt_tokens": 1000,
        "completion_tokens": 4096,
        "completion_tokens_details": {"reasoning_tokens": 4096},
    }
    server.reply(http(chat("", finish="length", usage=counted)))
    engine = engine_of(parse_settings(http_config(server), file=None))
    answer = answered(engine, Query(text="hello"), AskOptions(model="one/m1"))
    row = answer.outcome
    assert (row.status, row.error_kind, row.finish_reason) == ("error", "empty", "length")
    assert (row.input_tokens, row.output_tokens, row.reasoning_tokens) == (1000, 4096, 4096)
    assert row.cost_usd == pytest.approx((1000 * 1.0 + 4096 * 2.0) / 1e6)
    assert row.tokens_estimated is False
    assert answer.spent_usd == row.cost_usd
