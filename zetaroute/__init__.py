"""zetaroute: a command-line router for language models that learns from its own outcomes."""

from __future__ import annotations

# Not from `typing`, which would be all that importing this package loads; type checkers know the name.
TYPE_CHECKING = False
if TYPE_CHECKING:
    import os

    from zetaroute import errors as errors
    from zetaroute.analysis.explain import Explanation as Explanation
    from zetaroute.analysis.kpi_result import Comparison as Comparison, KpiReport as KpiReport
    from zetaroute.api import Session as Session
    from zetaroute.domain import Candidate as Candidate, Decision as Decision, Query as Query
    from zetaroute.lifecycle.retrain_result import RetrainResult as RetrainResult
    from zetaroute.router.answer import Answer as Answer
    from zetaroute.version import __version__ as __version__

__all__ = [
    "Answer",
    "Candidate",
    "Comparison",
    "Decision",
    "Explanation",
    "KpiReport",
    "Query",
    "RetrainResult",
    "Session",
    "__version__",
    "errors",
    "open",
]
_PLACES = {
    "Answer": "zetaroute.router.answer",
    "Candidate": "zetaroute.domain",
    "Comparison": "zetaroute.analysis.kpi_result",
    "Decision": "zetaroute.domain",
    "Explanation": "zetaroute.analysis.explain",
    "KpiReport": "zetaroute.analysis.kpi_result",
    "Query": "zetaroute.domain",
    "RetrainResult": "zetaroute.lifecycle.retrain_result",
    "Session": "zetaroute.api",
    "__version__": "zetaroute.version",
    "errors": "zetaroute.errors",
}
"""Where each public name stands that is loaded when it is first asked for."""


def __getattr__(name: str) -> object:
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    module = import_module(_PLACES[name])
    return globals().setdefault(name, module if name == "errors" else getattr(module, name))


def __dir__() -> list[str]:
    return __all__


def open(
    home: str | os.PathLike[str] | None = None, *, config: str | os.PathLike[str] | None = None
) -> Session:
    """Open a home to ask, to rate and to read from Python; without one, the home that the command uses.

    Nothing heavy is loaded before it is needed. Raises ConfigError for a config that cannot be used.
    """
    from zetaroute.api import open_session

    return open_session(home, config=config)
