"""zetaroute: a command-line router for language models that learns from its own outcomes."""

from __future__ import annotations

from zetaroute.version import __version__ as __version__

# Not from `typing`, which would be all that importing this package loads; type checkers know the name.
TYPE_CHECKING = False
if TYPE_CHECKING:
    import os

    from zetaroute.api import OpenHome


def open(
    home: str | os.PathLike[str] | None = None, *, config: str | os.PathLike[str] | None = None
) -> OpenHome:
    """Open a home to ask, to rate and to read from Python; without one, the home that the command uses.

    Nothing heavy is loaded before it is needed. Raises ConfigError for a config that cannot be used.
    """
    from zetaroute.api import open_home

    return open_home(home, config=config)
