"""The loop on recorded outcomes by precomputed vectors: decisions, evidence and fits are the product's own.

What is left out is what takes the time of the commands: the journal, the log and its SQL. A test holds that both
paths decide alike.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zetaroute.arrays import Array, Index
from zetaroute.bench.datasets import Recordings
from zetaroute.bench.datasets.recordings import utility
from zetaroute.bench.recorded_chains import ChainRun, RecordedAnswers
from zetaroute.bench.steps import SIDES, Epoch, Step, decided_of, record_of
from zetaroute.config import Settings
from zetaroute.domain import (
    BETS_FROM,
    FIRST_ROWS,
    PROVING_UNITS,
    AuditTerms,
    Chain,
    Query,
    Side,
    Standing,
    unit_of,
)
from zetaroute.evaluate.e_process import PROMOTES_AT, ROLLS_BACK_AT
from zetaroute.evaluate.scoring import found_in, scored
from zetaroute.features import AnyMap
from zetaroute.learn.chain_log import chain_of
from zetaroute.learn.feature_maps import outgrown
from zetaroute.learn.fit import Fitted, conclude, map_of
from zetaroute.learn.incremental.sufficient_statistics import SufficientStatistics, gather
from zetaroute.learn.progressive import GROWTH, bounds_of
from zetaroute.learn.samples import TARGETS, Sample, at, target_weights, targets
from zetaroute.policy import Contest, Limits, Policy, decide
from zetaroute.policy.asking import point, usual_charge
from zetaroute.policy.chain.plan import ChainPlan, ChainState
from zetaroute.policy.contest import audit_share
from zetaroute.policy.exploration import cold_rate
from zetaroute.policy.learned import with_lengths
from zetaroute.policy.policy import Expectation
from zetaroute.policy.prior import PriorPredictor
from zetaroute.registry import COLD

MERGE_EVERY = 50
"""Queries between two merges."""
MERGE_FIRST = 10
"""The same until the first challenger: a run merges every few seconds, and it starts slowly."""


class Loop:
    """The loop of one home over recorded queries."""

    def __init__(
        self,
        train: Recordings,
        settings: Settings,
        *,
        seed: int,
        audit: float | None,
        use_task: bool,
        chain: bool = False,
    ) -> None:
        """Audit with the product's own shares, or with one that is given; look at answers where `chain` says so."""
        self.train, self.settings, self.arms = train, settings, settings.arms
        self.gains = utility(train, settings.objective)
        self.answers = (
            RecordedAnswers(train, settings.objective) if chain and train.responses is not None else None
        )
        self._seed, self._audit = seed, audit
        self.use_task, self._labels = use_task, train.labels(use_task=use_task)
        self._units = [unit_of(None, text) for text in train.texts]
        self._outcomes = train.full_sample(use_task=use_task)
        self._lengths = with_lengths(train.texts, np.zeros((len(train.texts), 0)))
        self._vectors: Array = np.zeros((0, 0))
        self._read = np.zeros(0, dtype=bool)
        """Which of them were made by the map of now."""
        self._sums = SufficientStatistics.nothing(TARGETS, len(self.arms), 1)
        self._summed = 0
        self.feature_map: AnyMap | None = None
        self.queries: list[int] = []
        """Of every row that teaches, in the order in which they were asked."""
        self.models: list[int] = []
        self._audited: list[Step] = []
        self._of_chains = 0
        """Answers that chains have asked for, after the first one."""
        self.fitted: Fitted | None = None
        self.champion = Policy(version=COLD, predictor=PriorPredictor())
        self.challenger: Policy | None = None
        self.epoch: Epoch | None = None
        self.audit_rows, self.fits = 0, 0
        self.promotions: list[dict[str, Any]] = []
        self.closed: Mapping[str, str] = {}  # as in `Limits`
        self._seen: set[int] = set()
        self._record: Mapping[str, Standing] = {}
        """Of every model, as it was at the last merge."""
        self._before: tuple[Policy, str | None] | None = None
        """The champion of before, while a promoted version is tested for harm."""

    @property
    def rows(self) -> int:
        """Number of answers that were asked for."""
        return len(self.queries) + self._of_chains

    @property
    def share(self) -> float:
        """Share of the queries that the challenger is given now."""
        return self.epoch.share if self.epoch is not None else 0.0

    def play(self, order: Index, *, rows: int) -> Iterator[list[Step]]:
        """Route queries in this order until so many answers were asked for; yield the steps between two merges."""
        start, next_fit = 0, FIRST_ROWS * len(self.arms)
        while start < len(order) and self.rows < rows:
            steps = []
            for place in range(start, min(start + self._merge(), len(order))):
                if self.rows >= rows:
                    break
                steps.append(self._ask(int(order[place]), place, self._expected(order, place, start)))
            start += len(steps)
            self._score(steps)
            if self.rows >= next_fit:
                self.retrain()
                next_fit = math.ceil(max(next_fit, self.rows) * GROWTH)
            yield steps

    def _merge(self) -> int:
        return MERGE_FIRST if self.epoch is None else MERGE_EVERY

    def _expected(self, order: Index, place: int, start: int) -> Mapping[str, Expectation]:
        """Return what the learned policies expect for a query, worked out for all until the next merge at once."""
        if place == start:
            block = order[start : start + self._merge()]
            self._block = {
                policy.version: self.expect(policy, block)
                for policy in (self.champion, self.challenger)
                if policy is not None and policy.version != COLD
            }
        return {version: found[place - start] for version, found in self._block.items()}

    def expect(self, policy: Policy, queries: Index) -> list[Expectation]:
        """Return what a policy expects of some queries."""
        vectors, found = self._known_as(policy, queries), policy.predictor.map
        cells = [None] * len(queries) if found is None else found.cells(vectors[:, 1:]).tolist()
        forecasts = policy.predictor.forecast(vectors, self.arms).each()
        return [
            Expectation(forecast=forecast, segment=None, cell=cell)
            for forecast, cell in zip(forecasts, cells, strict=True)
        ]

    def _known_as(self, policy: Policy, queries: Index) -> Array:
        """Return the vectors of some queries as a policy reads them."""
        if self.feature_map is not None and policy.predictor.map is self.feature_map:
            return np.hstack([self._lengths[queries], self._vectors_at(queries)])
        return policy.predictor.vectors(*self._words(queries))

    def _words(self, queries: Index) -> tuple[list[str], list[str | None]]:
        """Return the texts of some queries and their task labels."""
        return [self.train.texts[row] for row in queries], [self._labels[row] for row in queries]

    def _vectors_at(self, queries: Index) -> Array:
        """Return the vectors of some queries by the map of now, each made when it is needed first."""
        new = np.unique(queries[~self._read[queries]])
        if len(new):
            self._vectors[new], self._read[new] = self._vectors_of(*self._words(new)), True
        return self._vectors[queries]

    def _ask(self, row: int, place: int, expected: Mapping[str, Expectation]) -> Step:
        contest, standings = self.contest(), self._record
        graded = self.rows
        early = self.champion.version == COLD and contest is None
        rate = self.settings.explore.rate
        if early:
            rate = cold_rate(self.settings.explore.cold_start_rate, rate, graded=graded, arms=len(self.arms))
        decision = decide(
            query=Query(text=self.train.texts[row], task=self._labels[row]),
            arms=self.arms,
            policy=self.champion,
            objective=self.settings.objective,
            rate=rate,
            standings=standings,
            limits=Limits(closed=self.closed),
            guards=(),
            seed=self._seed * 1_000_003 + place,
            now_s=0.0,
            contest=contest,
            audit=AuditTerms(
                probability=audit_share(
                    self._audit,
                    early=early and graded < FIRST_ROWS * len(self.arms),
                    promoted=self._promoted,
                    proving=contest is not None and contest.proving,
                    usual_charge=usual_charge(self.arms, standings, self.settings.objective),
                    point=point(self.settings.objective),
                )
            ),
            chains=self.answers is not None,
            expected=expected,
        )
        ids = [arm.id for arm in self.arms]
        asks = decision.audit.asks if decision.audit is not None else ()
        asked = np.array([ids.index(model) for model in asks or (decision.model,)], dtype=np.int64)
        chains = {side: self._run(chain, row) for side, chain in decision.chained.items()}
        chain = None if decision.chain is None else self._run(decision.chain, row)
        step = Step(query=row, decision=decision, asked=asked, chain=chain, chains=chains)
        self.queries += [row] * len(asked)
        self.models += asked.tolist()
        self.audit_rows += len(step.beside)
        if chain is not None:
            self._of_chains += len(chain.paid) + len(step.beside) - len(asked)
        if len(asks) > 1:
            self._audited.append(step)
        return step

    def _run(self, chain: Chain, row: int) -> ChainRun:
        assert self.answers is not None and isinstance(chain, ChainState)  # noqa: PT018, S101
        return self.answers.run(chain, row)

    @property
    def _promoted(self) -> bool:
        return self.champion.version != COLD or (self.epoch is not None and self.epoch.promoted)

    def contest(self) -> Contest | None:
        """Return the contest that runs."""
        if self.epoch is None or self.challenger is None:
            return None
        return Contest(
            epoch="epoch",
            policy=self.challenger,
            share=self.epoch.share,
            anchor=self.epoch.anchor,
            proving=self.epoch.promoted and len(self.epoch.versions) < PROVING_UNITS,
        )

    def _score(self, steps: Sequence[Step]) -> None:
        """Take in what a merge brings: the record of the models, and the evidence."""
        self._record = record_of(self.train, np.array(self.queries), np.array(self.models))
        epoch = self.epoch
        fresh = []
        for step in steps:
            unit = self._units[step.query]
            if unit not in self._seen and step.decision.contest is not None:
                fresh.append(step)
            self._seen.add(unit)
        if epoch is None or not fresh:
            return
        made = scored(
            decided_of(fresh, self.train, self.gains),
            low=epoch.bounds.low,
            high=epoch.bounds.high,
            anchor=None if epoch.anchor is None else self.train.models.index(epoch.anchor),
            answer_value_usd=self.settings.objective.answer_value_usd,
            margin=self.settings.gate.accuracy_margin,
            bets=self.rows >= BETS_FROM * len(self.arms),
            past=epoch.lines,
            promoted=epoch.promoted,
        )
        drawn = [step.decision.contest for step in fresh if step.decision.contest is not None]
        more: dict[str, NDArray[Any]] = {
            "share": np.array([one.share for one in drawn]),
            "own": np.array([float(one.side == "challenger") for one in drawn]),
            "paired": np.array(
                [float(step.decision.audit is not None and step.decision.audit.heads) for step in fresh]
            ),
        }
        epoch.lines = {
            name: np.concatenate([past, more[name] if name in more else getattr(made, name)])
            for name, past in epoch.lines.items()
        }
        epoch.versions += [one.challenger for one in drawn]
        for step, one in zip(fresh, drawn, strict=True):
            usd = {side: self._side_usd(step, side, getattr(one, f"{side}_model")) for side in SIDES}
            epoch.truth.append(usd["challenger"] - usd["champion"])
        if self.standing()["harm"] >= ROLLS_BACK_AT and not epoch.rejected:
            self._harmed(epoch)

    def _side_usd(self, step: Step, side: Side, model: str) -> float:
        """Return what the recordings know a side's model, or its chain, to be worth for a query."""
        if side in step.chains:
            return step.chains[side].utility_usd
        return float(self.gains[step.query, self.train.models.index(model)])

    def _harmed(self, epoch: Epoch) -> None:
        if self._before is None:
            epoch.rejected = True
            return
        self.promotions.append({"rows": self.rows, "version": self._before[0].version, "by": "harm"})
        self.champion, _ = self._before
        self._before, self.epoch, self.challenger = None, None, None

    def standing(self) -> dict[str, Any]:
        """Return what the evidence of the epoch says."""
        epoch = self.epoch
        if epoch is None or self.challenger is None:
            nothing: dict[str, Any] = dict.fromkeys(("e_value", "left", "accuracy", "harm"), 1.0)
            return nothing | {"own_mean_usd": None, "units": 0, "paired": 0}
        return found_in(
            epoch.lines,
            mine=np.array([version == self.challenger.version for version in epoch.versions], dtype=bool),
            answer_value_usd=self.settings.objective.answer_value_usd,
            margin=self.settings.gate.accuracy_margin,
            earlier=epoch.earlier,
        )

    def retrain(self) -> None:
        """Promote what was proven, and let what all rows teach challenge the champion."""
        standing, epoch = self.standing(), self.epoch
        if epoch is not None and self.challenger is not None and not epoch.promoted and not epoch.rejected:
            proven = standing["e_value"] >= PROMOTES_AT and standing["accuracy"] >= PROMOTES_AT
            if proven and (standing["own_mean_usd"] or 0.0) > 0.0:
                self._promote(epoch, self.challenger)
        self.fitted = self._fit()
        fitted = self.fitted
        epoch = self.epoch
        if epoch is not None and epoch.promoted:
            if len(epoch.versions) < PROVING_UNITS:
                return
            if self.challenger is not None:
                self.champion, self._before = self.challenger, None
            epoch = self.epoch = None
        self.fits += 1
        self.challenger = fitted.policy(f"v{self.fits}", self._chain(fitted))
        anchor = fitted.anchor if self.champion.version == COLD else None
        if epoch is None or epoch.anchor != anchor:
            earlier = 1.0 if epoch is None else standing["left"]
            bounds = bounds_of(self._sample(), self.arms, self.settings.objective)
            self.epoch = Epoch(anchor=anchor, bounds=bounds, earlier=earlier)
            return
        epoch.rejected = False

    def _promote(self, epoch: Epoch, version: Policy) -> None:
        self.promotions.append({"rows": self.rows, "version": version.version, "by": "evidence"})
        self._before = (self.champion, epoch.anchor)
        self.epoch = Epoch(anchor=epoch.anchor, bounds=epoch.bounds, promoted=True)

    def sides(self) -> tuple[Policy, str | None, Policy]:
        """Return the champion with the single model that it always asks, if there is one, and the challenger."""
        if self.epoch is None or self.challenger is None:
            champion = self.champion.with_record(self._record)
            return champion, None, champion
        return self.champion, self.epoch.anchor, self.challenger

    def serving(self) -> tuple[Policy, str | None]:
        """Return the policy that serves and, where it always asks one model, that model."""
        champion, anchor, challenger = self.sides()
        return (challenger, None) if self.epoch is not None and self.epoch.promoted else (champion, anchor)

    def _fit(self) -> Fitted:
        labels = {self.train.texts[row]: self._labels[row] for row in self.queries}
        if self.feature_map is None or outgrown(self.feature_map.texts, distinct=len(labels)):
            self.feature_map, vectors = map_of(labels, None, seed=self._seed, distinct=len(labels))
            self._vectors, self._vectors_of = (
                np.empty((len(self.train.texts), self.feature_map.size)),
                vectors,
            )
            self._read = np.zeros(len(self.train.texts), dtype=bool)
            self._sums = SufficientStatistics.nothing(TARGETS, len(self.arms), self.feature_map.size)
            self._summed = 0
        rows = self._sample()
        x = self._vectors_at(np.array(self.queries))
        new = slice(self._summed, None)
        y, weight = targets(rows), target_weights(rows)
        self._sums = self._sums + gather(x[new], y[new], rows.arm[new], len(self.arms), weight[new])
        self._summed = len(self.queries)
        return conclude(
            self._sums,
            rows,
            x,
            self.arms,
            arm_rows=np.bincount(rows.arm, minlength=len(self.arms)),
            feature_map=self.feature_map,
            vectors=self._vectors_of,
            objective=self.settings.objective,
            anchor=self.fitted.anchor if self.fitted is not None else None,
        )

    def _chain(self, fitted: Fitted) -> ChainPlan | None:
        """Return the chain that the audited queries teach."""
        if self.answers is None or not self._audited:
            return None
        queries = np.array([step.query for step in self._audited])
        asked = np.zeros((len(queries), len(self.arms)), dtype=bool)
        for row, step in enumerate(self._audited):
            asked[row, step.asked] = True
        vectors = np.hstack([self._lengths[queries], self._vectors_at(queries)])
        seen = self.answers.answered(queries, asked, vectors)
        x = self._vectors_at(np.array(self.queries))
        return chain_of(seen, x, self._sample(), fitted, self.arms, self.settings.objective)

    def _sample(self) -> Sample:
        """Return everything that was asked, in its order, as rows of a log."""
        rows = at(self._outcomes, np.array(self.queries) * len(self.arms) + np.array(self.models))
        return replace(rows, time_s=np.arange(len(self.queries), dtype=np.float64))
