"""A canary lives in the log: any process that merges judges it, and all agree."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import pytest

from tests.log.test_log import feedback, outcome
from zetaroute.domain import CanaryArms, CanaryEvent, Candidate, Estimate, new_id
from zetaroute.log.canary import running_canary
from zetaroute.log.journal import Entry
from zetaroute.log.log import Log
from zetaroute.log.standings import read_state
from zetaroute.projections import log_of
from zetaroute.projections.canary import GRADED_PER_SHARE, alpha_left, canary_rows, next_step
from zetaroute.registry import Registry

SHARE = 0.5


@pytest.fixture
def log(home):
    return log_of(home)


@pytest.fixture
def versions(home):
    """Two stored versions; the first serves."""
    registry = Registry(home.artifacts)
    names = [registry.publish({"parent": "v0000", "n": n}, {}) for n in range(2)]
    registry.make_current(names[0])
    return names


def began(versions, **changes) -> CanaryEvent:
    identity = new_id()
    values = {
        "id": identity,
        "time": "2026-05-05T00:00:00",
        "canary": identity,
        "step": "started",
        "version": versions[1],
        "champion": versions[0],
        "share": SHARE,
        "promote_at": 80.0,
        "evidence": 1.0,
        "accuracy_margin": 0.02,
        "answer_value_usd": 0.01,
        "second_value_usd": 0.001,
        "lowest_usd": -0.004,
        "highest_usd": 0.01,
        "unknown_usd": 0.003,
        "free": ("local",),
        "reason": "hopeful",
        "author": "test",
    }
    return CanaryEvent(**(values | changes))


def duels(canary: CanaryEvent, rows: int, *, before: float, after: float, seed: int = 0) -> list[Entry]:
    """Return graded rows whose champion's arm `a` is right at one rate and whose candidate's arm `b` at another."""
    rng = np.random.default_rng(seed)
    nothing = Estimate(mean=0.5, se=0.1)
    entries = []
    begin_s = time.time() + seed
    for number in range(rows):
        arm = "b" if rng.random() < canary.share else "a"
        duel = CanaryArms(
            canary=canary.canary,
            share=canary.share,
            least=min(canary.share, 1 - canary.share),
            before="a",
            after="b",
            before_usd=0.004,
            after_usd=0.005,
            before_accuracy=0.5,
            after_accuracy=0.6,
        )
        chance = {"a": 1 - canary.share, "b": canary.share}
        candidates = tuple(
            Candidate(
                model=model,
                eligible=True,
                reason="",
                accuracy=nothing,
                satisfaction=nothing,
                response_s=nothing,
                cost_usd=None,
                utility_usd=nothing,
                probability=chance[model],
            )
            for model in "ab"
        )
        row = replace(
            # In the order of their ids: what happens within a millisecond has none.
            outcome(
                id=new_id(begin_s + number / 100),
                model=arm,
                propensity=chance[arm],
                candidates=candidates,
                response_s=0.0,
                cost_usd=0.0,
            ),
            duel=duel,
        )
        right = rng.random() < (before if arm == "a" else after)
        entries.append(Entry(outcomes=(row,), feedback=(feedback(row.id, float(right)),)))
    return entries


def steps(log: Log) -> list[str]:
    with log.open() as connection:
        return [step for (step,) in connection.execute("SELECT step FROM canaries ORDER BY time").fetchall()]


def start(log: Log, canary: CanaryEvent) -> CanaryEvent:
    log.append([Entry(canaries=(canary,))])
    log.merge()
    return canary


def test_better_candidate_is_promoted_by_the_merge_that_brings_the_evidence(log, home, versions):
    canary = start(log, began(versions))
    log.append(duels(canary, 400, before=0.3, after=0.9))
    assert read_state(home).canary.canary == canary.canary
    log.merge()
    assert Registry(home.artifacts).current() == versions[1]
    assert read_state(home).canary is None
    assert steps(log) == ["started", "promoted"]
    with log.open() as connection:
        assert connection.execute("SELECT version, previous, author FROM promotions").fetchall() == [
            (versions[1], versions[0], "canary")
        ]


def test_worse_candidate_is_rolled_back(log, home, versions):
    canary = start(log, began(versions))
    log.append(duels(canary, 400, before=0.9, after=0.3))
    log.merge()
    assert steps(log) == ["started", "rolled_back"]
    assert Registry(home.artifacts).current() == versions[0]
    assert read_state(home).canary is None


def test_share_rises_while_no_harm_shows(log, home, versions):
    canary = start(log, began(versions, share=0.1))
    log.append(duels(canary, GRADED_PER_SHARE - 1, before=0.6, after=0.6))
    log.merge()
    assert steps(log) == ["started"]
    log.append(duels(canary, 1, before=0.6, after=0.6, seed=1))
    log.merge()
    assert steps(log) == ["started", "raised"]
    raised = read_state(home).canary
    assert (raised.canary, raised.share) == (canary.canary, 0.25)


def test_share_does_not_rise_while_harm_shows(log, home, versions):
    canary = start(log, began(versions, share=0.1, promote_at=1e9, accuracy_margin=0.5))
    log.append(duels(canary, GRADED_PER_SHARE, before=0.95, after=0.3, seed=3))
    log.merge()
    assert "raised" not in steps(log)


def test_all_looks_see_the_same_whatever_was_merged_when(home, log, versions):
    """One merge of all rows and one merge per row end at the same row."""
    canary = began(versions, promote_at=10.0)
    entries = duels(canary, 200, before=0.2, after=0.95)
    start(log, canary)
    for entry in entries:
        log.append([entry])
        log.merge()
        if "promoted" in steps(log):
            break
    with log.open() as connection:
        reason = connection.execute("SELECT reason FROM canaries WHERE step = 'promoted'").fetchone()
        graded = connection.execute("SELECT count(accuracy) FROM rounds").fetchone()
    assert f"after {graded[0]} graded rows" in reason[0]


def test_row_of_the_millisecond_in_which_the_canary_began_counts(log, versions):
    canary = start(log, began(versions))
    (entry,) = duels(canary, 1, before=0.5, after=0.5)
    earliest = canary.canary[:13] + "-7000-8000-000000000000"
    row, label = replace(entry.outcomes[0], id=earliest), feedback(earliest, 1.0)
    log.append([Entry(outcomes=(row,), feedback=(label,))])
    log.merge()
    with log.open() as connection:
        assert canary_rows(connection, canary).graded == 1


def test_utility_counts_cost_time_and_what_an_unknown_price_costs(log, versions):
    canary = start(log, began(versions, free=("b",)))
    entries = duels(canary, 40, before=1.0, after=1.0)
    timed = [
        replace(entry, outcomes=(replace(entry.outcomes[0], response_s=2.0, cost_usd=None),))
        for entry in entries
    ]
    log.append(timed)
    log.merge()
    with log.open() as connection:
        rows = canary_rows(connection, canary)
    scale = canary.highest_usd - canary.lowest_usd
    dear, free = (0.01 - 0.002 - 0.003 + 0.004) / scale, (0.01 - 0.002 + 0.004) / scale
    assert np.unique(rows.utility.reward.round(9)) == pytest.approx([dear, free])
    assert np.allclose(rows.utility.reward[rows.utility.took_after > 0], free)


def test_ungraded_pinned_and_fallback_rows_are_left_out(log, versions):
    canary = start(log, began(versions))
    kept, ungraded, pinned, fallback = duels(canary, 4, before=0.5, after=0.5)
    log.append(
        [
            kept,
            replace(ungraded, feedback=()),
            replace(pinned, outcomes=(replace(pinned.outcomes[0], propensity=None),)),
            replace(fallback, outcomes=(replace(fallback.outcomes[0], fallback_of=kept.outcomes[0].id),)),
        ]
    )
    log.merge()
    with log.open() as connection:
        assert canary_rows(connection, canary).graded == 1


def test_version_made_current_by_hand_ends_the_canary(log, home, versions):
    canary = start(log, began(versions))
    Registry(home.artifacts).make_current("v0000")
    log.append(duels(canary, 3, before=0.5, after=0.5))
    log.merge()
    assert steps(log) == ["started", "stopped"]
    assert read_state(home).canary is None


def test_damaged_candidate_is_never_promoted(log, home, versions):
    canary = start(log, began(versions))
    (home.artifacts / versions[1] / "manifest.json").write_text("{}")
    log.append(duels(canary, 400, before=0.3, after=0.9))
    log.merge()
    assert steps(log) == ["started", "stopped"]
    assert Registry(home.artifacts).current() == versions[0]


def test_end_that_waits_in_the_journal_counts_at_once(log, home, versions):
    canary = start(log, began(versions))
    log.append(
        [Entry(canaries=(next_step(canary, "stopped", evidence=0.5, reason="enough", author="user"),))]
    )
    assert read_state(home).canary is None
    log.merge()
    with log.open() as connection:
        assert running_canary(connection) is None
        assert alpha_left(connection) == pytest.approx(0.025 * 0.75)
