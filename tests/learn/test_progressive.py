"""Past rows are played through: each block is judged by what was fitted on the rows before it, each unit once."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from tests.support.worlds import OBJECTIVE, World
from zetaroute.learn.fit import map_of
from zetaroute.learn.progressive import Challenged, play
from zetaroute.learn.samples import Sample, at

EQUAL = World(
    right={"dates": (0.6, 0.6), "sorting": (0.6, 0.6), "stories": (0.6, 0.6)}, cost_usd=(0.0005, 0.0005)
)
USEFUL = World(
    right={"dates": (0.9, 0.5), "sorting": (0.9, 0.5), "stories": (0.3, 0.9)}, cost_usd=(0.0005, 0.0005)
)


@cache
def vectors_of(rows: int):
    """The map and vectors of the texts of every log of a size: their outcomes differ, their texts do not."""
    log = EQUAL.log(rows, seed=0)
    feature_map, vectors = map_of(dict.fromkeys(log.texts), None, seed=0, distinct=rows)
    return log, feature_map, vectors(log.texts, log.tasks)


def audited_log(world: World, rows: int, seed: int, *, audits: float = 1.0) -> tuple[Sample, np.ndarray]:
    """Return a log in which both models were asked for a share of the queries; and its vectors."""
    log, _, x = vectors_of(rows)
    rng = np.random.default_rng(seed)
    order = rng.permutation(rows)
    log, x = at(log, order), x[order]
    kinds = [kind for _, kind in world.queries(rows, 0)]
    p = np.array([[world.right[kinds[number]][k] for k in range(2)] for number in order])
    right = (rng.random((rows, 2)) < p).astype(float)
    arm = rng.integers(2, size=rows)
    heads = rng.random(rows) < audits
    place = np.arange(rows)
    pmf = np.where(heads[:, None], np.eye(2)[arm], 0.5)
    first = replace(
        log,
        arm=arm,
        accuracy=right[place, arm],
        pmf=pmf,
        audited=heads,
        audit_probability=np.full(rows, audits),
        decision=place.astype(np.uint64),
        time_s=place.astype(float),
        cost_usd=np.full(rows, 0.0005),
        response_s=np.zeros(rows),
    )
    other = replace(
        at(first, np.flatnonzero(heads)),
        arm=1 - arm[heads],
        accuracy=right[place, 1 - arm][heads],
        pmf=np.full((heads.sum(), 2), np.nan),
        shadow=np.ones(heads.sum(), dtype=bool),
    )
    both = np.r_[place, place[heads]]
    together = {
        name: np.concatenate([getattr(first, name), getattr(other, name)])
        for name in Sample.__slots__
        if name not in {"texts", "tasks"}
    }
    sample = Sample(texts=[*first.texts, *other.texts], tasks=[*first.tasks, *other.tasks], **together)
    order = np.argsort(both, kind="stable")
    return at(sample, order), x[both][order]


def played(world: World, log: Sample, x: np.ndarray, rows: int) -> Challenged:
    _, feature_map, _ = vectors_of(rows)
    with threadpool_limits(limits=1, user_api="blas"):
        found = play(log, x, world.arms(), objective=OBJECTIVE, feature_map=feature_map, margin=0.02)
    assert found is not None
    return found


def evidence(found: Challenged) -> float:
    return found.found(OBJECTIVE, 0.02)["e_value"]


def test_a_real_gain_is_proven_by_audits_of_a_few_hundred_queries():
    log, x = audited_log(USEFUL, 500, 1)
    found = played(USEFUL, log, x, 500)
    told = found.found(OBJECTIVE, 0.02)
    assert told["e_value"] > 1000
    assert told["accuracy"] > 20
    assert told["own_mean_usd"] > 0
    assert told["paired"] == told["units"]
    assert found.rows < len(log.arm)


def test_a_gain_is_proven_by_logged_probabilities_alone_where_both_models_are_drawn():
    log, x = audited_log(USEFUL, 1500, 2, audits=0.0)
    told = played(USEFUL, log, x, 1500).found(OBJECTIVE, 0.02)
    assert told["paired"] == 0
    assert told["e_value"] > 20


def test_where_nothing_is_gained_hardly_any_log_promotes():
    """At most one in twenty: of 24 logs 5 are more than three standard errors above."""
    promoted = 0
    for seed in range(24):
        log, x = audited_log(EQUAL, 300, seed, audits=0.5)
        promoted += evidence(played(EQUAL, log, x, 300)) >= 20.0
    assert promoted <= 4


def repeated(log: Sample, x: np.ndarray, times: int) -> tuple[Sample, np.ndarray]:
    """The same queries asked again and again, each time answered as the first time: nothing new is seen."""
    count = int(log.decision.max()) + 1
    parts = [
        replace(
            log,
            decision=log.decision + np.uint64(number * count),
            time_s=log.time_s + number * count,
        )
        for number in range(times)
    ]
    from zetaroute.learn.samples import joined

    return joined(parts), np.tile(x, (times, 1))


def test_a_text_that_was_seen_is_never_scored_again():
    log, x = audited_log(EQUAL, 200, 3)
    once = played(EQUAL, log, x, 200)
    more, vectors = repeated(log, x, 4)
    again = played(EQUAL, more, vectors, 200)
    units = np.concatenate([block.unit for block in again.blocks])
    assert len(np.unique(units)) == len(units)
    assert len(units) <= sum(len(block.unit) for block in once.blocks)


def test_repeats_do_not_inflate_the_evidence():
    """Each text four times, side by side: what trained on a text would otherwise know its answers."""
    promoted = 0
    for seed in range(10):
        log, x = audited_log(EQUAL, 150, 1000 + seed)
        more, vectors = repeated(log, x, 4)
        order = np.argsort(more.decision % np.uint64(150), kind="stable")
        beside = replace(at(more, order), time_s=np.arange(len(order), dtype=float))
        promoted += evidence(played(EQUAL, beside, vectors[order], 150)) >= 20.0
    assert promoted <= 2


def test_rows_of_a_contest_teach_and_are_not_scored_again():
    log, x = audited_log(USEFUL, 300, 4)
    live = replace(log, live=np.ones(len(log.arm), dtype=bool))
    found = played(USEFUL, live, x, 300)
    assert sum(len(block.unit) for block in found.blocks) == 0
    assert evidence(found) == 1.0


def test_rows_without_a_probability_teach_alone():
    log, x = audited_log(USEFUL, 300, 5, audits=0.0)
    unknown = replace(log, pmf=np.full_like(log.pmf, np.nan))
    found = played(USEFUL, unknown, x, 300)
    assert sum(len(block.unit) for block in found.blocks) == 0


def test_the_order_of_a_file_plays_no_part_where_all_models_were_asked():
    """Rows of all models are ordered by their texts: sorted by whether they are right, they prove the same."""
    log, x = audited_log(USEFUL, 300, 6)
    seeded = replace(
        log,
        pmf=np.full_like(log.pmf, np.nan),
        seeded=np.ones(len(log.arm), dtype=bool),
        audited=np.zeros(len(log.arm), dtype=bool),
        shadow=np.zeros(len(log.arm), dtype=bool),
        decision=np.arange(len(log.arm), dtype=np.uint64),
    )
    sorted_rows = np.argsort(seeded.accuracy, kind="stable")
    one = played(USEFUL, seeded, x, 300)
    other = played(USEFUL, at(seeded, sorted_rows), x[sorted_rows], 300)
    assert evidence(one) == pytest.approx(evidence(other), rel=1e-6)
    assert evidence(one) > 20


def test_nothing_is_bet_on_the_first_rows():
    log, x = audited_log(USEFUL, 300, 7)
    blocks = played(USEFUL, log, x, 300).blocks
    bets = [not np.isnan(block.scored.variance_usd).all() for block in blocks if len(block.unit)]
    assert not bets[0]
    assert bets[-1]


def test_a_failed_call_counts_as_wrong_and_an_ungraded_one_not_at_all():
    log, x = audited_log(USEFUL, 300, 8)
    unknown = np.isnan(log.accuracy) | (log.decision % np.uint64(3) == 0)
    ungraded = replace(log, accuracy=np.where(unknown, np.nan, log.accuracy))
    found = played(USEFUL, ungraded, x, 300)
    rows = np.concatenate([block.row for block in found.blocks])
    assert not unknown[rows].any()
    failed = replace(ungraded, lost=unknown)
    rows = np.concatenate([block.row for block in played(USEFUL, failed, x, 300).blocks])
    assert unknown[rows].any()


def test_too_few_rows_say_nothing():
    log, x = audited_log(USEFUL, 300, 9, audits=0.0)
    few = np.arange(50)
    _, feature_map, _ = vectors_of(300)
    found = play(
        at(log, few), x[few], USEFUL.arms(), objective=OBJECTIVE, feature_map=feature_map, margin=0.02
    )
    assert found is None


def test_where_answers_can_be_graded_a_failure_is_wrong_and_a_grade_that_never_came_the_worst():
    log, x = audited_log(USEFUL, 400, 5, audits=0.0)
    number = np.arange(400)
    failed, ungraded = number % 5 == 0, number % 5 == 1
    holes = replace(
        log,
        answered=~failed,
        accuracy=np.where(failed | ungraded, np.nan, log.accuracy),
        time_s=number * 100.0,
    )
    scored = failures = missing = 0
    for block in played(USEFUL, holes, x, 400).blocks:
        assert not ungraded[block.row][block.row > 400 - 36].any()
        apart = block.decided.champion != block.decided.challenger
        for side in ("champion", "challenger"):
            place = getattr(block, f"{side}_row")
            here = apart & (place >= 0)
            right = getattr(block.decided, f"{side}_right")
            assert (right[here & failed[place]] == 0.0).all()
            assert block.scored.missing[here & ungraded[place]].all()
            failures += int((here & failed[place]).sum())
            missing += int((here & ungraded[place]).sum())
        scored += len(block.row)
    assert min(failures, missing) > 5
    silent = replace(holes, audit_probability=np.full(400, np.nan))
    for block in played(USEFUL, silent, x, 400).blocks:
        assert not (failed | ungraded)[block.row].any()
