"""Deciding: predict, guard, explore, sample. numpy alone, no file, no network, no clock."""

from zetaroute.policy.decide import decide
from zetaroute.policy.forecast import Forecast
from zetaroute.policy.guard import Limits, cooling_until, doubt, tripped
from zetaroute.policy.load import load_policy
from zetaroute.policy.policy import Challenger, Policy
from zetaroute.policy.predict import LearnedPredictor
from zetaroute.policy.record import PriorPredictor
from zetaroute.policy.rules import allowed

__all__ = [
    "Challenger",
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
