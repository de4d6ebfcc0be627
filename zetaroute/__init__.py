"""zetaroute: a command-line router for language models that learns from its own outcomes."""

from __future__ import annotations

# Not from `typing`, which would be all that importing this package loads; type checkers know the name.
TYPE_CHECKING = False
if TYPE_CHECKING:
    import os

    from zetaroute.flows.python_api import OpenHome

__version__ = "0.1.0"


def open(
    home: str | os.PathLike[str] | None = None, *, config: str | os.PathLike[str] | None = None
) -> OpenHome:
    """Open a home to ask, to rate and to read from Python; without one, the home that the command uses.

    Nothing heavy is loaded before it is needed. Raises ConfigError for a config that cannot be used.
    """
    from zetaroute.flows.python_api import open_home

    return open_home(home, config=config)
