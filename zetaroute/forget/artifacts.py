"""Words in artifacts that only forgotten texts held: taken out of vocabulary, names of kinds and reports.

An artifact holds words of many texts; which of them no other text has used is known only while the texts are there.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from zetaroute.errors import ArtifactError
from zetaroute.features import terms
from zetaroute.features.cluster_names import cell_names
from zetaroute.registry import VOCABULARY, Registry

RESULT = "kpi.json"
_WORD = re.compile(r"\w+")


def words_of(registry: Registry, said: Iterable[str]) -> set[str]:
    """Return every term and word of texts that the artifacts hold, and what the log says in their words."""
    found = {word for one in said for word in _WORD.findall(one.lower())}
    for version in registry.versions():
        try:
            manifest = registry.manifest(version)
            vocabulary = json.loads(registry.read(version, VOCABULARY))
            result = json.loads(registry.read(version, RESULT))
        except ArtifactError:
            continue
        found.update(vocabulary, _kept_terms(manifest), _kept_terms(result))
    return found


def orphaned(forgotten: Iterable[str], remaining: Iterable[str], held: set[str]) -> set[str]:
    """Return those of the `held` terms that forgotten texts have and no remaining one has."""
    only = {term for text in forgotten for term in terms(text)} & held
    for text in remaining:
        if not only:
            break
        only.difference_update(terms(text))
    return only


def redact(registry: Registry, version: str, gone: set[str]) -> bool:
    """Take the terms out of one version; return whether there were any. A damaged version is left as it is.

    Its arrays stay, so that every other query is decided as before. Raises StoreError when there is no room.
    """
    try:
        manifest = registry.manifest(version)
        vocabulary = json.loads(registry.read(version, VOCABULARY))
        result = json.loads(registry.read(version, RESULT))
    except ArtifactError:
        return False
    cleaned = _without(manifest, gone)
    told = _renamed(_without(result, gone), _new_names(manifest.get("segments"), cleaned.get("segments")))
    # No text has a term like this, so the row of its weights is never read again.
    words = [f"\0{row}" if term in gone else term for row, term in enumerate(vocabulary)]
    if (cleaned, told, words) == (manifest, result, vocabulary):
        return False
    files = {VOCABULARY: json.dumps(words, ensure_ascii=False).encode()}
    if told != result:
        files |= _reports(told, page="report.html" in manifest["files"])
    registry.amend(version, cleaned, files)
    return True


def without_words(reason: str, gone: set[str]) -> str:
    """Return a sentence with dots in place of the words."""
    return _WORD.sub(lambda found: "..." if found[0].lower() in gone else found[0], reason)


def _reports(result: Mapping[str, Any], *, page: bool) -> dict[str, bytes]:
    """Return the files of a version that tell of its result, made anew."""
    from zetaroute.report.markdown import markdown
    from zetaroute.report.retrain_report import retrain_report

    report = retrain_report(result)
    files = {
        RESULT: json.dumps(result, indent=2, allow_nan=False).encode(),
        "report.md": markdown(report).encode(),
    }
    if page:
        from zetaroute.report import html

        files["report.html"] = html.page(report).encode()
    return files


def _kept_terms(held: Mapping[str, Any]) -> set[str]:
    """Return the words of a manifest's or a result's segments: lists of terms, or objects that hold one."""
    lists = [one.get("terms", []) if isinstance(one, dict) else one for one in held.get("segments") or []]
    return {term for one in lists for term in one}


def _without(held: Mapping[str, Any], gone: set[str]) -> dict[str, Any]:
    """Return a manifest or a result whose segments do not hold the terms."""
    if not held.get("segments"):
        return dict(held)

    def cleaned(one: Any) -> Any:
        if isinstance(one, dict):
            return {**one, "terms": cleaned(one["terms"])} if "terms" in one else one
        return [term for term in one if term not in gone]

    return {**held, "segments": [cleaned(one) for one in held["segments"]]}


def _new_names(before: Sequence[Any] | None, after: Sequence[Any] | None) -> dict[str, str]:
    """Return the names of kinds that change with their terms."""
    cells = len(before or ())
    names = zip(cell_names(before, cells), cell_names(after, cells), strict=True)
    return {old: new for old, new in names if old != new}


def _renamed(held: Any, names: Mapping[str, str]) -> Any:
    """Return a value of JSON with names replaced in every text of it."""
    if isinstance(held, str):
        for old, new in names.items():
            held = held.replace(old, new)
        return held
    if isinstance(held, list):
        return [_renamed(one, names) for one in held]
    if isinstance(held, dict):
        return {key: _renamed(one, names) for key, one in held.items()}
    return held
