"""Between a chain and its artifact: which array means what."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zetaroute.answers.names import KINDS, SIGNS
from zetaroute.arrays import Array
from zetaroute.domain import Objective
from zetaroute.policy.chain.plan import ChainPlan
from zetaroute.policy.chain.posterior import Asked, Posterior, subsets
from zetaroute.policy.chain.value import MOST_ASKS

_POSTERIOR = ("centre", "scale", "single")
_PLAN = ("cells", "kinds")
_FIGURES = ("gain_usd", "gain_se", "promised_usd")


def chain_manifest(plan: ChainPlan | None) -> dict[str, Any] | None:
    """Return what a manifest keeps of a chain; None where there is none."""
    if plan is None:
        return None
    figures = {name: getattr(plan, name) for name in _FIGURES}
    return {
        "models": list(plan.models),
        **figures,
        "objective": asdict(plan.objective),
        "kinds": list(KINDS),
        "signs": list(SIGNS),
    }


def chain_arrays(plan: ChainPlan | None) -> dict[str, NDArray[np.generic]]:
    """Return the arrays that an artifact keeps of a chain."""
    if plan is None:
        return {}
    arrays: dict[str, NDArray[np.generic]] = {
        f"chain.{name}": getattr(plan.posterior, name) for name in _POSTERIOR
    }
    arrays |= {f"chain.{name}": getattr(plan, name) for name in _PLAN}
    arrays |= {_of("joint", asked): found for asked, found in plan.posterior.joint.items()}
    return arrays | {_of("moves", asked): found for asked, found in plan.moves.items()}


def chain_from(
    manifest: Mapping[str, Any] | None, arrays: Mapping[str, NDArray[np.generic]]
) -> ChainPlan | None:
    """Return the chain that an artifact holds; None where it has none, or one of signs that are read no more.

    Raises LookupError or ValueError where its arrays do not fit together.
    """
    if manifest is None or manifest["signs"] != list(SIGNS) or manifest["kinds"] != list(KINDS):
        return None
    count, size = len(manifest["models"]), len(SIGNS)
    shapes = {
        "centre": (count, size),
        "scale": (count, size),
        "single": (count, count, count + size + 1),
        "kinds": (len(KINDS),),
    }
    found: dict[str, Array] = {
        name: np.asarray(arrays[f"chain.{name}"], dtype=np.float64) for name in (*_POSTERIOR, *_PLAN)
    }
    for name, shape in shapes.items():
        if found[name].shape != shape:
            raise ValueError(f"the chain's {name} has the shape {found[name].shape}, not {shape}")
    sets = subsets(count, min(MOST_ASKS, count))
    joint = {asked: np.asarray(arrays[_of("joint", asked)], dtype=np.float64) for asked in sets}
    moves = {
        asked: np.asarray(arrays[_of("moves", asked)], dtype=np.float64)
        for asked in ((), *sets)
        if len(asked) < min(MOST_ASKS, count)
    }
    return ChainPlan(
        models=tuple(manifest["models"]),
        posterior=Posterior(**{name: found[name] for name in _POSTERIOR}, joint=joint),
        moves=moves,
        cells=found["cells"],
        kinds=found["kinds"],
        gain_usd=manifest["gain_usd"],
        gain_se=manifest["gain_se"],
        promised_usd=manifest["promised_usd"],
        objective=Objective(**manifest["objective"]),
    )


def _of(name: str, asked: Asked) -> str:
    return f"chain.{name}." + "-".join(map(str, asked))
