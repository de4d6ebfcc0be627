"""Which model is asked next for one query, and whose answer is given."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from zetaroute.domain import Attempt, ChainAsk, Decision, Role, is_cut


@dataclass(frozen=True, slots=True, kw_only=True)
class AskTurn:
    """One model to ask now, or two at once."""

    decision: Decision
    """Its candidates are asked where the model fails."""
    role: Role = "attempt"
    """Of its rows, but for a query's first."""
    escalated: bool = False
    """Whether it is asked because of an answer."""
    beside: Decision | None = None
    """By which the second one is asked."""


class Turns:
    """The turns of one query: those of its chain, then those after an answer that failed its check."""

    def __init__(
        self,
        decision: Decision,
        *,
        may_ask: Callable[[str], bool],
        may_ask_beside: Callable[[str], bool],
        at_once: bool,
    ) -> None:
        """Ask `may_ask` before every model but the first, and `may_ask_beside` for one `at_once` with another."""
        self._decision, self._chain = decision, decision.chain
        self._may_ask, self._may_ask_beside, self._at_once = may_ask, may_ask_beside, at_once
        self._asked: list[str] = []
        self._answered: list[str] = []
        self._of_chain: set[str] = set()
        self._vetoed = False
        self._waited: dict[str, float] = {}
        self._why: dict[str, str] = {}

    def first(self) -> AskTurn:
        """Return the turn of the decided model."""
        return (
            AskTurn(decision=self._decision) if self._chain is None else self._chained(self._decision.model)
        )

    def next(self) -> AskTurn | None:
        """Return the next turn; None where there is an answer to give, or nothing more may be asked."""
        model = self._chain.next() if self._chain is not None else None
        if model is not None:
            if self._may_ask(model):
                return self._chained(model)
            self._why[self._asked[-1]] += f"; {model} would cost more than may be spent"
        if not self._answered:
            others = self._decision.fallbacks() if self._chain is not None else ()
        else:
            others = self._decision.escalations if self._vetoed else ()
        left = (one for one in others if one not in self._asked and self._may_ask(one))
        model = next(left, None)
        if model is None:
            return None
        candidates = tuple(one for one in self._decision.candidates if one.model not in self._asked)
        other = replace(self._decision, model=model, candidates=candidates)
        return AskTurn(decision=other, escalated=bool(self._answered))

    def saw(
        self,
        attempts: tuple[Attempt, ...],
        *,
        vetoed: bool,
        signal: float | None = None,
        waited_s: float | None = None,
        running: str | None = None,
    ) -> None:
        """Take in what a model brought, its fallbacks with it; `waited_s` where that is not its own time.

        The answer was `vetoed` by a check, or has the score of a `signal`. Another model that was asked at the same
        time may be `running` still.
        """
        for one in attempts:
            self._asked.append(one.model)
            if waited_s is not None:
                self._waited[one.model] = waited_s
        last, done = attempts[-1], attempts[-1].completion
        if done is not None:
            self._answered.append(last.model)
            self._vetoed = vetoed
        if self._chain is None or last.model not in self._of_chain:
            return
        if done is None:
            self._chain = self._chain.without(last.model)
            self._why[last.model] = "it failed"
        else:
            self._chain = self._chain.with_answer(
                last.model,
                done.text,
                cut=is_cut(done.finish_reason),
                logprobs=done.logprob_figures,
                signal=signal,
                vetoed=vetoed,
                running=running,
            )
            self._why[last.model] = self._chain.why

    def saw_too_late(self, attempts: tuple[Attempt, ...]) -> None:
        """Take in a call whose answer nobody waited for, ended or not."""
        for one in attempts:
            self._asked.append(one.model)
            self._waited[one.model] = 0.0
            self._why[one.model] = "the answer beside it sufficed"

    def suffices(self) -> bool:
        """Whether the chain has its answer."""
        return self._chain is not None and bool(self._answered) and self._chain.next() is None

    @property
    def given(self) -> str | None:
        """The model whose answer is given; None where there is none."""
        last = self._answered[-1] if self._answered else None
        # What was asked after the chain's end was asked because no answer of the chain could be given.
        return self._chain.best() if self._chain is not None and last in self._of_chain else last

    def asks(self) -> Mapping[str, ChainAsk]:
        """Return what every ask was, by model; nothing where no chain brought the answer."""
        if self._chain is None or not self._answered:
            return {}
        thoughts = {one.model: one for one in self._chain.thoughts}
        return {
            model: ChainAsk(
                probability_right=thoughts[model].probability_right if model in thoughts else None,
                agrees=thoughts[model].agrees if model in thoughts else None,
                waited_s=self._waited.get(model),
                returned=model == self.given,
                why=self._why.get(model, "no answer of the chain could be given"),
            )
            for model in self._asked
        }

    def _chained(self, model: str) -> AskTurn:
        beside = self._chain.beside() if self._chain is not None and self._at_once else None
        if beside is not None and not self._may_ask_beside(beside):
            beside = None
        return AskTurn(
            decision=self._alone(model),
            role="chain" if self._answered else "attempt",
            escalated=bool(self._answered),
            beside=None if beside is None else self._alone(beside),
        )

    def _alone(self, model: str) -> Decision:
        """Return the decision by which a model is asked without others after it."""
        self._of_chain.add(model)
        candidates = tuple(one for one in self._decision.candidates if one.model == model)
        return replace(self._decision, model=model, candidates=candidates)
