"""A chain: ask a cheap model, look at its answer, and ask another where that is worth its money and time.

What is asked next has the highest expected utility with all that may follow it (see `chain.value`), worked out anew
after every answer. The answer that is held most likely right is returned, whichever model was asked last.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from zetaroute.answers.names import KINDS
from zetaroute.arrays import Array, Mask
from zetaroute.domain import Arm, Objective, Thought
from zetaroute.policy.chain.posterior import Posterior, logit, sigmoid
from zetaroute.policy.chain.value import MOST_ASKS, Moves, best_asks, best_step, moved_by
from zetaroute.policy.forecast import Forecast

if TYPE_CHECKING:
    from zetaroute.answers.read import ReadAnswer

FEWEST_SEEN = 10
"""Graded answers of a kind, and audited queries of a cell, below which nothing is known of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainPlan:
    """What was learned of looking at the answers of K models."""

    models: tuple[str, ...]
    """Ids, the cheapest first."""
    posterior: Posterior
    moves: Moves
    cells: Array
    """(C,) audited queries by cell of the feature map, those of later cells 0; empty where no cell is told from
    another."""
    kinds: Array
    """(len(KINDS),) graded answers of each kind."""
    gain_usd: float
    """Cross-fitted gain per query over choosing by the query alone, on audited queries."""
    gain_se: float
    promised_usd: float
    """By how much more than it earned there the chain had expected of a query."""
    objective: Objective
    """What the gain was measured at."""

    @property
    def serves(self) -> bool:
        """Whether the gain is certain enough: more than one standard error."""
        return self.gain_usd > self.gain_se

    def begin(
        self,
        query: str,
        forecast: Forecast,
        arms: Sequence[Arm],
        objective: Objective,
        eligible: Mask,
        *,
        cell: int | None = None,
        limit_usd: float = np.inf,
        guarded: bool = True,
        step: Step | None = None,
    ) -> ChainState | None:
        """Return the chain for one query before any model is asked; None where there may be none.

        `forecast` is that of the query (1, all arms), `eligible` (all arms,), `cell` the query's in the feature map
        (see `Expectation.cell`). The chain's whole expected cost stays within `limit_usd`. A chain needs two eligible
        models, a cell that was seen often enough and, where it is `guarded`, a gain that was shown at this objective
        or at the same with a lower price of money. The first `step` is worked out where it is not known.
        """
        if guarded and not (self.serves and objective.is_at_price(self.objective)):
            return None
        if len(self.cells) and (cell is None or self.cells[cell : cell + 1].sum() < FEWEST_SEEN):
            return None
        places = {arm.id: place for place, arm in enumerate(arms)}
        at = [places.get(model, -1) for model in self.models]
        able = np.array([place >= 0 and bool(eligible[place]) for place in at])
        if able.sum() < 2 or objective.answer_value_usd <= 0.0:
            return None
        prior, cost, seconds, charge = (one[0] for one in _begun(forecast, at, arms, objective))
        return ChainState(
            plan=self,
            query=query,
            objective=objective,
            prior=prior,
            logits=prior,
            cost_usd=cost,
            seconds=seconds,
            charge=charge,
            able=able & (cost <= limit_usd),
            limit_usd=limit_usd,
            step=step,
        )

    def first_steps(self, forecast: Forecast, arms: Sequence[Arm], objective: Objective) -> list[Step]:
        """Return the first steps of n chains whose models may all be asked, out of a forecast (n, all arms)."""
        places = [arm.id for arm in arms]
        at = [places.index(model) for model in self.models]
        prior, _, seconds, charge = _begun(forecast, at, arms, objective)
        pairs = list(combinations(range(len(at)), 2)) if objective.second_value_usd > 0.0 else []
        waiting = objective.second_value_usd * seconds / objective.answer_value_usd
        able = frozenset(range(len(at)))
        found = best_asks(self.moves, (), prior, charge, waiting, able=able, vetoed=frozenset(), pairs=pairs)
        return list(zip(found.value.tolist(), found.first.tolist(), found.second.tolist(), strict=True))


Step = tuple[float, int, int]
"""Value, first and second of a `ChainState`."""


def _begun(
    forecast: Forecast, at: Sequence[int], arms: Sequence[Arm], objective: Objective
) -> tuple[Array, Array, Array, Array]:
    """Return log-odds, cost, seconds and charge of the models at some places before any is asked, each (n, K)."""
    cost, seconds = forecast.charged(arms)[:, at], forecast.response_s[:, at]
    charge = (cost + objective.second_value_usd * seconds) / objective.answer_value_usd
    return logit(forecast.accuracy[:, at]), cost, seconds, charge


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainState:
    """How far a chain has come; every answer gives a new one. Arrays (K,) over the models of the plan."""

    plan: ChainPlan
    query: str
    objective: Objective
    prior: Array
    """Log-odds that each model is right, by the query alone."""
    logits: Array
    """The same by what has been answered too."""
    cost_usd: Array
    """Expected."""
    seconds: Array
    charge: Array
    """What asking costs in money and time, in right answers."""
    able: Mask
    limit_usd: float
    asked: tuple[int, ...] = ()
    answers: tuple[ReadAnswer, ...] = ()
    vetoed: frozenset[int] = frozenset()
    """Asked models whose answers failed a check."""
    value: float = field(init=False, compare=False)
    """Expected from here on, in right answers, less all that is still to be paid."""
    first: int = field(init=False, compare=False)
    """The model to ask now; -1 to stop."""
    second: int = field(init=False, compare=False)
    """The one to ask at the same time; -1 for none."""
    step: Step | None = field(default=None, repr=False, compare=False)
    """The three, where they are known; None for what is made of this state."""

    def __post_init__(self) -> None:
        step = self.step or self._step()
        for name, found in zip(("value", "first", "second", "step"), (*step, None), strict=True):
            object.__setattr__(self, name, found)

    def next(self) -> str | None:
        """Return the model to ask now; None where `best` should be returned instead."""
        place = self._next()
        return None if place is None else self.plan.models[place]

    def beside(self) -> str | None:
        """Return a second model that it is worth asking at the same time as `next`, because waiting is expensive."""
        return None if self._next() is None or self.second < 0 else self.plan.models[self.second]

    def with_answer(
        self,
        model: str,
        text: str,
        *,
        cut: bool = False,
        logprobs: tuple[float, float, float] | None = None,
        signal: float | None = None,
        vetoed: bool = False,
        running: str | None = None,
    ) -> ChainState:
        """Return the chain after an answer, with the score of the user's own signal; a failed check has `vetoed` it.

        A model that was asked at the same time and is `running` still costs no more than the wait: where `next` names
        it, it is worth waiting for.
        """
        from zetaroute.answers.read import read_answer

        answer = read_answer(text, self.query, cut=cut, logprobs=logprobs, signal=signal)
        place = self.plan.models.index(model)
        other = None if running is None else self.plan.models.index(running)
        return self.with_read(place, answer, vetoed=vetoed, running=other)

    def with_read(
        self, place: int, answer: ReadAnswer, *, vetoed: bool = False, running: int | None = None
    ) -> ChainState:
        """Return the chain after the answer of the model at a place of the plan (see `with_answer`)."""
        from zetaroute.answers.agreement import agreement

        posterior, count = self.plan.posterior, len(self.prior)
        known = dict(zip(self.asked, self.answers, strict=True)) | {place: answer}
        asked = tuple(sorted(known))
        prior = self.prior[None]
        views, agreements = np.zeros((1, count)), np.ones((1, count, count))
        for one in asked:
            views[0, one] = posterior.view(prior, one, known[one].signs[None])[0, one]
            for other in asked:
                if one < other:
                    agreements[0, [one, other], [other, one]] = agreement(
                        known[one].final, known[other].final
                    )
        charge = self.charge
        if running is not None:
            left_s = max(float(self.seconds[running] - self.seconds[place]), 0.0)
            charge = charge.copy()
            charge[running] = self.objective.second_value_usd * left_s / self.objective.answer_value_usd
        return replace(
            self,
            charge=charge,
            logits=posterior.after(prior, asked, views, agreements)[0],
            asked=(*self.asked, place),
            answers=(*self.answers, answer),
            vetoed=self.vetoed | {place} if vetoed else self.vetoed,
        )

    def without(self, model: str) -> ChainState:
        """Return the same chain where a model cannot be asked any more, such as after an error."""
        able = self.able.copy()
        able[self.plan.models.index(model)] = False
        return replace(self, able=able)

    def best(self) -> str:
        """Return the model whose answer is held most likely right; at least one must have been asked."""
        return self.plan.models[self._best()]

    @property
    def models(self) -> tuple[str, ...]:
        """Those that it may ask."""
        return tuple(model for model, able in zip(self.plan.models, self.able, strict=True) if able)

    @property
    def thoughts(self) -> tuple[Thought, ...]:
        """What is thought of every answer, in the order of asking."""
        right = sigmoid(self.logits)
        return tuple(
            Thought(
                model=self.plan.models[place],
                probability_right=float(right[place]),
                agrees=self._agrees(number),
            )
            for number, place in enumerate(self.asked)
        )

    @property
    def why(self) -> str:
        """Why it stops or goes on, in words."""
        if not self.asked:
            return f"asks {self.next()} first"
        right = sigmoid(self.logits)[self._best()]
        going, best = self.next(), f"by then {self.best()} was held right with {right:.0%}"
        if going is not None:
            return f"{best}: {going} is worth asking"
        if len(self.asked) >= MOST_ASKS:
            return f"{best}: {MOST_ASKS} models were asked"
        if not self._known_kind():
            return f"{best}: too few answers of this kind ({self.answers[-1].final.kind}) were graded"
        return f"{best}: nobody else is worth the money and time"

    @property
    def expected_usd(self) -> float:
        """What the chain is expected to be worth before any answer, without satisfaction.

        What it was too much by on audited queries is taken off.
        """
        return self.objective.answer_value_usd * self.value - self.plan.promised_usd

    @property
    def later_usd(self) -> float:
        """What its asks after the first one are expected to cost, where nothing was asked yet."""
        if self.first < 0:
            return 0.0
        moved = moved_by(self.logits[None], self.plan.moves[()][self.first]).reshape(-1, len(self.prior))
        if self.second < 0:
            return float(self._later_usd((self.first,), moved).mean())
        pair = tuple(sorted((self.first, self.second)))
        moved = moved_by(moved, self.plan.moves[(self.first,)][self.second]).reshape(-1, len(self.prior))
        return float(self.cost_usd[self.second] + self._later_usd(pair, moved).mean())

    def _later_usd(self, asked: tuple[int, ...], logits: Array) -> Array:
        """Return what is expected to be spent from each of B states (B, K) on, (B,)."""
        able, spent = self._able(), np.zeros(len(logits))
        step = best_step(self.plan.moves, asked, logits, self.charge, able=able, vetoed=self.vetoed)
        for place in set(step.model.tolist()) - {-1}:
            here = step.model == place
            moved = moved_by(logits[here], self.plan.moves[asked][place])
            after = self._later_usd(tuple(sorted((*asked, place))), moved.reshape(-1, logits.shape[1]))
            spent[here] = self.cost_usd[place] + after.reshape(moved.shape[:2]).mean(axis=1)
        return spent

    def _step(self) -> Step:
        found = best_asks(
            self.plan.moves,
            tuple(sorted(self.asked)),
            self.logits[None],
            self.charge[None],
            self.objective.second_value_usd * self.seconds[None] / self.objective.answer_value_usd,
            able=self._able(),
            vetoed=self.vetoed,
            pairs=self._pairs(),
        )
        return float(found.value[0]), int(found.first[0]), int(found.second[0])

    def _able(self) -> frozenset[int]:
        return frozenset(place for place in range(len(self.prior)) if self._may(place))

    def _pairs(self) -> list[tuple[int, int]]:
        """Return the models that may be asked at the same time: where that saves time that counts."""
        if len(self.asked) + 2 > MOST_ASKS or self.objective.second_value_usd <= 0.0:
            return []
        may = [place for place in range(len(self.prior)) if self._may(place)]
        return [
            (one, other) for one, other in combinations(may, 2) if self._may(other, float(self.cost_usd[one]))
        ]

    def _agrees(self, number: int) -> float | None:
        from zetaroute.answers.agreement import agreement

        others = [one for other, one in enumerate(self.answers) if other != number]
        return (
            float(np.mean([agreement(self.answers[number].final, one.final) for one in others]))
            if others
            else None
        )

    def _best(self) -> int:
        return max(self.asked, key=lambda place: (place not in self.vetoed, self.logits[place]))

    def _may(self, place: int, more_usd: float = 0.0) -> bool:
        spent = float(self.cost_usd[list(self.asked)].sum()) + more_usd
        return bool(
            self.able[place] and place not in self.asked and spent + self.cost_usd[place] <= self.limit_usd
        )

    def _known_kind(self) -> bool:
        return all(self.plan.kinds[KINDS.index(one.final.kind)] >= FEWEST_SEEN for one in self.answers)

    def _next(self) -> int | None:
        if len(self.asked) >= MOST_ASKS or not self._known_kind():
            return None
        return None if self.first < 0 else self.first
