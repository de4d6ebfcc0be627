"""Entry points: providers, graders and importers that installed packages add to the built-in ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

from zetaroute.errors import ConfigError

Seam = Literal["providers", "graders", "importers"]
"""The group of entry points is `zetaroute.` and this."""


def extension_names(seam: Seam) -> tuple[str, ...]:
    """Return the names that installed packages offer, in alphabetical order; nothing is imported."""
    from importlib.metadata import entry_points

    return tuple(sorted(entry_points(group=f"zetaroute.{seam}").names))


def load_extension(seam: Seam, name: str, *, is_usable: Callable[[Any], bool]) -> Any:
    """Import what an installed package offers under this name; None where none does.

    Raises ConfigError for a package that cannot be imported or offers something that is not usable.
    """
    from importlib.metadata import entry_points

    for point in entry_points(group=f"zetaroute.{seam}", name=name):
        package = point.dist.name if point.dist else point.module
        try:
            found = point.load()
        # Code of others may raise anything.
        except Exception as error:
            raise ConfigError(
                f"{name!r} of the package {package} cannot be loaded ({type(error).__name__}: {error}): fix the "
                "package or uninstall it."
            ) from error
        if not is_usable(found):
            raise ConfigError(
                f"{name!r} of the package {package} is not what zetaroute.{seam} takes ({point.value}): see "
                "CONTRIBUTING.md, and fix the package or uninstall it."
            )
        return found
    return None
