"""One door to all providers: opened late, closed together, with a bounded number of calls per arm."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
import time
from dataclasses import replace

import pytest

from zetaroute.domain import Arm, Query
from zetaroute.errors import ConfigError, ProviderError
from zetaroute.providers.pool import open_providers

from .loopback import ModelServer, Reply, Seen, chat, http
from .test_anthropic_provider import whole
from .test_openai_provider import arm_at


def test_each_arm_is_asked_in_its_wire_format(server: ModelServer) -> None:
    server.reply(lambda seen: http(whole("messages") if "messages" in seen.target else chat("chat")))
    chat_arm = arm_at(server)
    messages_arm = replace(chat_arm, id="a/m", provider="anthropic")
    practice_arm = Arm(id="practice/small", provider="practice", model="small", delay=0.0)

    async def ask_all() -> list[str]:
        arms = (chat_arm, messages_arm, practice_arm)
        async with open_providers(arms) as providers:
            query = Query(text="What is 2 + 3?")
            return [(await providers.complete(arm, query)).text for arm in arms]

    first, second, third = asyncio.run(ask_all())
    assert (first, second) == ("chat", "messages")
    assert "5" in third


@pytest.mark.parametrize("limit", [1, 3])
def test_an_arm_gets_no_more_calls_at_once_than_it_takes(server: ModelServer, limit: int) -> None:
    full = threading.Event()

    def together(seen: Seen) -> Reply:
        if server.now == limit:
            full.set()
        return (full, 0.03, *http(chat("a")))

    server.reply(together)
    arm = arm_at(server, max_concurrency=limit)

    async def many() -> tuple[list[float], float]:
        async with open_providers([arm]) as providers:
            calls = [providers.complete(arm, Query(text=str(i))) for i in range(9)]
            began = time.perf_counter()
            completions = await asyncio.gather(*calls)
            return [completion.response_s for completion in completions], time.perf_counter() - began

    times_s, whole_s = asyncio.run(many())
    assert len(server.seen) == 9
    assert server.peak == limit
    # Waiting for a turn is not the model's time.
    assert sum(times_s) <= limit * whole_s


def test_arms_do_not_wait_for_each_other(server: ModelServer) -> None:
    all_three = threading.Event()

    def together(seen: Seen) -> Reply:
        if server.now == 3:
            all_three.set()
        return (all_three, *http(chat("a")))

    server.reply(together)
    arms = [arm_at(server, id=f"local/{i}", max_concurrency=1) for i in range(3)]

    async def one_each() -> None:
        async with open_providers(arms) as providers:
            await asyncio.gather(*(providers.complete(arm, Query(text="why?")) for arm in arms))

    asyncio.run(one_each())
    assert server.peak == 3


def test_a_failed_call_gives_its_turn_back(server: ModelServer) -> None:
    server.reply(http({}, status=500), http(chat("a")))
    arm = arm_at(server, max_concurrency=1)

    async def twice() -> str:
        async with open_providers([arm]) as providers:
            with pytest.raises(ProviderError):
                await providers.complete(arm, Query(text="why?"))
            return (await providers.complete(arm, Query(text="why?"))).text

    assert asyncio.run(twice()) == "a"


def test_an_unknown_provider() -> None:
    arm = Arm(id="x/y", provider="smoke", model="y")

    async def once() -> None:
        async with open_providers([arm]) as providers:
            await providers.complete(arm, Query(text="why?"))

    with pytest.raises(ConfigError, match="Model x/y: there is no provider 'smoke'"):
        asyncio.run(once())


def loaded_after(code: str) -> set[str]:
    program = f"import sys\n{code}\nprint(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return set(done.stdout.splitlines()[-1].split())


def test_the_door_loads_no_library() -> None:
    loaded = loaded_after("import zetaroute.providers.pool, zetaroute.providers.retry")
    assert not loaded & {"httpx", "duckdb", "numpy", "polars", "scipy", "sklearn"}


def test_a_wire_format_loads_its_own_library_only(server: ModelServer) -> None:
    server.reply(http(chat("a")))
    loaded = loaded_after(
        "import asyncio\n"
        "from zetaroute.domain import Arm, Query\n"
        "from zetaroute.providers.pool import open_providers\n"
        f"arm = Arm(id='local/m1', provider='openai', model='m1', base_url={server.url!r})\n"
        "async def main():\n"
        "    async with open_providers([arm]) as providers:\n"
        "        await providers.complete(arm, Query(text='why?'))\n"
        "asyncio.run(main())"
    )
    assert "httpx" in loaded
    assert not loaded & {"aiohttp", "duckdb", "numpy", "polars", "scipy", "sklearn"}


def test_many_calls_at_once_reuse_their_connections(server: ModelServer) -> None:
    server.reply((0.05, *http(chat("a"), keep=True)))
    arm = arm_at(server, max_concurrency=4)

    async def many() -> None:
        async with open_providers([arm]) as providers:
            await asyncio.gather(*(providers.complete(arm, Query(text=str(i))) for i in range(12)))

    asyncio.run(many())
    assert len(server.seen) == 12
    assert server.connections == 4
