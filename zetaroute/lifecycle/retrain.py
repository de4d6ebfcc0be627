"""Retrain: promote what the evidence proves, learn from all rows, store what was learned, and let it challenge."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from zetaroute.config import Home, Settings
from zetaroute.domain import EvidenceLine, ForeignUnits
from zetaroute.evaluate.log_checks import LogFault
from zetaroute.features.cluster_names import cell_names
from zetaroute.learn.fit import Fitted
from zetaroute.learn.incremental.readers import on_cluster
from zetaroute.learn.incremental.train import (
    PARTITION_ROWS,
    TrainingResult,
    drop_forgotten,
    train,
)
from zetaroute.learn.kept_chain import AuditedAnswers, LearnedChain, kept_chain
from zetaroute.learn.progressive import Challenged, bounds_of, play
from zetaroute.learn.routing_gain import kept_anchor
from zetaroute.lifecycle.candidate import CandidatePolicy, candidate_of
from zetaroute.lifecycle.contests import promoted
from zetaroute.lifecycle.evidence import Evidence
from zetaroute.lifecycle.log_faults import faults_of_rows
from zetaroute.lifecycle.log_findings import LogFindings, look_at
from zetaroute.lifecycle.moves import moves_of
from zetaroute.lifecycle.next_step import NextStep, OpenContest, Promote, Terms, next_step
from zetaroute.lifecycle.past_evidence import foreign_units, past_lines, units_of
from zetaroute.lifecycle.regret import regret_limit_usd, regret_warning, worth_usd
from zetaroute.lifecycle.retrain_record import of_the_fit, publish, record_of
from zetaroute.lifecycle.retrain_result import RetrainRecord, RetrainResult
from zetaroute.lifecycle.verdict import Verdict
from zetaroute.lifecycle.versions import make_current
from zetaroute.log.contest_events import RunningContest
from zetaroute.log.journal import Entry
from zetaroute.log.log import PATIENCE_S, Log
from zetaroute.log.standings import read_state
from zetaroute.policy import Policy, load_policy
from zetaroute.policy.learned import LearnedPredictor
from zetaroute.registry import COLD, Registry


@dataclass(frozen=True, slots=True, kw_only=True)
class _Policies:
    """The policies of now."""

    serving: str
    """The version that serves."""
    champion: Policy
    champion_anchor: str | None
    """The single model that the champion always asks, if it is one."""
    newest: Policy
    """The challenger of now, else the champion: its map and its single model are kept where they can be."""
    manifest: Mapping[str, Any]
    """Of the newest; empty for a cold start."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Learned:
    """What was learned from all rows, and what past rows say of it."""

    lesson: TrainingResult
    fitted: Fitted
    """From all rows."""
    past: Challenged | None
    """Past rows played through; None where a contest has scored what there is."""
    evidence: Evidence
    faults: Sequence[LogFault]
    """Of the rows."""
    chain: LearnedChain
    """What audits teach of looking at answers."""


def retrain(
    *,
    home: Home,
    settings: Settings,
    log: Log,
    seed: int = 0,
    jobs: int = 1,
    since: str | None = None,
    sources: Sequence[str] = (),
    cluster: str | None = None,
    partition_rows: int = PARTITION_ROWS,
    promote: Promote = "auto",
    author: str = "retrain",
    page: bool = True,
) -> RetrainResult:
    """Promote the challenger that the evidence proves, learn from all rows, and let what was learned challenge.

    Where no contest has run, past rows are played through, so that a log has its verdict at once. With `sources` (see
    `open_sources`) their rows are learned from and judged by, in place of the home's own. The workers of the Dask
    cluster at the address `cluster` do what is done with rows. A large log is read `partition_rows` at a time; linear
    algebra takes `jobs` threads. `page` decides whether the report is also drawn as HTML.

    Raises ZetarouteError when the log holds too little to learn from.
    """
    from threadpoolctl import threadpool_limits

    start = time.perf_counter()
    registry = Registry(home.artifacts)
    before = look_at(
        log, registry, settings, since=since, sources=sources, cluster=cluster, partition_rows=partition_rows
    )
    verdict = before.judged(before.evidence, settings)
    free = promote == "auto" and registry.pinned() is None
    if free and verdict.word == "PROMOTE" and before.contest is not None and before.contest.may_win:
        contest = _promoted(before.contest, log, registry, verdict, author=author)
        before = replace(before, contest=contest, won=True)
    sides = _policies(registry, home, before)
    workers = nullcontext() if cluster is None else on_cluster(cluster)
    with workers, threadpool_limits(jobs, user_api="blas"):
        learned = _learned(before, sides, settings, log, seed=seed)
    if before.contest is None:
        verdict = before.judged(learned.evidence, settings, learned.faults)
    proven = free and learned.past is not None and verdict.word == "PROMOTE"
    made = _made(learned, sides, before, settings, registry, proven=proven, seed=seed)
    step = next_step(
        promote,
        before.contest,
        _terms(before, sides, learned, settings, made),
        settings,
        registry,
        proven=learned.evidence.standing if proven else None,
        author=author,
    )
    forced = promote == "force"
    record = _record(before, sides, learned, made, verdict, step, settings, serves=proven or forced)
    version = publish(registry, made, record, itself=proven or forced, page=page)
    entry = _entry(registry, learned, step, settings, version, record, forced=forced, author=author)
    entry = replace(entry, foreign_units=_foreign(before, log))
    return _written(log, registry, entry, version, record, start)


def _written(
    log: Log, registry: Registry, entry: Entry, version: str, record: RetrainRecord, start: float
) -> RetrainResult:
    """Write down how the contest goes on, and return what was done."""
    if entry != Entry():
        log.append([entry])
        log.merge(patience_s=PATIENCE_S)
    running = read_state(log.home).contest
    return RetrainResult(
        version=version,
        serves=registry.current(),
        share=0.0 if running is None else running.share,
        record=record,
        elapsed_s=time.perf_counter() - start,
        report=registry.folder / version / "report.md",
    )


def _made(
    learned: _Learned,
    sides: _Policies,
    before: LogFindings,
    settings: Settings,
    registry: Registry,
    *,
    proven: bool,
    seed: int,
) -> CandidatePolicy:
    """Return the new version: what past rows have scored last where they prove it, else what all rows teach."""
    fitted, past = learned.fitted, learned.past
    if proven and past is not None:
        anchor = fitted.predictor.models[past.anchor]
        fitted = replace(fitted, predictor=past.predictor, anchor=anchor, average=past.average, drifts=())
    return candidate_of(
        fitted,
        learned.lesson,
        before.source,
        settings,
        registry,
        parent=sides.serving,
        known=sides.newest,
        seed=seed,
        chain=learned.chain,
    )


def _record(
    before: LogFindings,
    sides: _Policies,
    learned: _Learned,
    made: CandidatePolicy,
    verdict: Verdict,
    step: NextStep,
    settings: Settings,
    *,
    serves: bool,
) -> RetrainRecord:
    anchor = made.policy.anchor if sides.serving == COLD else None
    moves = moves_of(
        learned.lesson.newest,
        settings.arms,
        settings.objective,
        champion=sides.champion,
        anchor=sides.champion_anchor or anchor,
        challenger=made.policy,
        predictor=made.predictor,
        names=cell_names(made.manifest["segments"], len(made.predictor.map.spaces.coarse)),
    )
    return record_of(
        learned.evidence,
        verdict,
        learned.lesson.survey.rows,
        made,
        moves,
        parent=sides.champion.version if before.contest is None else before.contest.event.champion,
        promoted=before.won or serves,
        notes=[*of_the_fit(learned.fitted, moves, learned.chain), *step.words, *before.notes()],
        anew=step.anew,
        objective=settings.objective,
    )


def _promoted(
    contest: OpenContest, log: Log, registry: Registry, verdict: Verdict, *, author: str
) -> OpenContest:
    """Let the challenger serve, from now on beside the champion of before."""
    event = contest.event
    registry.verify(event.challenger)
    reason = f"{verdict.word}: {verdict.reasons[0]}"
    entry = make_current(registry, event.challenger, reason=reason, author=author)
    serving = promoted(event, contest.found, reason=verdict.reasons[0], author=author)
    log.append([replace(entry, contests=(serving,))])
    running = RunningContest.begun(serving)
    found = replace(contest.found, units=0, paired=0, e_value=1.0, left=1.0, accuracy=1.0, harm=1.0)
    return OpenContest(running=running, found=found)


def _policies(registry: Registry, home: Home, before: LogFindings) -> _Policies:
    serving, contest = registry.current(), before.contest
    goes_on = contest is not None and not contest.serves

    def load(version: str) -> Policy:
        policy = load_policy(registry, version).with_record(read_state(home).standings)
        return policy if before.source.given is None else policy.with_embeddings(before.source.given)

    champion = load(serving)
    newest = load(contest.event.challenger) if contest is not None and goes_on else champion
    anchor = contest.event.anchor if contest is not None and goes_on else None
    return _Policies(
        serving=serving,
        champion=champion,
        champion_anchor=anchor,
        newest=newest,
        manifest={} if newest.version == COLD else registry.manifest(newest.version),
    )


def _learned(before: LogFindings, sides: _Policies, settings: Settings, log: Log, *, seed: int) -> _Learned:
    """Learn from all rows, and play past rows through where no contest has scored any and none was promoted."""
    predictor = sides.newest.predictor
    known = predictor.map if isinstance(predictor, LearnedPredictor) else None
    anchor = sides.champion_anchor or sides.newest.anchor
    lesson = train(before.source, settings, log, known=known, anchor=anchor, seed=seed)
    fitted, rows, objective = lesson.fitted, lesson.newest, settings.objective
    faults, past = faults_of_rows(rows.rows), None
    with before.source.open() as connection:
        drop_forgotten(connection, log, before.source)
        chain = None
        if before.source.own:
            chain = kept_chain(connection, sides.newest, sides.manifest, fitted, objective)
        if chain is None:
            from zetaroute.learn.chain_log import chain_of_log

            plan = chain_of_log(connection, rows, fitted, settings.arms, objective)
            chain = LearnedChain(plan=plan, fitted_on=AuditedAnswers.of_log(connection))
    learned = _Learned(
        lesson=lesson,
        fitted=fitted,
        past=None,
        evidence=before.evidence,
        faults=faults,
        chain=chain,
    )
    if before.contest is None and sides.serving == COLD and not faults:
        past = play(
            rows.rows,
            rows.x.astype(np.float64),
            settings.arms,
            objective=objective,
            feature_map=fitted.map,
            margin=settings.gate.accuracy_margin,
            known=before.scored,
        )
    if past is None:
        return learned
    played = settings.arms[past.anchor].id
    anchored = kept_anchor(fitted.predictor, fitted.average, settings.arms, objective, played)
    with before.source.open() as connection:
        evidence = Evidence.of_past(connection, past, rows, settings)
    fitted = replace(fitted, anchor=settings.arms[anchored].id)
    return replace(learned, fitted=fitted, past=past, evidence=evidence)


def _terms(
    before: LogFindings, sides: _Policies, learned: _Learned, settings: Settings, made: CandidatePolicy
) -> Terms:
    """Return what a contest would begin with now."""
    past, anchor, earlier = learned.past, made.policy.anchor, 1.0
    if past is not None:
        same = anchor == settings.arms[past.anchor].id
        earlier = past.earlier if same else learned.evidence.standing.left
    bounds = bounds_of(learned.lesson.newest.rows, settings.arms, settings.objective)
    limit_usd = regret_limit_usd(settings, worth_usd(made.policy, settings, queries=before.monthly))
    return Terms(
        champion=sides.serving,
        anchor=anchor if sides.serving == COLD else None,
        bounds=bounds if past is None else past.bounds,
        earlier=earlier,
        max_regret_usd=limit_usd,
        warning=regret_warning(settings, limit_usd),
        drifted=bool(learned.fitted.drifts),
    )


def _foreign(before: LogFindings, log: Log) -> tuple[ForeignUnits, ...]:
    """Return what was learned from other logs alone."""
    if before.source.own:
        return ()
    # One after the other: the home's own file may be among them.
    with before.source.open() as connection:
        units = units_of(connection)
    with log.open() as connection:
        return foreign_units(units, connection)


def _entry(
    registry: Registry,
    learned: _Learned,
    step: NextStep,
    settings: Settings,
    version: str,
    record: RetrainRecord,
    *,
    forced: bool,
    author: str,
) -> Entry:
    """Return how the contest goes on, with past rows that were scored; let the new version serve if it is to."""
    events = step.named(version)
    lines: tuple[EvidenceLine, ...] = ()
    if learned.past is not None:
        models = [arm.id for arm in settings.arms]
        lines = past_lines(learned.past, learned.lesson.newest, models, events, version=version)
    entry = Entry(contests=events, evidence=lines)
    if not forced and not any(event.step == "promoted" for event in events):
        return entry
    reason = f"{record.verdict}: {record.reasons[0]}"
    served = make_current(registry, version, reason=reason, author=author, forced=forced)
    return replace(entry, promotions=served.promotions)
