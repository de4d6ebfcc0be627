"""Several models asked for one query, each because of what the answers before it look like."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol, Self, TypeVar


@dataclass(frozen=True, slots=True, kw_only=True)
class Thought:
    """What was thought of one answer once all were seen."""

    model: str
    probability_right: float
    agrees: float | None
    """Mean agreement with the other answers, 0..1; None where it is the only one."""


class Chain(Protocol):
    """How far a chain has come; every answer gives a new one."""

    def next(self) -> str | None:
        """Return the model to ask now; None where `best` should be returned instead."""
        ...

    def beside(self) -> str | None:
        """Return a second model that it is worth asking at the same time as `next`."""
        ...

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
    ) -> Self:
        """Return the chain after an answer, with the score of the user's own signal; a failed check has `vetoed` it.

        Another model that was asked at the same time may be `running` still: where `next` names it, it is worth the
        wait.
        """
        ...

    def without(self, model: str) -> Self:
        """Return the same chain where a model cannot be asked any more."""
        ...

    def best(self) -> str:
        """Return the model whose answer is held most likely right; at least one must have been asked."""
        ...

    @property
    def thoughts(self) -> tuple[Thought, ...]:
        """What is thought of every answer, in the order of asking."""
        ...

    @property
    def why(self) -> str:
        """Why it stops or goes on, in words."""
        ...

    @property
    def later_usd(self) -> float:
        """What its asks after the first one are expected to cost; nothing was asked yet."""
        ...


AnyChain = TypeVar("AnyChain", bound=Chain)


def run_chain(
    chain: AnyChain,
    seconds: Mapping[str, float],
    see: Callable[[AnyChain, str, str | None], AnyChain],
) -> tuple[AnyChain, frozenset[str], float]:
    """Return how a chain ends whose answers are all there, whom it has paid, and how long it was waited for.

    `seconds` are what every model takes; `see` shows the chain what a model brought, while another one runs. Of two
    that are asked at once the later one is cancelled where the first answer is enough, and is paid.
    """
    waited_s, paid = 0.0, set[str]()
    while (first := chain.next()) is not None:
        together = [model for model in (first, chain.beside()) if model is not None]
        together.sort(key=lambda model: seconds[model])
        paid |= set(together)
        began_s = waited_s
        for model, running in zip(together, [*together[1:], None], strict=True):
            if model != together[0] and chain.next() != model:
                break
            chain, waited_s = see(chain, model, running), began_s + seconds[model]
    return chain, frozenset(paid), waited_s


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainAsk:
    """What one ask of a chain was, once the chain had ended."""

    probability_right: float | None
    """None where no answer came, or none that the chain could think of."""
    agrees: float | None
    waited_s: float | None
    """How much longer the user waited for it than for those before; None: all of its time."""
    returned: bool
    """Whether its answer was given."""
    why: str
    """Why the chain went on after it, or stopped."""
