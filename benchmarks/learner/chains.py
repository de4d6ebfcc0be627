"""The section of evidence.md on looking at answers, out of recordings that hold answers.

Gains are in points of a right answer over the best single model of the training queries.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from zetaroute.arrays import Array
from zetaroute.bench.baselines import mixed, one_hot
from zetaroute.bench.chain_bench import ChainBench, chain_bench
from zetaroute.bench.datasets import Recordings, parquet
from zetaroute.bench.datasets.recordings import Split, from_long, utility
from zetaroute.bench.full_information import arms_of, fit_full, marked
from zetaroute.bench.way import Way
from zetaroute.config import Objective
from zetaroute.learn.chains import play_chain

TITLE = "## Looking at answers"
ROTATIONS = (0, 3, 6)
"""First of the three folds of bfcl that are test queries."""
CHEAP = ("gemini-1.5-flash-preview-0514", "gpt-4o-mini-2024-07-18", "claude-3-5-sonnet-20240620")
COSTLY = ("claude-3-haiku-20240307", "claude-instant-1.2", "gpt-4-0125-preview")
PRICES = (0.01, 0.02, 0.05, 0.1)
"""Points per USD per 1,000 queries."""
AUDITED = (30, 60, 100, 200, 600)
SUBSETS = 3
WAYS = ("chain", "unguarded", "agreement", "verifier", "router", "mix", "oracle")


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A pool of models on a set of recordings, and the prices at which it is marked."""

    name: str
    label: str
    models: tuple[str, ...] | None
    prices: tuple[float, ...]
    rotations: tuple[int, ...] = (0,)
    second: float = 0.0
    """Points per second."""
    task: str | None = None


CASES = (
    Case(name="bfcl", label="bfcl, flash + mini + sonnet", models=CHEAP, prices=PRICES, rotations=ROTATIONS),
    Case(
        name="bfcl",
        label="bfcl, haiku + instant + gpt-4",
        models=COSTLY,
        prices=PRICES[1:],
        rotations=ROTATIONS,
    ),
    Case(
        name="bfcl",
        label="bfcl, flash + mini + sonnet, .03 per s",
        models=CHEAP,
        prices=(0.02,),
        rotations=ROTATIONS,
        second=0.03,
    ),
    Case(name="mmlu_pro", label="mmlu_pro, 12 models", models=None, prices=(0.1,)),
    Case(name="farel", label="farel, 60 models, no costs known", models=None, prices=(0.1,)),
)
GSM8K = Case(name="routellm", label="GSM8K", models=None, prices=(), task="gsm8k")


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """What every way gains at one price on one rotation, in points per test query."""

    price: float
    gains: dict[str, Array]
    learned: Array
    """What the chain without its guard gains on training queries, each by fits that have not seen it."""
    serves: bool
    asks: float


def section(folder: Path) -> list[str]:
    """Return the lines of the section."""
    return [*_head(), *_gains(folder), *_curve(folder), *_gsm8k(folder)]


def _head() -> list[str]:
    return [
        TITLE,
        "",
        "What it is worth to look at an answer before another model is asked (see [chains.md](../chains.md)),",
        "where answers were recorded. Points over",
        "the best single model of the training queries, means over prices, and for bfcl over three rotations",
        "of its folds; ± is one paired standard error. 'agreement' asks the two cheaper models, and the third",
        "where they differ; 'verifier' goes on while the own answer is held too unlikely; 'mix' is a random",
        "mix of two single models at the chain's cost. The chain answers where its guard lets it, else the",
        "router; 'unguarded' is without the guard, and 'asks' are its. 'serves' counts the cells, one price",
        "on one rotation, in which the guard is open; 'training' is 'unguarded' on training queries, each by fits",
        "that have not seen it; 'worst' is the lowest mean of the chain in one of the cells, which is the",
        "router's where the guard is closed.",
        "Test rows were looked at several times while this was built, and two rules were changed after such a look",
        "(two models asked at once; a third model chosen by its agreement): the rows of .03 per s and of mmlu_pro",
        "are therefore optimistic. On farel no costs are known, so that every ask counts nothing.",
        "",
    ]


def recordings(folder: Path, case: Case, rotation: int = 0) -> Recordings:
    """Return the recordings of a case with their split."""
    path = folder / f"{case.name}.parquet"
    long = parquet.read(path)
    if case.task is not None:
        long = long.filter(pl.col("task") == case.task)
    if case.name == "bfcl":
        test = (pl.col("fold") - rotation) % 10 < 3
        long = long.with_columns(pl.when(test).then(pl.lit("test")).otherwise(pl.lit("train")).alias("split"))
    return from_long(long, path, models=case.models, split=Split(test_share=0.5))


def worth(price: float, second: float = 0.0) -> Objective:
    """Return the objective for prices in points: of a USD per 1,000 queries, and of a second."""
    value = 1 / (1000 * price)
    return Objective(answer_value_usd=value, satisfaction_value_usd=0.0, second_value_usd=second * value)


def fitted(train: Recordings, test: Recordings, price: float) -> ChainBench | None:
    """Return a chain and its rivals, its models chosen for a price."""
    arms, objective = arms_of(train), worth(price)
    model = fit_full(train, arms, objective=objective, seed=0, jobs=1)
    return chain_bench(train, test, arms, model, objective, use_task=False)


def _gains(folder: Path) -> list[str]:
    """Return the table of gains, and that of costs at equal accuracy."""
    lines = [
        *_row("pool", "points per $/1k", *WAYS, "training", "asks", "serves", "worst", "calibration error"),
        *_row(*["---"] * (len(WAYS) + 7)),
    ]
    saved: list[str] = []
    for case in CASES:
        found: list[Cell] = []
        errors: list[float] = []
        for rotation in case.rotations:
            data = recordings(folder, case, rotation)
            bench = fitted(data.side(test=False), data.side(test=True), case.prices[-1])
            if bench is None:
                continue
            found += cells(bench, case)
            errors.append(calibration_error(bench))
            if case.second == 0.0:
                saved += _saved(bench, case, rotation)
        lines += _row(
            case.label,
            ", ".join(f"{price:g}" for price in case.prices),
            *(_mean([cell.gains[name] for cell in found if name in cell.gains]) for name in WAYS),
            f"{np.mean([cell.learned.mean() for cell in found]):+.2f}",
            f"{np.mean([cell.asks for cell in found]):.2f}",
            f"{sum(cell.serves for cell in found)} of {len(found)}",
            f"{min(float(cell.gains['chain'].mean()) for cell in found):+.2f}",
            f"{np.mean(errors):.3f}",
        )
    return [
        *lines,
        "",
        "At the accuracy of the most accurate single model: the cheapest operating point whose score on the training",
        "queries, less half a standard error, is within half a point; costs and scores on the test queries. The half",
        "was chosen by training queries that were held out, after the test rows had shown that without it too much",
        "is lost:",
        "",
        *_row("pool", "way", "cheaper by", "score difference"),
        *_row(*["---"] * 4),
        *saved,
        "",
    ]


def cells(found: ChainBench, case: Case) -> Iterator[Cell]:
    """Yield what the ways gain at every price."""
    for price in case.prices:
        objective = worth(price, case.second)
        single = int(np.argmax(utility(found.train, objective).mean(axis=0)))
        n, count = found.test.score.shape
        base = Way(weights=one_hot(np.full(n, single), count)).utility(found.test, objective)
        router, free = found.routed(objective, train=False), found.played(objective, train=False)
        serves = found.serves(objective)
        ways = found.simple(objective) | {
            "chain": free if serves else router,
            "unguarded": free,
            "router": router,
            "mix": Way(weights=np.tile(mixed(found.train, free.cost_usd(found.test)), (n, 1))),
            "oracle": Way(weights=one_hot(np.argmax(utility(found.test, objective), axis=1), count)),
        }
        scale = 100 / objective.answer_value_usd
        learned = found.played(objective, train=True).utility(found.train, objective)
        yield Cell(
            price=price,
            learned=scale * (learned - utility(found.train, objective)[:, single]),
            gains={name: scale * (way.utility(found.test, objective) - base) for name, way in ways.items()},
            serves=serves,
            asks=0.0 if free.paid is None else float(free.paid.sum() / n),
        )


def calibration_error(found: ChainBench) -> float:
    """Return the expected calibration error of what is thought of returned answers, in ten equal steps."""
    played = play_chain(found.fit.plan, found.rows, found.arms, worth(0.02))
    right = found.rows.right[np.arange(len(played.returned)), played.returned]
    step = np.minimum((10 * played.probability_right).astype(int), 9)
    return float(
        sum(
            abs(played.probability_right[step == one].mean() - right[step == one].mean())
            * (step == one).mean()
            for one in np.unique(step)
        )
    )


def _saved(found: ChainBench, case: Case, rotation: int) -> list[str]:
    label = case.label + (f", folds from {rotation}" if len(case.rotations) > 1 else "")
    lines: list[str] = []
    for name, one in found.equal_accuracy(worth(case.prices[0])).items():
        if one is not None:
            lost = f"{100 * one['score_difference']:+.2f} ± {100 * one['se']:.2f}"
            lines += _row(label, name, f"{one['saving']:.0%}", lost)
    return lines


def _curve(folder: Path) -> list[str]:
    """Return what chain and router gain after few audited queries, which are all that either has seen."""
    lines = [
        f"By audited queries, {SUBSETS} random subsets for each of the two bfcl pools, the first rotation, mean over",
        "the prices (neither router nor chain has seen more than those queries):",
        "",
        *_row("audited", "chain", "unguarded", "router", "serves"),
        *_row(*["---"] * 5),
    ]
    for count in AUDITED:
        found: list[Cell] = []
        for case in CASES[:2]:
            data = recordings(folder, case)
            train, test = data.side(test=False), data.side(test=True)
            for seed in range(SUBSETS):
                keep = np.zeros(len(train.texts), dtype=bool)
                keep[np.random.default_rng(seed).permutation(len(keep))[:count]] = True
                bench = fitted(train.take(keep), test, case.prices[-1])
                found += [] if bench is None else cells(bench, case)
        if found:
            names = ("chain", "unguarded", "router")
            gains = [_mean([cell.gains[name] for cell in found]) for name in names]
            lines += _row(str(count), *gains, f"{sum(cell.serves for cell in found)} of {len(found)}")
        else:
            lines += _row(str(count), "none is fitted", "", "", "")
    return [*lines, ""]


def _gsm8k(folder: Path) -> list[str]:
    data = recordings(folder, GSM8K)
    train, test = data.side(test=False), data.side(test=True)
    arms = arms_of(data)
    model = fit_full(train, arms, objective=worth(0.05), seed=0, jobs=1)
    looking = chain_bench(train, test, arms, model, worth(0.05), use_task=False)
    two = marked(train, test, arms, model, worth(0.05), use_task=False, looking=looking)["two_models"]
    lines = [
        f"RouteLLM's GSM8K, half of it to learn from, {len(test.texts)} test queries: the share of calls to",
        f"{two['strong']} beside {two['weak']}, whose answer the chain has seen:",
        "",
        *_row("way", "CPT(50%)", "CPT(80%)", "APGR"),
        *_row(*["---"] * 4),
    ]
    for name, one in (("query alone", two), ("answer seen", two.get("answer_seen"))):
        if one is not None:
            lines += _row(
                name, f"{100 * one['cpt50']:.1f}", f"{100 * one['cpt80']:.1f}", f"{one['apgr']:.3f}"
            )
    return [*lines, ""]


def _mean(gains: Sequence[Array]) -> str:
    """Return the mean over cells with its standard error: cells of one rotation share their queries."""
    if not gains:
        return ""
    by_queries: dict[int, list[Array]] = {}
    for one in gains:
        by_queries.setdefault(len(one), []).append(one)
    parts = [np.mean(group, axis=0) for group in by_queries.values()]
    mean = float(np.mean([one.mean() for one in gains]))
    variance = float(np.mean([part.var(ddof=1) / len(part) for part in parts])) / len(parts)
    return f"{mean:+.2f} ± {np.sqrt(variance):.2f}"


def _row(*entries: str) -> list[str]:
    return ["| " + " | ".join(entries) + " |"]
