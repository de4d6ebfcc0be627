"""An answer out of a decision: retries, fallbacks, patience and its end, counted by a real server."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest

from tests.support.waiting import PATIENCE_S, in_ever_more_time
from zetaroute.domain import Attempt, Candidate, Decision, Estimate, Query
from zetaroute.errors import ConfigError
from zetaroute.providers.pool import open_providers
from zetaroute.providers.retry import LONGEST_WAIT_S, answer

from .loopback import DONE, RESET, ModelServer, Reply, Seen, chat, delta, http, stream
from .test_openai_provider import arm_at

OK = http(chat("because"))
BUSY = http({"error": "busy"}, status=503)


def candidate(model: str, utility_usd: float, *, eligible: bool = True) -> Candidate:
    flat = Estimate(mean=0.5, se=0.1)
    return Candidate(
        model=model,
        eligible=eligible,
        reason="",
        accuracy=flat,
        satisfaction=flat,
        response_s=flat,
        cost_usd=None,
        utility_usd=Estimate(mean=utility_usd, se=0.1),
        probability=0.25,
    )


# a is drawn; then c, the better one, before b; d is out.
DECISION = Decision(
    candidates=(
        candidate("a", 0.0),
        candidate("b", 0.1),
        candidate("c", 0.2),
        candidate("d", 0.9, eligible=False),
    ),
    model="a",
    propensity=0.25,
    forced=False,
    explored=True,
    policy_version="v1",
    seed=1,
)
FORCED = replace(DECISION, forced=True, propensity=None)


class Call:
    """One call of `answer` with everything written down that it did."""

    def __init__(self, server: ModelServer, decision: Decision = DECISION, **fields: object) -> None:
        arms = {name: arm_at(server, id=name, model=name, **fields) for name in "abcd"}
        self.arms = arms
        self.decision = decision
        self.waits: list[float] = []
        self.shown: list[object] = []
        self.switches: list[object] = []

    def run(self, *, streamed: bool = False, **options: object) -> tuple[Attempt, ...]:
        async def sleep(seconds_s: float) -> None:
            self.waits.append(seconds_s)

        async def main() -> tuple[Attempt, ...]:
            async with open_providers(self.arms.values()) as providers:
                return await answer(
                    decision=self.decision,
                    arms=self.arms,
                    providers=providers,
                    query=Query(text="why?"),
                    on_switch=lambda attempt, model: self.switches.append((attempt.model, model)),
                    **{
                        "on_text": self.shown.append if streamed else None,
                        "sleep": sleep,
                        "rng": random.Random(1),
                        **options,
                    },
                )

        return asyncio.run(main())


def by_model(**replies: Reply) -> Callable[[Seen], Reply]:
    """Answer each model its own way, and the rest well."""
    return lambda seen: replies.get(seen.body["model"], OK)


def asked(server: ModelServer) -> str:
    return "".join(seen.body["model"] for seen in server.seen)


def models(attempts: Sequence[Attempt]) -> str:
    return "".join(attempt.model for attempt in attempts)


@pytest.mark.parametrize("streamed", [True, False])
def test_the_decided_model_answers(server: ModelServer, streamed: bool) -> None:
    server.reply(OK)
    call = Call(server)
    (attempt,) = call.run(streamed=streamed)
    assert (attempt.model, attempt.status, attempt.error_kind, attempt.error) == ("a", "ok", None, None)
    assert attempt.completion is not None
    assert attempt.completion.text == "because"
    assert attempt.elapsed_s >= attempt.completion.response_s
    assert server.seen[0].body["stream"] is streamed
    assert call.shown == (["because"] if streamed else [])
    assert (call.waits, call.switches) == ([], [])


def test_fallbacks_come_in_the_order_of_utility(server: ModelServer) -> None:
    bad = http({"error": "no"}, status=400)
    server.reply(by_model(a=bad, c=bad))
    attempts = Call(server).run()
    assert models(attempts) == asked(server) == "acb"
    assert [attempt.status for attempt in attempts] == ["error", "error", "ok"]
    assert attempts[0].error_kind == "rejected"
    assert attempts[0].error == "a: the server rejected the request (HTTP 400: no)."
    assert attempts[0].completion is None


def test_every_call_but_the_first_may_be_refused(server: ModelServer) -> None:
    bad = http({"error": "no"}, status=400)
    server.reply(by_model(a=(RESET,), c=bad))
    told: list[tuple[str, bool]] = []

    def may_follow(model: str, perhaps_billed: bool) -> bool:
        told.append((model, perhaps_billed))
        return model == "b"

    attempts = Call(server).run(may_follow=may_follow)
    assert models(attempts) == asked(server) == "ab"
    assert told == [("a", True), ("c", True), ("b", True)]


def test_all_of_them_fail(server: ModelServer) -> None:
    server.reply(http({}, status=401))
    attempts = Call(server).run()
    assert models(attempts) == asked(server) == "acb"
    assert {attempt.error_kind for attempt in attempts} == {"unauthorised"}


def test_a_forced_decision_has_no_fallback(server: ModelServer) -> None:
    server.reply(http({}, status=400))
    assert models(Call(server, FORCED).run()) == asked(server) == "a"


@pytest.mark.parametrize(
    ("reply", "tries"),
    [
        pytest.param(BUSY, 3, id="503"),
        pytest.param(http({}, status=429), 3, id="429"),
        pytest.param((RESET,), 3, id="reset"),
        pytest.param(http({}, status=400), 1, id="400"),
        pytest.param(http({}, status=401), 1, id="401"),
        pytest.param(http({}, status=404), 1, id="404"),
        pytest.param(http(chat("")), 1, id="empty"),
        pytest.param(http("{"), 1, id="invalid JSON"),
        pytest.param((2 * PATIENCE_S,), 1, id="timeout"),
    ],
)
def test_only_what_may_pass_is_tried_again(server: ModelServer, reply: Reply, tries: int) -> None:
    def try_it(limit_s: float) -> None:
        server.reply(by_model(a=reply))
        server.seen.clear()
        call = Call(server, timeout_s=limit_s)
        assert models(call.run()) == "ac"
        assert asked(server) == "a" * tries + "c"
        assert len(call.waits) == tries - 1

    in_ever_more_time(try_it)


def test_a_retry_that_succeeds_is_inside_its_attempt(server: ModelServer) -> None:
    server.reply(BUSY, BUSY, OK)
    call = Call(server)
    (attempt,) = call.run()
    assert attempt.status == "ok"
    assert asked(server) == "aaa"
    assert 0.25 <= call.waits[0] <= 0.5
    assert 0.5 <= call.waits[1] <= 1.0


def test_elapsed_time_is_the_whole_time_on_an_arm(server: ModelServer) -> None:
    server.reply((0.2, *BUSY), OK)
    (attempt,) = Call(server).run()
    assert attempt.completion is not None
    assert attempt.elapsed_s - attempt.completion.response_s >= 0.2


@pytest.mark.parametrize("retries", [0, 1, 4])
def test_how_often_is_the_callers_choice(server: ModelServer, retries: int) -> None:
    server.reply(BUSY)
    Call(server, FORCED).run(retries=retries)
    assert len(server.seen) == retries + 1


def test_the_wait_is_jittered_by_the_given_generator(server: ModelServer) -> None:
    server.reply(BUSY)
    waits = []
    for seed in (1, 1, 2):
        call = Call(server, FORCED)
        call.run(rng=random.Random(seed))
        waits.append(call.waits)
    assert waits[0] == waits[1] != waits[2]


def test_retry_after_is_honoured(server: ModelServer) -> None:
    server.reply(http({}, status=429, headers=["Retry-After: 7"]), OK)
    call = Call(server)
    assert models(call.run()) == "a"
    assert 7 <= call.waits[0] <= 8


def test_a_server_that_asks_for_too_much_patience_is_left(server: ModelServer) -> None:
    header = f"Retry-After: {int(LONGEST_WAIT_S) + 1}"
    server.reply(by_model(a=http({}, status=429, headers=[header])))
    call = Call(server)
    assert models(call.run()) == asked(server) == "ac"
    assert call.waits == []


def test_no_wait_goes_past_the_deadline(server: ModelServer) -> None:
    server.reply(by_model(a=http({}, status=429, headers=[f"Retry-After: {LONGEST_WAIT_S:g}"])))
    call = Call(server)
    assert models(call.run(deadline_s=LONGEST_WAIT_S)) == asked(server) == "ac"
    assert call.waits == []


def test_the_deadline_ends_a_call_and_asks_nobody_else(server: ModelServer) -> None:
    server.reply((2 * PATIENCE_S,))
    (attempt,) = Call(server).run(deadline_s=0.3)
    assert (attempt.status, attempt.error_kind) == ("error", "timeout")
    assert attempt.error == "a: the time for this query, 0.3 s, was over before its answer came."
    assert set(asked(server)) <= {"a"}


def test_the_deadline_holds_for_all_arms_together(server: ModelServer) -> None:
    def until_the_deadline(limit_s: float) -> None:
        server.reply(by_model(a=http({}, status=400), c=(2 * PATIENCE_S,)))
        server.seen.clear()
        attempts = Call(server).run(deadline_s=limit_s)
        assert models(attempts) == asked(server) == "ac"
        assert [attempt.error_kind for attempt in attempts] == ["rejected", "timeout"]

    in_ever_more_time(until_the_deadline)


def test_a_deadline_that_has_passed_still_leaves_an_attempt(server: ModelServer) -> None:
    server.reply(OK)
    (attempt,) = Call(server).run(deadline_s=0.0)
    assert attempt.error_kind == "timeout"


HALF = stream(delta("be"), delta("cau"))


def test_after_a_part_was_shown_the_switch_is_announced_and_nothing_is_retried(server: ModelServer) -> None:
    server.reply(by_model(a=HALF))
    call = Call(server)
    assert models(call.run(streamed=True)) == asked(server) == "ac"
    assert call.switches == [("a", "c")]
    assert call.shown == ["be", "cau", "because"]


def test_the_switch_is_announced_before_the_next_text(server: ModelServer) -> None:
    server.reply(by_model(a=HALF, c=HALF))
    call = Call(server)
    story: list[object] = []
    call.shown = call.switches = story
    assert models(call.run(streamed=True)) == "acb"
    assert story == ["be", "cau", ("a", "c"), "be", "cau", ("c", "b"), "because"]


def test_no_switch_is_announced_without_a_next_model(server: ModelServer) -> None:
    server.reply(HALF)
    call = Call(server, FORCED)
    assert models(call.run(streamed=True)) == "a"
    assert call.switches == []


def test_no_switch_is_announced_when_nothing_was_shown(server: ModelServer) -> None:
    server.reply(by_model(a=http({}, status=400), c=HALF))
    call = Call(server)
    assert models(call.run(streamed=True)) == "acb"
    assert call.switches == [("c", "b")]


def test_a_stream_cut_in_a_plain_call_is_retried(server: ModelServer) -> None:
    server.reply(HALF, stream(delta("because", finish="stop"), DONE))
    assert models(Call(server).run()) == "a"
    assert asked(server) == "aa"


def test_a_mistake_in_the_config_is_told_at_once(server: ModelServer) -> None:
    with pytest.raises(ConfigError):
        Call(server, base_url="nowhere").run()


def test_what_the_screen_raises_passes_through(server: ModelServer) -> None:
    def closed(_: str) -> None:
        raise TimeoutError

    server.reply(OK)
    call = Call(server)
    with pytest.raises(TimeoutError):
        call.run(streamed=True, on_text=closed)
    assert asked(server) == "a"


def test_cancelling_passes_through_and_frees_the_turn(server: ModelServer) -> None:
    server.reply(lambda seen: (2 * PATIENCE_S,) if len(server.seen) == 1 else OK)
    arm = arm_at(server, id="a", model="a", max_concurrency=1)

    async def main() -> str | None:
        async with open_providers([arm]) as providers:
            common = {"decision": FORCED, "arms": {"a": arm}, "providers": providers}
            call = asyncio.create_task(answer(**common, query=Query(text="why?")))
            while not server.seen:
                await asyncio.sleep(0.01)
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call
            (attempt,) = await answer(**common, query=Query(text="again?"))
            return attempt.completion and attempt.completion.text

    assert asyncio.run(main()) == "because"


def test_many_queries_fail_over_together(server: ModelServer) -> None:
    def flaky(seen: Seen) -> Reply:
        return (RESET,) if seen.body["model"] == "a" and len(server.seen) % 2 else OK

    server.reply(flaky)
    call = Call(server)

    async def no_wait(_: float) -> None:
        await asyncio.sleep(0)

    async def main() -> list[tuple[Attempt, ...]]:
        async with open_providers(call.arms.values()) as providers:
            common = {"decision": DECISION, "arms": call.arms, "providers": providers, "sleep": no_wait}
            return await asyncio.gather(*(answer(**common, query=Query(text=str(i))) for i in range(40)))

    for attempts in asyncio.run(main()):
        assert attempts[-1].completion is not None
        assert all(attempt.completion is None for attempt in attempts[:-1])
