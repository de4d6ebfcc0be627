"""What the user can set: config.toml read into frozen settings, and where a home keeps its files.

On the ground floor, since every command starts here; it imports the standard library alone.
"""

from zetaroute.config.home import Home, find_home
from zetaroute.config.settings import (
    PRESETS,
    Explore,
    Gate,
    GuardRule,
    Objective,
    Settings,
    default_config_text,
    load_settings,
    parse_settings,
)

__all__ = [
    "PRESETS",
    "Explore",
    "Gate",
    "GuardRule",
    "Home",
    "Objective",
    "Settings",
    "default_config_text",
    "find_home",
    "load_settings",
    "parse_settings",
]
