"""Everything a decision needs, opened once: settings, the policy in use, and how the models stand."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cache

from zetaroute.config import Budget, Home, Objective, Settings
from zetaroute.domain import (
    FIRST_ROWS,
    Arm,
    AuditTerms,
    Decision,
    Outcome,
    Query,
    QueryEmbedding,
    Standing,
    Warm,
    usd,
)
from zetaroute.errors import ArtifactError, StoreError
from zetaroute.grading.graders import Graders
from zetaroute.log.contest_events import RunningContest
from zetaroute.log.journal import Entry
from zetaroute.log.pseudonyms import home_salt
from zetaroute.log.standings import LogState, is_readable_state, read_state, with_outcome
from zetaroute.policy import Contest, Limits, Policy, decide, load_policy, tripped
from zetaroute.policy.asking import point, usual_charge
from zetaroute.policy.contest import affordable_share, audit_share, kept_by
from zetaroute.policy.decide import NO_AUDIT
from zetaroute.policy.exploration import QUOTA, cold_rate
from zetaroute.policy.prior import tally_of
from zetaroute.policy.switch import go_on
from zetaroute.projections import log_of
from zetaroute.registry import COLD, Registry
from zetaroute.router.audits import AuditForecast, asked_beside, may_chain, why_unaudited
from zetaroute.router.budget import RunBudget, Spending
from zetaroute.router.load import Load
from zetaroute.router.options import AskOptions
from zetaroute.router.prefetch import ForecastCache
from zetaroute.router.prepare import tagged
from zetaroute.router.records import spent_usd

_ANEW_S = 2.0
"""How long a state that cannot be read waits for the log that it is made anew from."""


@dataclass(slots=True, kw_only=True)
class Router:
    """Decides queries by one policy; keeps the standings up to date with what it is told."""

    settings: Settings
    policy: Policy
    standings: dict[str, Standing]
    spending: Spending = field(default_factory=lambda: Spending(Budget()))
    audit_spending: Spending = field(default_factory=lambda: Spending(Budget()))
    """The part of it that goes to audits."""
    audit_rows: int = 0
    """Answers that audits had asked for when this was opened."""
    closed: Mapping[str, str] = field(default_factory=dict)
    """Models that cannot be called at all, and why."""
    key: Callable[[], bytes] | None = None
    """What texts are hashed with for a policy that was learned from hashed terms; None where none is."""
    moved: bool = False
    """Whether another version was made the current one since a user was answered last."""
    contest: Contest | None = None
    """The policy that is tried beside the one in use."""
    audits_since: int = 0
    """Answers that audits have asked for since the standings were taken from the log: many at once, in a batch."""
    forecasts: ForecastCache = field(default_factory=ForecastCache)
    load: Load = field(default_factory=Load)

    @property
    def rate(self) -> float:
        """Share of queries explored now."""
        explore, arms = self.settings.explore, self.settings.arms
        if not self._is_cold:
            return explore.rate
        return cold_rate(explore.cold_start_rate, explore.rate, graded=self._graded, arms=len(arms))

    @property
    def serving(self) -> str:
        """The version that serves: the challenger where it was promoted and is tested for harm."""
        contest = self.contest
        return contest.policy.version if contest is not None and contest.promoted else self.policy.version

    @property
    def _is_cold(self) -> bool:
        """Whether nothing was learned yet that could challenge the config's priors."""
        return self.policy.version == COLD and self.contest is None

    @property
    def _graded(self) -> int:
        """Graded answers of the configured models, as far as their records reach, and those under way since then."""
        return self.audits_since + sum(tally_of(self.standings, arm).graded for arm in self.settings.arms)

    @property
    def arms(self) -> dict[str, Arm]:
        """The configured models by id."""
        return {arm.id: arm for arm in self.settings.arms}

    def tagged(self, query: Query) -> Query:
        """Return the query with the tags that its rules go by: to be asked for before anything is decided or sent."""
        return tagged(query, self.settings.privacy)

    def audit_terms(
        self,
        query: Query,
        options: AskOptions,
        *,
        graders: Graders,
        run: RunBudget | None = None,
        ahead: float = 0.0,
    ) -> AuditTerms:
        """Return with which probability a query is asked of several models: by what was spent before, never by it.

        Towards the end of a budget it falls, so that the end comes to no query all at once. `ahead` answers will be
        graded before the query, beside those that are.
        """
        arms, share = self.settings.arms, self.settings.audits.share
        alone = replace(options, model=None) if options.seeds else options
        blocked = why_unaudited(query, alone, graders=graders, arms=arms)
        if blocked is not None or options.seeds or share == 0.0:
            return AuditTerms(probability=0.0, blocked=blocked, of_all=options.seeds and blocked is None)
        contest = self.contest
        share = audit_share(
            share,
            early=self._is_cold and self._graded + ahead < FIRST_ROWS * len(arms),
            promoted=self.policy.version != COLD or (contest is not None and contest.promoted),
            proving=contest is not None and contest.proving,
            usual_charge=usual_charge(arms, self.standings, self.settings.objective),
            point=point(self.settings.objective),
        )
        left = [budget.share_left() for budget in (self.spending, self.audit_spending, run) if budget]
        return AuditTerms(probability=share * min(1.0, 2.0 * min(left)))

    def audit_forecast(self, query: Query, options: AskOptions, terms: AuditTerms) -> AuditForecast:
        """Return what the audit of a tagged query is expected to ask for; raise what `decide` raises."""
        if terms.probability == 0:
            return AuditForecast()
        seed = options.seed or 0
        decision = self.decide(
            query,
            seed=seed,
            limits=options.limits,
            audit=replace(terms, probability=1.0),
            chains=may_chain(query, options),
        )
        models = asked_beside(decision)
        return AuditForecast(
            rows=terms.probability * len(models),
            cost_usd=terms.probability * sum(map(decision.expected_usd, models)),
        )

    def prefetch(self, queries: Sequence[Query]) -> None:
        """Look at queries that are to be decided next."""
        policies = [self.policy] if self.contest is None else [self.policy, self.contest.policy]
        self.forecasts.prefetch(queries, policies, self.settings.arms)

    def decide(
        self,
        query: Query,
        *,
        seed: int,
        limits: Limits | None = None,
        objective: Objective | None = None,
        forced: str | None = None,
        kept: str | None = None,
        warm: Warm | None = None,
        audit: AuditTerms = NO_AUDIT,
        chains: bool = False,
    ) -> Decision:
        """Choose a model for `query`; raise NoAnswerError when the limits or the budget leave none.

        `forced` pins one; `kept` goes on with one where it may answer, unless by what is `warm` there another one
        takes over; `audit` tosses the coin of an audit. With `chains` the model may be the first of several.
        """
        start = time.perf_counter()
        query, cached = self._read(query, talk=warm is not None), self.forecasts.pop(query)
        left_usd, budget = self.spending.left_usd()
        price, tapering = self.spending.price()
        stated = objective or self.settings.objective
        # What the champion of a contest always asks may be what is too expensive now.
        contest = self.contest if self.contest is None or price == 1.0 else replace(self.contest, anchor=None)
        decision = decide(
            query=query,
            arms=self.settings.arms,
            policy=self.policy,
            objective=stated.at_price(price),
            rate=self.rate,
            standings=self.standings,
            slow=self.load.slow(time.monotonic()),
            guards=self.settings.guards,
            rules=self.settings.rules,
            limits=replace(limits or Limits(), left_usd=left_usd, budget=budget, closed=self.closed),
            seed=seed,
            now_s=time.time(),
            forced=forced,
            kept=kept,
            contest=contest,
            audit=audit,
            chains=chains and self._chains(query),
            expected=cached.by_version,
        )
        if decision.kept:
            arms = self.settings.arms
            decision = go_on(decision, query, warm, arms=arms, policy=self.policy, standings=self.standings)
        if decision.audit is not None:
            self.audits_since += len(decision.audit.asks)
        if (standing := self.standings.get(decision.model)) is not None and tripped(standing):
            self.standings[decision.model] = replace(standing, probe_s=time.time())
        waited_s = query.embedding.elapsed_s if query.embedding else cached.took_s
        notes = [decision.note] if decision.note else []
        if price > 1.0:
            worth = usd(stated.at_price(price).answer_value_usd)
            words = f"money counts {price:g} times, so a right answer is worth {worth}"
            notes.append(f"the {tapering} is spent faster than its time goes by: {words}")
        router_s = waited_s + time.perf_counter() - start
        return replace(decision, note="; ".join(notes) or None, router_s=router_s)

    def _chains(self, query: Query) -> bool:
        return self.settings.chains.enabled and query.task not in self.settings.chains.not_for

    def _read(self, query: Query, *, talk: bool) -> Query:
        """Return the query with the vector of its hashed terms where a policy reads those and it has no other.

        Of a `talk` that goes on, all of it tells how hard it is.
        """
        policies = [self.policy] if self.contest is None else [self.policy, self.contest.policy]
        if self.key is None or query.embedding is not None or not any(one.reads_hashed for one in policies):
            return query
        from zetaroute.features.hashed import hashed_vector, space_of

        key = self.key()
        values = tuple(hashed_vector(query.talk() if talk else query.text, key).tolist())
        return replace(query, embedding=QueryEmbedding(space=space_of(key), values=values))

    def sync_versions(self, home: Home, past: LogState | None = None) -> None:
        """Follow what was decided meanwhile, here or by another process: which version serves, which is tried.

        Raises ArtifactError where that version cannot be loaded; the one in use then goes on.
        """
        registry = Registry(home.artifacts)
        running, current = (past or read_state(home)).contest, registry.current()
        serving = _champion(running, current)
        policy = self.policy if serving == self.policy.version else load_policy(registry, serving)
        # Loading takes a while: only then both change, so that no decision meanwhile mixes them.
        rate = self.settings.explore.rate
        self.policy, self.contest = policy, _contest(registry, policy, running, rate, self.contest)

    def sync_standings(self, past: LogState) -> None:
        """Take how the models stand from the log, where other processes write too; a probe of ours goes on."""
        ours = {model: standing.probe_s for model, standing in self.standings.items()}
        self.standings = {
            model: replace(standing, probe_s=ours.get(model)) for model, standing in past.standings.items()
        }
        self.audits_since = 0

    def sync_spending(self, past: LogState) -> None:
        """Take what was spent from the log, where other processes write too."""
        self.spending.refresh(past.spent_usd)
        self.audit_spending.refresh(past.audit_usd)

    def keep(self, entry: Entry) -> None:
        """Take the cost of rows as written: they are safe."""
        cost_usd = spent_usd(entry.outcomes, entry.feedback)
        self.spending.keep(cost_usd)
        if any(row.role == "audit" for row in entry.outcomes):
            self.audit_spending.keep(cost_usd)

    def observe(self, outcomes: Sequence[Outcome]) -> None:
        """Take all attempts at one more query into the standings, so that a failing model cools down within a run."""
        now_s = time.time()
        for place, outcome in enumerate(outcomes):
            standing = self.standings.get(outcome.model) or Standing(model=outcome.model)
            self.standings[outcome.model] = with_outcome(
                standing,
                status=outcome.status,
                time_s=now_s,
                began_s=now_s - sum(later.response_s or 0.0 for later in outcomes[place:]),
            )


def open_router(home: Home, settings: Settings, registry: Registry | None = None) -> Router:
    """Return a router with the current policy and standings of a home."""
    registry = registry or Registry(home.artifacts)
    if home.database.exists() and not is_readable_state(home):
        # After an upgrade the budget, the contest and the guards are not to begin anew.
        with suppress(StoreError):
            log_of(home, settings.privacy).merge(patience_s=_ANEW_S)
    # The contest first: where it ends meanwhile, the version that it made current is read after it.
    past = read_state(home)
    policy = load_policy(registry, _champion(past.contest, registry.current()))
    return Router(
        settings=settings,
        policy=policy,
        standings=past.standings,
        spending=Spending(settings.budget, past.spent_usd),
        audit_spending=Spending(Budget(daily_usd=settings.audits.budget_usd), past.audit_usd),
        audit_rows=past.audit_rows,
        closed={**_unopenable(settings.arms), **without_key(settings.arms)},
        key=lambda: home_salt(home.salt),
        moved=registry.moved_s() > past.served_s > 0.0,
        contest=_contest(registry, policy, past.contest, settings.explore.rate),
    )


def _champion(running: RunningContest | None, current: str) -> str:
    """Return the version whose side is the champion's: that of before while the current one is tested for harm."""
    if running is None or running.event.step != "promoted" or running.event.challenger != current:
        return current
    return running.event.champion


def _contest(
    registry: Registry,
    champion: Policy,
    running: RunningContest | None,
    rate: float,
    known: Contest | None = None,
) -> Contest | None:
    """Return the contest that runs, its challenger loaded unless it is known; none where it cannot be loaded.

    `rate` is the share of queries that are explored in it.
    """
    if running is None or running.event.champion != champion.version:
        return None
    event = running.event
    if known is not None and known.policy.version == event.challenger:
        policy = known.policy
    else:
        try:
            policy = load_policy(registry, event.challenger)
        except ArtifactError as error:
            _say_once(f"{event.challenger} cannot be loaded, so {champion.version} serves alone: {error}")
            return None
    share = affordable_share(
        running.share, kept=kept_by(rate, QUOTA), width_usd=event.width_usd, limit_usd=event.max_regret_usd
    )
    return Contest(
        epoch=event.epoch,
        policy=policy,
        share=share,
        anchor=event.anchor,
        promoted=event.step == "promoted",
        proving=running.proving,
    )


@cache
def _say_once(words: str) -> None:
    """Write down what is found again at every merge."""
    logging.getLogger("zetaroute").warning("note: %s", words)


def without_key(arms: Iterable[Arm]) -> dict[str, str]:
    """Return the models whose key is named in the config but not set, with the fix."""
    return {
        arm.id: f"the variable {arm.api_key_env} is not set"
        for arm in arms
        if arm.api_key_env is not None and not os.environ.get(arm.api_key_env)
    }


def _unopenable(arms: Iterable[Arm]) -> dict[str, str]:
    """Return the models to which no connection can be set up; looked for where something may hinder."""
    arms = tuple(arms)
    said = any(name.lower().endswith("_proxy") or name.startswith("SSL_CERT_") for name in os.environ)
    if not said and not any(arm.proxy or arm.ca_file for arm in arms):
        return {}
    from zetaroute.providers.connections import unopenable

    return unopenable(arms)
