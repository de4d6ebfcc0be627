"""Several models asked for one query, each because of what the answers before it look like."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, Self


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
        self, model: str, text: str, *, cut: bool = False, vetoed: bool = False, running: str | None = None
    ) -> Self:
        """Return the chain after an answer, which a failed check has `vetoed`.

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
