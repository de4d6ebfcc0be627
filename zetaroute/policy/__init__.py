"""Deciding: predict, guard, explore, sample. numpy alone, no file, no network, no clock."""

from zetaroute.policy.decide import decide as decide
from zetaroute.policy.forecast import Forecast as Forecast
from zetaroute.policy.guards import (
    Limits as Limits,
    allowed as allowed,
    cooling_until as cooling_until,
    doubt as doubt,
    tripped as tripped,
)
from zetaroute.policy.policy import Contest as Contest, Policy as Policy, load_policy as load_policy
from zetaroute.policy.prior import PriorPredictor as PriorPredictor
