"""Rivals that learn while they serve, from the outcome of the model they drew alone.

Each adapter uses only the public interface of its package, with the settings that the package documents for a
start without data.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from benchmarks.rivals.protocols import Array, Index, Streamed, StreamedEntry
from zetaroute.features.text_terms import tokens

EXPLORED = 0.1
"""Share of queries that epsilon-greedy sends to a model drawn evenly."""


class EpsilonGreedy:
    """The model with the best mean so far, whatever the query: what context has to beat."""

    def __init__(self, arms: int, seed: int) -> None:
        self._total, self._pulls = np.zeros(arms), np.zeros(arms)
        self._rng = np.random.default_rng(seed)

    def draw(self, text: str, x: Array) -> int:
        """Return an untried model first, then mostly the best."""
        if not self._pulls.all():
            return int(np.argmin(self._pulls))
        if self._rng.random() < EXPLORED:
            return int(self._rng.integers(len(self._pulls)))
        return int(np.argmax(self._total / self._pulls))

    def learn(self, text: str, x: Array, arm: int, reward: float) -> None:
        """Add to the mean of the model."""
        self._total[arm] += reward
        self._pulls[arm] += 1

    def choose(self, texts: Sequence[str], x: Array) -> Index:
        """Return the best mean for every query."""
        return np.full(len(x), int(np.argmax(self._total / np.maximum(self._pulls, 1))))


class Mabwiser:
    """LinUCB or LinTS of mabwiser: a ridge per model, updated after every query."""

    def __init__(self, policy: str, arms: int, seed: int) -> None:
        from mabwiser.mab import MAB, LearningPolicy

        self._arms, self._rng = list(range(arms)), np.random.default_rng(seed)
        self._bandit = MAB(self._arms, getattr(LearningPolicy, policy)(), seed=seed)
        self._greedy = MAB(self._arms, LearningPolicy.LinGreedy(epsilon=0.0), seed=seed)
        self._seen: list[tuple[Array, int, float]] = []

    def draw(self, text: str, x: Array) -> int:
        """Return its choice; the first model is drawn evenly, since it must be fitted before it predicts."""
        if not self._seen:
            return int(self._rng.integers(len(self._arms)))
        return int(self._bandit.predict(x[None]))

    def learn(self, text: str, x: Array, arm: int, reward: float) -> None:
        """Update the ridge of the model."""
        teach = self._bandit.partial_fit if self._seen else self._bandit.fit
        teach([arm], [reward], x[None])
        self._seen.append((x, arm, reward))

    def choose(self, texts: Sequence[str], x: Array) -> Index:
        """Return the best mean of the same ridges without their bonus or noise."""
        contexts, arms, rewards = zip(*self._seen, strict=True)
        self._greedy.fit(list(arms), list(rewards), np.array(contexts))
        return np.asarray(self._greedy.predict(x), dtype=np.int64)


class SquareCb:
    """Vowpal Wabbit's SquareCB on the words of the query, crossed with the model."""

    def __init__(self, arms: int, seed: int) -> None:
        from vowpalwabbit import Workspace

        self._arms, self._rng = range(arms), np.random.default_rng(seed)
        self._workspace = Workspace(f"--cb_explore_adf --squarecb -q qa --quiet --random_seed {seed}")
        self._probability = 1.0

    def draw(self, text: str, x: Array) -> int:
        """Draw from the probabilities that it gives."""
        pmf = self._pmf(text)
        arm = int(self._rng.choice(len(pmf), p=pmf))
        self._probability = float(pmf[arm])
        return arm

    def learn(self, text: str, x: Array, arm: int, reward: float) -> None:
        """Give the cost, 1 - reward, with the probability of the draw."""
        self._workspace.learn(self._lines(text, f"{arm}:{1.0 - reward}:{self._probability} ", arm))

    def choose(self, texts: Sequence[str], x: Array) -> Index:
        """Return the model of the highest probability, which is the one of the least expected cost."""
        return np.array([np.argmax(self._pmf(text)) for text in texts], dtype=np.int64)

    def _pmf(self, text: str) -> Array:
        pmf = np.array(self._workspace.predict(self._lines(text)), dtype=np.float64)
        return np.asarray(pmf / pmf.sum())

    def _lines(self, text: str, label: str = "", labelled: int = -1) -> list[str]:
        words = " ".join({":": "colon", "|": "bar"}.get(word, word) for word in tokens(text))
        return [
            f"shared |q {words}",
            *(f"{label if arm == labelled else ''}|a arm{arm}" for arm in self._arms),
        ]


class ParetoBandit:
    """ParetoBandit on given vectors without offline priors; money is in the reward, so its own penalty is off."""

    def __init__(self, arms: int, size: int, seed: int, *, forced: bool) -> None:
        from pareto_bandit import BanditRouter
        from pareto_bandit.feature_service import FeatureService

        self._ids = [f"arm/{arm}" for arm in range(arms)]
        price = {"input_cost_per_m": 1.0, "output_cost_per_m": 1.0}
        self._router = BanditRouter.create(
            model_registry=dict.fromkeys(self._ids, price),
            feature_service=FeatureService.for_precomputed(dimension=size),
            priors="none",
            cost_penalty=0.0,
            bandit_seed=seed,
            **({"forgetting_factor": 1.0} if forced else {}),
        )
        self._untried = list(range(arms)) if forced else []
        self._request = ""

    def draw(self, text: str, x: Array) -> int:
        """Return its choice; where first pulls are forced, every model once before that."""
        if self._untried:
            return self._untried[0]
        name, log = self._router.route(x)
        self._request = log.request_id
        return self._ids.index(name)

    def learn(self, text: str, x: Array, arm: int, reward: float) -> None:
        """Feed back the reward of the request."""
        if self._untried:
            self._router.update(self._ids[self._untried.pop(0)], x, reward)
        else:
            self._router.process_feedback(self._request, reward=reward)

    def choose(self, texts: Sequence[str], x: Array) -> Index:
        """Return its greedy choice."""
        with self._router.exploit():
            return np.array([self._ids.index(self._router.route(row)[0]) for row in x], dtype=np.int64)


def _mabwiser(policy: str) -> StreamedEntry:
    def make(arms: int, _: int, seed: int) -> Streamed:
        return Mabwiser(policy, arms, seed)

    return StreamedEntry(name=f"mabwiser {policy}", make=make, package="mabwiser")


def _pareto(name: str, *, forced: bool) -> StreamedEntry:
    def make(arms: int, size: int, seed: int) -> Streamed:
        return ParetoBandit(arms, size, seed, forced=forced)

    return StreamedEntry(name=name, make=make, package="paretobandit")


STREAMED = (
    StreamedEntry(name="epsilon-greedy, no context", make=lambda arms, _, seed: EpsilonGreedy(arms, seed)),
    _mabwiser("LinUCB"),
    _mabwiser("LinTS"),
    StreamedEntry(
        name="Vowpal Wabbit SquareCB", make=lambda arms, _, seed: SquareCb(arms, seed), package="vowpalwabbit"
    ),
    _pareto("ParetoBandit, its cold start", forced=False),
    _pareto("ParetoBandit, one forced pull each, no forgetting", forced=True),
)
