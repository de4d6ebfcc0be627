"""A config to start from."""

from __future__ import annotations

import re

from zetaroute.config import PRESETS, Home, default_config_text
from zetaroute.errors import UsageError
from zetaroute.files.atomic import os_errors


def default_config(*, preset: str | None) -> str:
    """Return the commented default config with a preset; raises UsageError for an unknown one."""
    if preset is not None and preset not in PRESETS:
        raise UsageError(f"--preset is {preset!r}: choose one of {', '.join(PRESETS)}.")
    text = default_config_text()
    if preset is not None:
        kept, chosen = re.split(r"(?m)^answer_value_usd.*\n.*\n.*\n", text), f'preset = "{preset}"\n'
        text = chosen.join(kept)
    return text


def write_config(home: Home, text: str) -> str:
    """Write a config into the home and return its path; never touch an existing one."""
    check_no_config(home)
    home.make()
    with os_errors(f"cannot write {home.config}", "make the home writable.", UsageError):
        try:
            with open(home.config, "x", encoding="utf-8") as file:
                file.write(text)
        except FileExistsError:
            raise _exists(home) from None
    return str(home.config)


def check_no_config(home: Home) -> None:
    """Raise UsageError when the home has a config already."""
    if home.config.exists() or home.config.is_symlink():
        raise _exists(home)


def _exists(home: Home) -> UsageError:
    return UsageError(f"{home.config} exists already and is left as it is: edit it, or move it away.")
