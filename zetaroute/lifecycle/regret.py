"""What challengers may lose, as the config says it."""

from __future__ import annotations

from dataclasses import replace

from zetaroute.config import Settings
from zetaroute.policy import Policy

FEWEST_ANSWERS = 100
"""Right answers that a limit must be worth for a challenger to be tried much."""


def worth_usd(policy: Policy, settings: Settings, *, queries: int) -> float:
    """Return what the best single model's answers to so many queries are worth, by what a policy expects."""
    if policy.average is None:
        return 0.0
    unliked = replace(settings.objective, satisfaction_value_usd=0.0)
    forecast = policy.predictor.forecast(policy.average[None], settings.arms)
    return queries * float(forecast.utility(unliked, settings.arms)[0].max())


def regret_limit_usd(settings: Settings, favourite_utility_usd: float) -> float | None:
    """Return what challengers may lose in a month in USD, None without a limit.

    `favourite_utility_usd` is what the champion's answers of a month are worth, for their money and time.
    """
    found = settings.challengers
    if found.max_regret_share is not None:
        return found.max_regret_share * max(favourite_utility_usd, settings.objective.answer_value_usd)
    return found.max_regret_usd


def regret_warning(settings: Settings, limit_usd: float | None) -> str | None:
    """Return in one sentence that a limit leaves hardly anything to try; None where it does not."""
    least = FEWEST_ANSWERS * settings.objective.answer_value_usd
    if limit_usd is None or limit_usd >= least:
        return None
    return (
        f"challengers may lose {limit_usd:g} USD in a month, which is less than {FEWEST_ANSWERS} right answers "
        f"({least:g} USD): they are given few queries or none, and audits alone judge them."
    )
