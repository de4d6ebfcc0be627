"""What becomes of a contest when a new version was learned: its next steps, and who serves."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, get_args

from zetaroute.config import Settings
from zetaroute.domain import PROVING_UNITS, ContestEvent
from zetaroute.learn.progressive import UtilityBounds
from zetaroute.lifecycle.contests import begun, changed_terms, promoted
from zetaroute.log.contest_events import RunningContest
from zetaroute.projections.contest_standing import ContestStanding, step_of
from zetaroute.registry import Registry

Promote = Literal["auto", "never", "force"]
PROMOTE: tuple[Promote, ...] = get_args(Promote)
NEW = "the new version"
"""Stands for its name until it is stored."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenContest:
    """The contest that ran when a retrain began, and what its evidence says."""

    running: RunningContest
    found: ContestStanding

    @property
    def event(self) -> ContestEvent:
        """Its last step."""
        return self.running.event

    @property
    def serves(self) -> bool:
        """Whether the challenger serves already, beside the champion of before."""
        return self.event.step == "promoted"

    @property
    def may_win(self) -> bool:
        """Whether the evidence may let the challenger serve."""
        return self.event.step in {"began", "refitted", "resumed"}

    @property
    def proving(self) -> bool:
        """Whether it is still tested for harm."""
        return self.running.proving


@dataclass(frozen=True, slots=True, kw_only=True)
class NextStep:
    """What is written down of the contest; NEW stands for the version that has no name yet."""

    events: tuple[ContestEvent, ...] = ()
    words: tuple[str, ...] = ()
    """What is to be said of it."""
    anew: str | None = None
    """Why the evidence begins anew, where a contest has ended."""

    def named(self, version: str) -> tuple[ContestEvent, ...]:
        """Return the events with the name of the new version."""
        return tuple(
            replace(event, challenger=version) if event.challenger == NEW else event for event in self.events
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What a contest would begin with now."""

    champion: str
    """The version that serves."""
    anchor: str | None
    """The single model that the champion asks; None where it chooses by query."""
    bounds: UtilityBounds
    earlier: float
    """What challenges of other single models in past rows have left of the evidence."""
    max_regret_usd: float | None
    """What challengers may lose in a month."""
    warning: str | None
    """What is to be said of that."""
    drifted: bool
    """Whether a model has changed."""


def next_step(
    promote: Promote,
    standing: OpenContest | None,
    terms: Terms,
    settings: Settings,
    registry: Registry,
    *,
    proven: ContestStanding | None,
    author: str,
) -> NextStep:
    """Return how the contest goes on with the new version; `proven` is the evidence by which it serves at once."""
    if (held := _held(promote, standing, registry, author)) is not None:
        return held
    why = None if standing is None else _why_anew(standing, terms, settings, registry)
    if standing is not None and why is None:
        return _refitted(standing, terms, author)
    ended = () if why is None else _ended(standing, why, author)
    left = 1.0 if standing is None or standing.serves else standing.found.left
    began = begun(
        settings,
        terms.bounds,
        champion=terms.champion,
        anchor=terms.anchor,
        challenger=NEW,
        max_regret_usd=terms.max_regret_usd,
        earlier=left * terms.earlier,
        reason=why or "a first challenger",
        author=author,
    )
    if proven is None:
        return NextStep(events=(*ended, began), words=_challenges(terms), anew=why)
    serving = promoted(began, proven, reason="the evidence of past rows promotes it", author=author)
    return NextStep(events=(*ended, began, serving))


def _held(promote: Promote, standing: OpenContest | None, registry: Registry, author: str) -> NextStep | None:
    """Return what happens where the new version is not to challenge; None where it is."""
    if promote == "force":
        ended = _ended(standing, "another version was made current", author)
        return NextStep(events=ended, words=("it serves because --promote force says so",))
    if (pinned := registry.pinned()) is not None:
        words = f"{pinned} is pinned and goes on serving: `zetaroute policies pin --off` ends that"
        return NextStep(words=(words,))
    if promote == "never":
        return _never(standing, author)
    if standing is None or not standing.proving:
        return None
    words = (
        f"{standing.event.challenger} was promoted and is tested for harm first: {standing.found.units} of "
        f"{PROVING_UNITS} queries were scored, so {NEW} challenges nothing yet"
    )
    return NextStep(words=(words,))


def _why_anew(standing: OpenContest, terms: Terms, settings: Settings, registry: Registry) -> str | None:
    """Return why the evidence begins anew; None where it goes on."""
    event = standing.event
    if standing.serves:
        return f"{event.challenger} has passed its test for harm"
    if terms.anchor != event.anchor:
        return f"the best single model is {terms.anchor} now"
    if terms.drifted:
        return "a model has changed"
    return changed_terms(event, settings, registry)


def _refitted(standing: OpenContest, terms: Terms, author: str) -> NextStep:
    event = standing.event
    now = step_of(event, "refitted", standing.found, reason="", author=author)
    now = replace(now, challenger=NEW, max_regret_usd=terms.max_regret_usd, harm=1.0)
    if event.step == "paused" and event.author == "evidence" and event.time[:7] == now.time[:7]:
        kept = replace(now, step="paused", reason=event.reason, author=event.author)
        return NextStep(events=(kept,), words=(f"{NEW} serves no query before next month: {event.reason}",))
    reason = f"it has learned from more rows than {event.challenger}"
    return NextStep(
        events=(replace(now, reason=reason),),
        words=(f"{NEW} is the challenger from now on, in place of {event.challenger}",),
    )


def _never(standing: OpenContest | None, author: str) -> NextStep:
    if standing is None or standing.serves or standing.event.step == "paused":
        return NextStep()
    paused = step_of(standing.event, "paused", standing.found, reason="--promote never", author=author)
    words = f"{standing.event.challenger} serves no query any more, since --promote never says so"
    return NextStep(events=(paused,), words=(words,))


def _ended(standing: OpenContest | None, reason: str, author: str) -> tuple[ContestEvent, ...]:
    if standing is None:
        return ()
    return (step_of(standing.event, "ended", standing.found, reason=reason, author=author),)


def _challenges(terms: Terms) -> tuple[str, ...]:
    against = terms.champion if terms.anchor is None else f"the best single model, {terms.anchor},"
    words = f"{NEW} challenges {against} from now on: its share of the queries follows the evidence"
    return (words,) if terms.warning is None else (words, terms.warning)
