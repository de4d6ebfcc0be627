"""What a challenger is given keeps to its limit, whatever a query says."""

from __future__ import annotations

import numpy as np
import pytest

from zetaroute.domain import AuditTerms
from zetaroute.evaluate.e_process import Ranges
from zetaroute.policy.contest import SideView, affordable_share, draw_side, kept_by, least_probabilities
from zetaroute.policy.exploration import with_floor

RANGES = Ranges(low=np.array([-0.5, -0.1, 0.0]), high=np.array([1.0, 1.0, 1.0]))
WIDTH = 1.5


@pytest.mark.parametrize("limit", [45.0, 60.0, 100.0, 300.0, 3000.0])
@pytest.mark.parametrize("rate", [0.0, 0.05, 0.3])
def test_no_query_may_lose_more_than_a_twelfth_of_the_limit(limit, rate):
    kept = kept_by(rate, 0.1)
    for wanted in (0.25, 0.5, 0.69, 0.9, 0.95):
        share = affordable_share(wanted, kept=kept, width_usd=WIDTH, limit_usd=limit)
        assert 0.0 <= share <= wanted
        if share == 0.0:
            continue
        champion, challenger = least_probabilities(np.array([share]), np.array([kept]))
        single = RANGES.worst(least=challenger, other_least=champion)[0]
        assert share * max(single, RANGES.worst_pair()) <= limit / 12.0 + 1e-9


def test_a_share_is_as_wanted_without_a_limit_or_under_a_large_one_and_nothing_under_a_small_one():
    given = {"kept": kept_by(0.05, 0.1), "width_usd": 1.0}
    assert affordable_share(0.9, **given, limit_usd=None) == 0.9
    assert affordable_share(0.9, **given, limit_usd=1e6) == 0.9
    assert 0.8 < affordable_share(0.9, **given, limit_usd=100.0) < 0.9
    assert affordable_share(0.9, **given, limit_usd=20.0) == 0.0


@pytest.mark.parametrize("replays", [True, False])
@pytest.mark.parametrize(("champion_reach", "challenger_arm"), [((), 1), ((), 0), ((0, 1), 0), ((1, 2), 0)])
def test_with_chains_the_mean_gain_over_all_draws_is_the_true_one(
    champion_reach: tuple[int, ...], challenger_arm: int, replays: bool
) -> None:
    mean, se = np.array([0.5, 0.6, 0.4]), np.full(3, 0.1)
    champion = SideView(
        arm=champion_reach[0] if champion_reach else 0, mean=mean, se=se, reach=champion_reach
    )
    challenger = SideView(arm=challenger_arm, mean=mean, se=se, reach=(challenger_arm, 2))
    single, of_chains = {0: 0.5, 1: 0.6}, {"champion": 0.3, "challenger": 0.8}
    worth = {
        "champion": of_chains["champion"] if champion.reach else single[champion.arm],
        "challenger": of_chains["challenger"],
    }
    expected, gains = 0.45, []
    for seed in range(1500):
        made = draw_side(
            champion,
            challenger,
            share=0.6,
            terms=AuditTerms(probability=0.3),
            eligible=np.ones(3, dtype=bool),
            new=np.zeros(3, dtype=bool),
            asking=np.ones(3),
            explored=lambda pmf: with_floor(pmf, np.full(3, 1 / 3), 0.2),
            replays=replays,
            seed=seed,
        )
        decider = champion if made.side == "champion" else challenger
        ran = bool(decider.reach) and made.arm == decider.arm
        gain = 0.0
        for side, view, p, sign in (
            ("champion", champion, made.champion_p, -1.0),
            ("challenger", challenger, made.challenger_p, 1.0),
        ):
            if view.reach:
                seen = (ran and side == made.side) or (made.heads and replays)
            else:
                seen = view.arm in made.asks if made.heads else made.arm == view.arm and not ran
            gain += sign * (expected + (worth[side] - expected) / p * seen)
        gains.append(gain)
    true = worth["challenger"] - worth["champion"]
    assert np.mean(gains) == pytest.approx(true, abs=4.0 * np.std(gains) / len(gains) ** 0.5)
    assert np.std(gains) / len(gains) ** 0.5 < 0.03
