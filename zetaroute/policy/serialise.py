"""Between a policy and its artifact: which array means what, for writing and for reading."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from zetaroute.arrays import Array
from zetaroute.domain import Prices
from zetaroute.errors import ArtifactError
from zetaroute.features import AnyMap, EmbeddedMap, FeatureMap, Spaces
from zetaroute.features.cluster_names import lasting_names
from zetaroute.policy.escalation import CheckReliability
from zetaroute.policy.heads import ClassHead, LinearHead, LogHead
from zetaroute.policy.learned import LearnedPredictor, Priced
from zetaroute.policy.packed_covariance import half_size
from zetaroute.policy.policy import Policy
from zetaroute.registry import ARRAYS, VOCABULARY, Artifact, pack

if TYPE_CHECKING:
    from zetaroute.policy.chain.plan import ChainPlan

_LINEAR = ("accuracy", "satisfaction", "response", "cost")
_EMBED = ("mean", "components", "average")
_SPACES = ("idf", "components", "meta_mean", "meta_scale", "coarse", "fine", "task_coef", "task_intercept")


def stored_files(
    predictor: LearnedPredictor, average: Array, chain: ChainPlan | None = None
) -> dict[str, bytes]:
    """Return the files of an artifact that hold the predictor, the average query (1 + size,) and the chain."""
    arrays: dict[str, NDArray[np.generic]] = {
        f"map.{name}": getattr(predictor.map.spaces, name) for name in _SPACES
    }
    if isinstance(predictor.map, EmbeddedMap):
        arrays |= {f"embed.{name}": getattr(predictor.map, name) for name in _EMBED}
    for name in (*_LINEAR, "rating"):
        head = getattr(predictor, name)
        if head is not None:
            arrays |= head.arrays(name)
    _share_spreads(arrays)
    arrays["average"] = average
    if chain is not None:
        from zetaroute.policy.chain.files import chain_arrays

        arrays |= chain_arrays(chain)
    words = sorted(predictor.map.vocabulary, key=predictor.map.vocabulary.__getitem__)
    return {ARRAYS: pack(arrays), VOCABULARY: json.dumps(words, ensure_ascii=False).encode()}


def policy_from(artifact: Artifact) -> Policy:
    """Return the policy that an artifact holds; raise ArtifactError when its arrays do not fit together."""
    arrays = dict(artifact.arrays)
    models = tuple(artifact.manifest["models"])
    try:
        _spread_shared(arrays)
        predictor = LearnedPredictor(
            map=_map(artifact, arrays),
            models=models,
            accuracy=LinearHead.load(arrays, "accuracy"),
            satisfaction=LinearHead.load(arrays, "satisfaction"),
            response=LogHead.load(arrays, "response"),
            cost=LogHead.load(arrays, "cost"),
            rating=ClassHead.load(arrays, "rating"),
            centre=None if artifact.manifest["routes"] else np.asarray(arrays["centre"], dtype=np.float64),
            priced={model: _priced(stored) for model, stored in artifact.manifest["priced"].items()},
        )
        # Versions of before contests have none.
        anchor = artifact.manifest.get("anchor")
        average = np.asarray(arrays["average"], dtype=np.float64) if anchor is not None else None
        chain = _chain(artifact.manifest.get("chain"), arrays)
        _check_shapes(predictor)
        if average is not None and average.shape != (1 + predictor.map.size,):
            raise ValueError(f"the average query has the shape {average.shape}")
    except (LookupError, TypeError, ValueError) as error:
        raise ArtifactError(
            f"{artifact.version} does not fit together ({error}): go back with `zetaroute policies rollback`."
        ) from error
    measured = artifact.manifest.get("checks", {})
    checks = {
        name: CheckReliability(passes=one["passes"], catches=one["catches"]) for name, one in measured.items()
    }
    kinds = lasting_names(artifact.manifest.get("segments"), len(predictor.map.spaces.coarse))
    return Policy(
        version=artifact.version,
        predictor=predictor,
        checks=checks,
        kinds=kinds,
        anchor=anchor,
        average=average,
        chain=chain,
    )


def _chain(manifest: Mapping[str, Any] | None, arrays: Mapping[str, NDArray[np.generic]]) -> ChainPlan | None:
    if manifest is None:
        return None
    from zetaroute.policy.chain.files import chain_from

    return chain_from(manifest, arrays)


def _map(artifact: Artifact, arrays: Mapping[str, NDArray[np.generic]]) -> AnyMap:
    features = artifact.manifest["features"]
    spaces = Spaces(**{name: np.asarray(arrays[f"map.{name}"]) for name in _SPACES})
    vocabulary = {term: row for row, term in enumerate(artifact.vocabulary)}
    found = FeatureMap(vocabulary, spaces, tuple(features["tasks"]), features["texts"])
    if features.get("embedding") is None:
        return found
    mean, components, average = (np.asarray(arrays[f"embed.{name}"]) for name in _EMBED)
    if components.shape != (len(mean), spaces.components.shape[1]):
        raise ValueError(f"the embedding's components have the shape {components.shape}")
    return EmbeddedMap(found, mean, components, average, features["embedding"])


def _share_spreads(arrays: dict[str, NDArray[np.generic]]) -> None:
    """Store a spread that several heads hold once, and for the others the number of the head that has it."""
    owners: dict[int, int] = {}
    for number, name in enumerate(_LINEAR):
        spread = arrays.get(f"{name}.spread")
        if spread is not None and owners.setdefault(id(spread), number) != number:
            arrays[f"{name}.spread_of"] = np.array(owners[id(spread)])
            del arrays[f"{name}.spread"]


def _spread_shared(arrays: dict[str, NDArray[np.generic]]) -> None:
    """Give the spreads that were stored once to every head that holds them."""
    for name in _LINEAR:
        if f"{name}.spread_of" in arrays:
            owner = _LINEAR[int(np.asarray(arrays[f"{name}.spread_of"]))]
            arrays[f"{name}.spread"] = arrays[f"{owner}.spread"]


def priced_json(priced: Priced) -> dict[str, Any]:
    """Return what a manifest keeps of the prices that costs were learned at."""
    prices = {name: getattr(priced.prices, name) for name in ("input", "output", "cached_input")}
    return {"prices": prices, "input_tokens": priced.input_tokens, "output_tokens": priced.output_tokens}


def stored_prices(stored: Mapping[str, float | None]) -> Prices:
    """Return the prices that a manifest keeps."""
    return Prices(
        input=stored["input"] or 0.0, output=stored["output"] or 0.0, cached_input=stored["cached_input"]
    )


def _priced(stored: Mapping[str, Any]) -> Priced:
    return Priced(
        prices=stored_prices(stored["prices"]),
        input_tokens=stored["input_tokens"],
        output_tokens=stored["output_tokens"],
    )


def _check_shapes(predictor: LearnedPredictor) -> None:
    size, count = predictor.map.size, len(predictor.models)
    if len(predictor.map.vocabulary) != len(predictor.map.spaces.components):
        raise ValueError("vocabulary and components differ in length")
    if len(predictor.map.tasks) != len(predictor.map.spaces.task_coef):
        raise ValueError("tasks and their coefficients differ in number")
    for head in (predictor.accuracy, predictor.satisfaction, predictor.response, predictor.cost):
        linear = head.linear if isinstance(head, LogHead) else head
        if linear is None:
            continue
        if linear.coef.shape != (count, size):
            raise ValueError(f"a head has shape {linear.coef.shape}, not {(count, size)}")
        if linear.spread.shape != (count, half_size(size)):
            raise ValueError(f"a spread has shape {linear.spread.shape}, not {(count, half_size(size))}")
