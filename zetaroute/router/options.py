"""How one query is to be answered, and who is told meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from zetaroute.config import Objective
from zetaroute.domain import Warm
from zetaroute.policy import Limits
from zetaroute.providers.base import OnText
from zetaroute.providers.retry import OnSwitch


@dataclass(frozen=True, slots=True, kw_only=True)
class AskOptions:
    """What a person, a batch or a client wants of one answer."""

    model: str | None = None
    """Pins one; None lets the policy choose."""
    kept: str | None = None
    """The one that answered last in the conversation: it goes on where it may."""
    warm: Warm | None = None
    """What is warm there; another one may take over, where that pays. None: none may."""
    limits: Limits = field(default_factory=Limits)
    """They bind all models that are asked, and the judges."""
    objective: Objective | None = None
    """None: that of the config."""
    seed: int | None = None
    """Repeats a decision; None: one at random."""
    deadline_s: float | None = None
    """Seconds for all attempts together; None leaves it to the models' own limits."""
    run: str | None = None
    """How the log marks the rows."""
    outcome_id: str | None = None
    """Id of the first attempt's row, where it was promised before."""
    rating_share: float | None = None
    """Probability with which a rating will be asked for; None where no user can be asked."""
    start_anew: bool = True
    """Whether the next model may begin where a part of an answer was shown."""
    seeds: bool = False
    """Whether all models are asked the same, each by itself, to learn from."""
    no_chain: bool = False
    """Whether one model's answer is given without a look at it."""
    no_audit: str | None = None
    """Why no other model is to be asked beside the one that answers; None: the router may."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Callbacks:
    """Who is told while a query is answered."""

    on_text: OnText | None = None
    """Of each piece of the answer; of one that is checked, when it is whole."""
    on_switch: OnSwitch | None = None
    on_ask: Callable[[str], None] | None = None
    """Of each model before it is asked and, where answers are checked, of the one whose answer is given."""


class Patient:
    """Callbacks whose first exception waits until an answer that was paid for is read, and its row is safe."""

    def __init__(self, callbacks: Callbacks) -> None:
        self.error: Exception | None = None
        """What one of them raised; from then on none is called."""
        self.callbacks = Callbacks(
            on_text=self._guarded(callbacks.on_text),
            on_switch=self._guarded(callbacks.on_switch),
            on_ask=self._guarded(callbacks.on_ask),
        )

    def _guarded(self, told: Callable[..., None] | None) -> Callable[..., None] | None:
        if told is None:
            return None

        def tell(*news: object) -> None:
            if self.error is None:
                try:
                    told(*news)
                except Exception as error:
                    self.error = error

        return tell


SILENT = Callbacks()
