"""What many tests start from: a home of their own, and settings whose practice models answer at once."""

from __future__ import annotations

import gc
import os
import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings as example_settings

from tests.support.homes import instant
from zetaroute.config import Home, Settings, default_config_text, parse_settings

# How long an example takes says how busy the machine is.
example_settings.register_profile(
    "any machine", max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
example_settings.load_profile("any machine")


def pytest_collection_finish() -> None:
    """Keep the thousands of tests and libraries that are there from now on out of every garbage collection."""
    gc.collect()
    gc.freeze()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Return one worker more than there are cores: tests wait for servers a good part of their time."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return cores + 1


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """An empty home."""
    return Home(tmp_path / "home")


@pytest.fixture(scope="session")
def instant_config() -> str:
    """The default config with practice models that do not wait, and that asks nobody for a rating."""
    return instant(re.sub(r"(?m)^ask_share = .*$", "ask_share = 0", default_config_text()))


@pytest.fixture
def settings(instant_config: str) -> Settings:
    """Settings of `instant_config`."""
    return parse_settings(instant_config, file=None)
