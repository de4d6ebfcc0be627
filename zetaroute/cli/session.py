"""What every command is given: the home, the settings and how much to say, made from the global options."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from zetaroute.cli.printing import PATIENCE_S, say, telling

if TYPE_CHECKING:
    from zetaroute.api import Session
    from zetaroute.config import Home, Settings
    from zetaroute.lifecycle.policies import Policies
    from zetaroute.log.journal import Entry
    from zetaroute.log.log import Log


@dataclass(kw_only=True)
class Run:
    """The global options of one command, and the home and settings that they name, read once."""

    home_option: Path | None
    config_option: Path | None
    quiet: bool

    @cached_property
    def home(self) -> Home:
        """The folder with everything."""
        from zetaroute.config import find_home

        return find_home(self.home_option)

    @cached_property
    def _settings(self) -> Settings:
        from zetaroute.config import load_settings

        return load_settings(self.config_option, self.home.config)

    def settings(self, *, quiet: bool = False) -> Settings:
        """Return the settings; say so, unless `quiet`, when practice models serve."""
        settings = self._settings
        if not quiet and any(arm.provider == "practice" for arm in settings.arms):
            hint = "" if settings.file else " (`zetaroute init` writes a config to connect real ones)"
            self.note(f"practice models answer: small built-in programs, not language models{hint}")
        return settings

    def log(self, settings: Settings | None = None) -> Log:
        """Return the home's outcome log; callers that append rows to it pass the settings, which may forbid texts."""
        from zetaroute.config import DEFAULT_PRIVACY
        from zetaroute.projections import log_of

        privacy = DEFAULT_PRIVACY if settings is None else settings.privacy
        return log_of(self.home, privacy, on_derived=self._tell_derived)

    def _tell_derived(self, entry: Entry) -> None:
        """Say what became of the contest by what came in with this command."""
        for event in entry.contests:
            how = event.step.replace("_", " ")
            self.note(f"by what came in, the contest of {event.challenger} is {how}: {event.reason}")

    def open(self) -> Session:
        """Return the home as Python uses it, with these settings."""
        from zetaroute.api import Session

        settings = self.settings(quiet=True)
        return Session(self.home, settings, self.log(settings))

    def policies(self) -> Policies:
        """Return the versions of the policy; the settings are read where they are needed alone."""
        from zetaroute.lifecycle.policies import Policies

        return Policies(home=self.home, log=self.log(), settings=partial(self.settings, quiet=True))

    def working(self, words: str) -> AbstractContextManager[object]:
        """Say on a terminal what is done while it takes longer than a second, unless --quiet."""
        return telling(words, quiet=self.quiet, after_s=PATIENCE_S)

    def note(self, text: str) -> None:
        """Say something beside the answer, unless --quiet."""
        if not self.quiet:
            say(f"note: {text}")


def session(context: typer.Context) -> Run:
    """Return the global options of a command's context."""
    found = context.find_object(Run)
    assert found is not None  # noqa: S101  - the root callback always makes one; this tells mypy
    return found
