"""The kinds of queries that reports speak of: a task label where one is given, else a coarse cell of the map."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

import numpy as np

from zetaroute.arrays import Index
from zetaroute.features import AnyMap, EmbeddedMap, terms
from zetaroute.learn.fit import Fitted

TERMS = 5
"""Terms kept of a kind; the first few of them are its name."""
FEWEST_TEXTS = 2
"""Distinct texts that must hold a term: one alone would be a quotation."""
MOST_TEXTS = 2000
"""Texts looked at: what marks a kind shows in these."""
SHORTEST_WORD = 3


def cell_terms(
    fitted: Fitted, texts: Sequence[str], *, kept: Sequence[Sequence[str]] | None = None
) -> list[list[str]]:
    """Return the top terms of every coarse cell of the fitted map, as the manifest stores them.

    `kept` are those of the version whose map was kept, if it was: one map for two versions keeps its names.
    """
    cells = len(fitted.map.spaces.coarse)
    if kept is not None and len(kept) == cells:
        return [list(one) for one in kept]
    if isinstance(fitted.map, EmbeddedMap) and fitted.map.reads_hashed:
        # Its texts are hashes.
        return [[] for _ in range(cells)]
    drawn = spread(texts)
    return top_terms(fitted.map, drawn, fitted.map.cells(fitted.vectors(drawn, [None] * len(drawn))), cells)


def spread(texts: Sequence[str]) -> list[str]:
    """Return at most MOST_TEXTS of the texts that differ in more than case and spacing, evenly over all."""
    distinct = list({" ".join(text.casefold().split()): text for text in texts}.values())
    step = max(1.0, len(distinct) / MOST_TEXTS)
    return [distinct[int(place * step)] for place in range(min(len(distinct), MOST_TEXTS))]


def top_terms(feature_map: AnyMap, texts: Sequence[str], kind: Index, kinds: int) -> list[list[str]]:
    """Return, for each of the kinds 0..kinds-1, the words whose mean tf-idf there most exceeds that of all.

    `texts` are distinct and `kind` (n,) says which each is of. Only whole words of the map's vocabulary count,
    and only those that FEWEST_TEXTS of the kind's texts hold.
    """
    idf_of = _idf(feature_map, texts)
    words = list(idf_of)
    place, idf = {word: row for row, word in enumerate(words)}, np.array(list(idf_of.values()))
    weight, holders = np.zeros((kinds, len(words))), np.zeros((kinds, len(words)))
    for text, mine in zip(texts, kind.tolist(), strict=True):
        counts = Counter(place[term] for term in terms(text) if term in place)
        if not counts:
            continue
        rows = list(counts)
        own = np.array([1.0 + math.log(count) for count in counts.values()]) * idf[rows]
        weight[mine, rows] += own / np.linalg.norm(own)
        holders[mine, rows] += 1
    sizes = np.bincount(kind, minlength=kinds)
    excess = weight / np.maximum(sizes, 1)[:, None] - weight.sum(axis=0) / max(len(texts), 1)
    excess[(holders < FEWEST_TEXTS) | (excess <= 0.0)] = 0.0
    order = np.argsort(-excess, axis=1, kind="stable")[:, :TERMS]
    return [[words[row] for row in best if excess[one, row] > 0.0] for one, best in enumerate(order.tolist())]


def _idf(feature_map: AnyMap, texts: Sequence[str]) -> dict[str, float]:
    """Return the weight of every whole word of the map, or of the texts where the map reads no words."""
    if feature_map.vocabulary:
        found = feature_map.vocabulary.items()
        return {word: float(feature_map.spaces.idf[row]) for word, row in found if _is_word(word)}
    holders = Counter(word for text in texts for word in set(terms(text)) if _is_word(word))
    return {
        word: 1.0 + math.log((1 + len(texts)) / (1 + held))
        for word, held in holders.items()
        if held >= FEWEST_TEXTS
    }


def segments(tasks: Sequence[str | None], cells: Index, names: Sequence[str]) -> list[str]:
    """Return each query's task label, else the name of its cell; tasks and cells are (n,)."""
    return [task or names[cell] for task, cell in zip(tasks, cells.tolist(), strict=True)]


def _is_word(term: str) -> bool:
    """Return whether a term is a whole word; where words are not spaced, single characters are."""
    return term.isalpha() and (len(term) >= SHORTEST_WORD or not term.isascii())
