"""Deciding: predict, guard, explore, sample. numpy alone, no file, no network, no clock."""

from zetaroute.policy.decide import decide
from zetaroute.policy.forecast import Forecast
from zetaroute.policy.guards import Limits, allowed, cooling_until, doubt, tripped
from zetaroute.policy.learned import LearnedPredictor
from zetaroute.policy.policy import Contest, Policy
from zetaroute.policy.prior import PriorPredictor
from zetaroute.policy.serialise import load_policy

__all__ = [
    "Contest",
    "Forecast",
    "LearnedPredictor",
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
