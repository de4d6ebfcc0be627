"""What a challenger is given keeps to its limit, whatever a query says."""

from __future__ import annotations

import numpy as np
import pytest

from zetaroute.evaluate.evidence import Ranges
from zetaroute.policy.contest import affordable_share, kept_by, least_probabilities

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
