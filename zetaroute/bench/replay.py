"""The closed loop on recorded outcomes with partial feedback, round by round, marked by what was recorded.

The policy sees only the outcome of the model it drew; decisions, log, retrain and gate are the real ones, in a
home of their own. What the recordings know beyond that is used for marking alone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np

from zetaroute.arrays import Array, Index
from zetaroute.bench.datasets import Recordings
from zetaroute.bench.full_information import arms_of, fit_full, route, utility
from zetaroute.config import Explore, Home, Objective, Settings
from zetaroute.domain import Arm, Decision, Feedback, Outcome, Query, new_id, unit_of, utc_now
from zetaroute.errors import UsageError
from zetaroute.learn.fit import fit
from zetaroute.learn.frame import read_frame, sample
from zetaroute.lifecycle.retrain import retrain
from zetaroute.log.journal import Entry
from zetaroute.log.log import Log
from zetaroute.log.standings import read_state
from zetaroute.policy import LearnedPredictor, Policy, load_policy
from zetaroute.projections import log_of
from zetaroute.registry import Registry
from zetaroute.router.router import open_router

MERGE_EVERY = 100
"""Rows between two merges: two looks at a contest, and of a cold start at how the models stand."""
MERGE_FIRST = 20
"""The same for the first MERGE_EVERY rows: a run merges every few seconds, and it starts slowly."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayPlan:
    """How a replay is run."""

    rounds: int
    rows: int
    explore: float | None
    """Share of uniform exploration in every round; None keeps the product's defaults."""
    seed: int
    use_task: bool = False


def replay(
    recordings: Recordings,
    *,
    home: Home,
    objective: Objective,
    plan: ReplayPlan,
    jobs: int = 2,
    on_round: Callable[[dict[str, Any]], None] | None = None,
) -> dict[str, Any]:
    """Play the loop on the training side of the recordings and mark it on the test side.

    Returns the JSON of the contract. Raises UsageError when there are fewer rows than rounds.
    """
    train, test = recordings.side(test=False), recordings.side(test=True)
    arms = arms_of(recordings)
    settings = Settings(arms=arms, objective=objective, explore=_explore(plan))
    order = np.random.default_rng(plan.seed).permutation(len(train.texts))[: plan.rows]
    if len(order) < plan.rounds or len(test.texts) == 0:
        raise UsageError(
            f"{recordings.dataset} has {len(train.texts)} training and {len(test.texts)} test queries: "
            f"too few for {plan.rounds} rounds."
        )
    log, registry, played = log_of(home), Registry(home.artifacts), 0
    known = registry.current()
    marker = _Marker(train, arms, objective, use_task=plan.use_task)
    rounds: list[dict[str, Any]] = []
    promotions: list[dict[str, Any]] = []
    for number, part in enumerate(np.array_split(order, plan.rounds), start=1):
        seed = plan.seed * 1000 + number
        served = _play(train, part, settings, home, log, before=played, seed=seed, use_task=plan.use_task)
        played += len(part)
        if (serving := registry.current()) != known:
            promotions.append({"round": number, "version": serving, "by": "evidence"})
        incumbent = load_policy(registry, serving).with_record(read_state(home).standings)
        done = retrain(
            home=home, settings=settings, log=log, seed=plan.seed, jobs=jobs, author="replay", page=False
        )
        if done.promoted:
            promotions.append({"round": number, "version": done.serves, "by": "retrain"})
        known = registry.current()
        rounds.append(
            {
                **marker.mark(order, part, incumbent, load_policy(registry, done.version)),
                "rows": played,
                "verdict": done.verdict,
                "estimate": done.difference["utility_usd"].json(),
                "score": _served_score(log),
                "utility_usd": float(served.mean()),
            }
        )
        if on_round is not None:
            on_round(rounds[-1])
    return {
        "dataset": recordings.dataset,
        "seed": plan.seed,
        "rounds": rounds,
        **_final(train, test, arms, settings, log, registry, plan=plan, jobs=jobs),
        "promotions": promotions,
    }


def _explore(plan: ReplayPlan) -> Explore:
    return Explore() if plan.explore is None else Explore(rate=plan.explore, cold_start_rate=plan.explore)


def _play(
    train: Recordings,
    part: Index,
    settings: Settings,
    home: Home,
    log: Log,
    *,
    before: int,
    seed: int,
    use_task: bool,
) -> Array:
    """Route the queries of one round, `before` which others were logged; return the utilities that were served."""
    router = open_router(home, settings)
    place = {arm.id: index for index, arm in enumerate(settings.arms)}
    gains, served = utility(train, settings.objective), []
    labels = train.labels(use_task=use_task)
    for start, end in pairwise(_merges(before, before + len(part))):
        entries = []
        for step, row in enumerate(part[start - before : end - before], start=start - before):
            query = Query(text=train.texts[row], task=labels[row])
            decision = router.decide(query, seed=seed * 1_000_003 + step)
            arm = place[decision.model]
            entries.append(_entry(train, int(row), arm, decision, labels[row]))
            served.append(gains[row, arm])
        log.append(entries)
        log.merge(patience_s=10.0)
        past = read_state(home)
        router.sync_versions(home, past)
        router.sync_standings(past)
    return np.array(served)


def _merges(first: int, last: int) -> list[int]:
    """Return the numbers of rows, from `first` to `last`, by which the log is merged."""
    early = [*range(0, MERGE_EVERY, MERGE_FIRST), *range(MERGE_EVERY, last, MERGE_EVERY)]
    return [first, *(one for one in early if first < one < last), last]


def _entry(train: Recordings, row: int, arm: int, decision: Decision, task: str | None) -> Entry:
    def known(values: Array) -> float | None:
        return None if np.isnan(values[row, arm]) else float(values[row, arm])

    outcome = Outcome(
        id=new_id(),
        time=utc_now(),
        query=train.texts[row],
        task=task,
        model=decision.model,
        status="ok",
        policy_version=decision.policy_version,
        propensity=decision.propensity,
        explored=decision.explored,
        recorded=True,
        response_s=known(train.latency_s),
        router_s=decision.router_s,
        cost_usd=known(train.cost_usd),
        seed=decision.seed,
        candidates=decision.candidates,
        contest=decision.contest,
    )
    graded = Feedback(
        id=new_id(),
        outcome_id=outcome.id,
        metric="accuracy",
        value=float(train.score[row, arm]),
        source="truth",
        author="recorded",
        time=outcome.time,
    )
    return Entry(outcomes=(outcome,), feedback=(graded,))


class _Marker:
    """Marks retrains by what the recordings know. Every text is turned into a vector once per feature map."""

    def __init__(
        self, train: Recordings, arms: tuple[Arm, ...], objective: Objective, *, use_task: bool
    ) -> None:
        self._train, self._arms, self._objective = train, arms, objective
        self._labels = train.labels(use_task=use_task)
        self._gains = utility(train, objective)
        self._groups = [unit_of(None, text) for text in train.texts]
        self._vectors: dict[str, Array] = {}

    def mark(self, order: Index, part: Index, incumbent: Policy, candidate: Policy) -> dict[str, Any]:
        """Mark one retrain by the recorded queries that its candidate never trained on."""
        unseen = self._unseen(order, part)
        gains = self._gains[unseen]
        index = np.arange(len(gains))
        new, old = (self._choices(policy)[unseen] for policy in (candidate, incumbent))
        regret = gains.max(axis=1) - gains[index, new]
        return {
            "truth_usd": float((gains[index, new] - gains[index, old]).mean()),
            "regret_usd": float(regret.mean()),
            "candidate_utility_usd": float(gains[index, new].mean()),
        }

    def _choices(self, policy: Policy) -> Index:
        predictor = policy.predictor
        key = predictor.map.identity() if isinstance(predictor, LearnedPredictor) else policy.version
        if key not in self._vectors:
            self._vectors[key] = predictor.vectors(self._train.texts, self._labels)
        forecast = predictor.forecast(self._vectors[key], self._arms)
        eligible = np.ones(self._gains.shape, dtype=bool)
        return policy.exploit(forecast, arms=self._arms, objective=self._objective, eligible=eligible)

    def _unseen(self, order: Index, part: Index) -> Index:
        """Return the queries that cannot have trained: those not drawn yet."""
        drawn = order[: int(np.flatnonzero(order == part[-1])[0]) + 1].tolist()
        trained = {self._groups[row] for row in drawn}
        return np.flatnonzero([group not in trained for group in self._groups])


def _served_score(log: Log) -> float:
    with log.open() as connection:
        row = connection.execute("SELECT avg(accuracy) FROM rounds").fetchone()
    return float(row[0]) if row else float("nan")


def _final(
    train: Recordings,
    test: Recordings,
    arms: tuple[Arm, ...],
    settings: Settings,
    log: Log,
    registry: Registry,
    *,
    plan: ReplayPlan,
    jobs: int,
) -> dict[str, Any]:
    """Return what was learned and served in the end, on the test side."""
    objective = settings.objective
    with log.open() as connection:
        frame = read_frame(connection)
    everything = sample(frame, arms)
    learned = fit(everything, arms, objective=objective, seed=plan.seed, jobs=jobs)
    full = fit_full(train, arms, objective=objective, seed=plan.seed, jobs=jobs, use_task=plan.use_task)
    truth = utility(test, objective)
    index = np.arange(len(test.texts))
    single = truth[:, int(np.argmax(utility(train, objective).mean(axis=0)))]

    def routed(policy: Policy) -> Array:
        return np.asarray(truth[index, route(policy, test, arms, objective, use_task=plan.use_task)])

    values = {
        "learned": routed(Policy(version="learned", predictor=replace(learned.predictor, centre=None))),
        "served": routed(
            load_policy(registry, registry.current()).with_record(read_state(log.home).standings)
        ),
        "best_single": single,
        "full_information": routed(Policy(version="full", predictor=full.predictor)),
        "oracle": truth.max(axis=1),
    }
    gap = values["full_information"] - single
    clear = abs(gap.mean()) > gap.std(ddof=1) / np.sqrt(len(gap))

    def share(name: str) -> float | None:
        return float((values[name] - single).mean() / gap.mean()) if clear else None

    return {
        "final": {name: float(value.mean()) for name, value in values.items()},
        "share_learned": share("learned"),
        "share_served": share("served"),
    }
