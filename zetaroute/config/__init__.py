"""What the user can set: config.toml read into frozen settings, and where a home keeps its files."""

from zetaroute.config.grading import CommandGrader, JudgeGrader, NamedGrader, graders_hash
from zetaroute.config.home import Home, find_home
from zetaroute.config.models import Embedding, check_options
from zetaroute.config.prices import ImportedPrice, prices_text, read_prices
from zetaroute.config.privacy import DEFAULT_PRIVACY, DEFAULT_RULES, Privacy, TagRule
from zetaroute.config.serving import Serving
from zetaroute.config.settings import (
    PRESETS,
    Audits,
    Budget,
    Chains,
    Challengers,
    Explore,
    GuardRule,
    PromotionGate,
    Settings,
    default_config_text,
    load_settings,
    parse_settings,
)
from zetaroute.domain import Objective

__all__ = [
    "DEFAULT_PRIVACY",
    "DEFAULT_RULES",
    "PRESETS",
    "Audits",
    "Budget",
    "Chains",
    "Challengers",
    "CommandGrader",
    "Embedding",
    "Explore",
    "GuardRule",
    "Home",
    "ImportedPrice",
    "JudgeGrader",
    "NamedGrader",
    "Objective",
    "Privacy",
    "PromotionGate",
    "Serving",
    "Settings",
    "TagRule",
    "check_options",
    "default_config_text",
    "find_home",
    "graders_hash",
    "load_settings",
    "parse_settings",
    "prices_text",
    "read_prices",
]
