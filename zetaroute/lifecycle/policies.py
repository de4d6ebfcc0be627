"""The versions of a home's policy, as Python and the commands handle them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from zetaroute.config import Home, Settings
from zetaroute.lifecycle import versions
from zetaroute.log.log import Log
from zetaroute.registry import Registry


@dataclass(frozen=True, slots=True, kw_only=True)
class Policies:
    """The versions of one home. A version is named whole (`v0003-...`), by its number, or `current`."""

    home: Home
    log: Log
    settings: Callable[[], Settings]
    """Asked where it is needed alone: going back must work with a broken config."""

    def list(self) -> list[versions.VersionSummary]:
        """Return what is known of every version, oldest first; a damaged one says so."""
        with self.log.open() as connection:
            return versions.list_versions(connection, self.home)

    def report(self, version: str = "current") -> str:
        """Return the Markdown report of a version."""
        return versions.report_of(self.home, version)

    def promotions(self, version: str = "current") -> tuple[str, ...]:
        """Return in words when a version came to serve, and by what; the first time comes first."""
        name = Registry(self.home.artifacts).find(version)
        with self.log.open() as connection:
            return versions.promotions_of(connection, name)

    def diff(self, old: str, new: str = "current") -> versions.VersionDifference:
        """Return how two versions differ, and which models they ask for the latest queries."""
        settings = self.settings()
        with self.log.open() as connection:
            return versions.differing(connection, self.home, settings, old, new)

    def verify(self, version: str | None = None) -> dict[str, int]:
        """Check every byte of a version, or of all; return how many logged decisions each repeats.

        Raises ArtifactError for the first that is damaged.
        """
        settings = self.settings()
        with self.log.open() as connection:
            return versions.verify(connection, self.home, settings, version)

    def promote(self, version: str, *, reason: str = "promoted by hand") -> str:
        """Let a version serve from the next query on, whatever the evidence says of it; return its name."""
        return versions.promote(self.home, self.log, version, reason=reason)

    def pin(self, version: str = "current") -> str:
        """Let a version serve until a person says otherwise; return its name."""
        return versions.pin(self.home, self.log, version)

    def unpin(self) -> str | None:
        """Let challengers replace the current version again; return what was pinned, or None."""
        return versions.unpin(self.home, self.log)

    def rollback(self) -> str:
        """End the contest, else go back to the version that served before; return the one that serves now."""
        return versions.rollback(self.home, self.log)
