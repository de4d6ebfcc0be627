"""Deciding: predict, guard, explore, sample. numpy alone, no file, no network, no clock."""

from zetaroute.policy.decide import decide
from zetaroute.policy.forecast import Forecast
from zetaroute.policy.guards import Limits, allowed, cooling_until, doubt, tripped
from zetaroute.policy.policy import Contest, Policy, load_policy
from zetaroute.policy.prior import PriorPredictor

__all__ = [
    "Contest",
    "Forecast",
    "Limits",
    "Policy",
    "PriorPredictor",
    "allowed",
    "cooling_until",
    "decide",
    "doubt",
    "load_policy",
    "tripped",
]
