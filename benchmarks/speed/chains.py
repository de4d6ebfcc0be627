"""What a chain takes of the processor: a decision beside one without a chain, and answers of 2,000 tokens.

Processor seconds, since others may be using the machine.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from benchmarks.speed.decisions import TEXTS, TOKENS, decided, texts
from benchmarks.speed.homes import learned_home
from benchmarks.speed.measuring import Figure, Timed, medians
from benchmarks.statistics.chains import ARMS, WORLDS, drawn, rows_of
from zetaroute.answers.agreement import agreement
from zetaroute.answers.read import read_answer
from zetaroute.config import Home, Settings, load_settings
from zetaroute.learn.chains import fit_chain
from zetaroute.policy import Policy, load_policy
from zetaroute.policy.chain.plan import ChainPlan
from zetaroute.registry import Registry

ANSWER_TOKENS = 2000
LIMIT_S = 0.001
"""What reading an answer and comparing it may take."""
QUERY = "What do 30 and 12 make in total?"


def chains(folder: Path, repeats: int) -> list[Figure]:
    """Return the times of a decision with and without a chain, and of a look at an answer."""
    home = Home(folder / "learned")
    if not home.path.exists():
        learned_home(home.path)
    settings, registry = load_settings(None, home.config), Registry(home.artifacts)
    policy = load_policy(registry, registry.current())
    plan = _plan(settings)
    looking = replace(policy, chain=plan)
    with threadpool_limits(limits=1):
        return [
            *(_decisions(tokens, policy, looking, settings, repeats) for tokens in TOKENS),
            *(_reading(name, text, repeats) for name, text in _answers().items()),
            _step(plan, settings, repeats),
        ]


def _plan(settings: Settings) -> ChainPlan:
    """Return a plan for the first three models of a home."""
    fit = fit_chain(rows_of(WORLDS[0], drawn(np.random.default_rng(0), 300)), ARMS)
    if fit is None:
        raise SystemExit("no chain came of 300 audited queries")
    return replace(
        fit.plan,
        models=tuple(arm.id for arm in settings.arms[: len(ARMS)]),
        cells=np.zeros(0),
        kinds=np.full(len(fit.plan.kinds), 100.0),
        gain_usd=1.0,
        objective=settings.objective,
    )


def _decisions(tokens: int, policy: Policy, looking: Policy, settings: Settings, repeats: int) -> Figure:
    queries = texts(tokens)
    found = medians(
        {
            name: _each([partial(decided, one, settings, text) for text in queries])
            for name, one in (("with", looking), ("without", policy))
        },
        repeats,
    )
    return Figure(
        what=f"decision with a chain, {tokens:,} tokens (processor)",
        value=found["with"],
        reference="without a chain",
        beside=found["without"],
    )


def _reading(name: str, text: str, repeats: int) -> Figure:
    other = read_answer(text.replace("1", "2"), QUERY).final

    def look() -> object:
        return agreement(read_answer(text, QUERY).final, other)

    found = medians({"look": _each([look] * TEXTS)}, repeats)
    return _within_limit(f"reading and comparing {ANSWER_TOKENS:,} tokens of {name}", found["look"])


def _step(plan: ChainPlan, settings: Settings, repeats: int) -> Figure:
    """Return the time of all that follows an answer: reading, two posteriors, and the look ahead."""
    rows = rows_of(WORLDS[0], np.zeros(1, dtype=np.int64))
    state = plan.begin(
        QUERY,
        rows.forecast,
        settings.arms[: len(ARMS)],
        settings.objective,
        np.ones(len(ARMS), dtype=bool),
    )
    if state is None:
        raise SystemExit("no chain begins")
    first = state.with_answer(plan.models[0], _answers()["prose"])
    answered = partial(first.with_answer, plan.models[1], _answers()["prose"])
    found = medians({"step": _each([answered] * TEXTS)}, repeats)
    return _within_limit(f"a chain's step after {ANSWER_TOKENS:,} tokens of prose", found["step"])


def _within_limit(what: str, seconds: float) -> Figure:
    return Figure(what=f"{what} (processor)", value=seconds, reference="what it may take", beside=LIMIT_S)


def _answers() -> dict[str, str]:
    """Return an answer of each sort, four characters to a token."""
    size = 4 * ANSWER_TOKENS
    line = "First we add 30 and 12, so that makes 42 in total; therefore the rest is likely 7. "
    items: list[dict[str, Any]] = [
        {"name": f"item {number}", "value": number, "tags": ["a", "b"]} for number in range(size // 54)
    ]
    return {
        "prose": (line * (1 + size // len(line)))[: size - 20] + " The answer is 42.",
        "JSON": json.dumps(items),
        "calls": "[" + ", ".join(f"take(name='item {n}', value={n})" for n in range(size // 35)) + "]",
        "code": ("def f(x, y=1):\n    return x * y + 12\n\n" * (size // 40))[:size],
    }


def _each(work: list[Callable[[], object]]) -> Timed:
    """Return what does every piece of work in a row, and returns the mean processor seconds of one."""

    def run() -> float:
        start = time.process_time()
        for one in work:
            one()
        return (time.process_time() - start) / len(work)

    return run
