"""Names of the learned kinds of queries: the coarse cells of a feature map, called by their top terms."""

from __future__ import annotations

from collections.abc import Sequence

NAMED = 3
"""Of the terms that are kept of a kind, so many make its name."""


def cell_names(found: Sequence[Sequence[str]] | None, cells: int) -> list[str]:
    """Return a name for each of the coarse cells from their top terms, no two alike.

    A cell without terms, as every cell of a version that was stored without any, is called by its number.
    """
    names: list[str] = []
    for cell in range(cells):
        own = _own(found, cell)
        name = ", ".join(own[:NAMED]) or f"kind {cell + 1}"
        names.append(f"{name} ({cell + 1})" if name in names else name)
    return names


def lasting_names(found: Sequence[Sequence[str]] | None, cells: int) -> tuple[str | None, ...]:
    """Return the same without mere numbers, which mean another kind in every other map."""
    names = cell_names(found, cells)
    return tuple(name if _own(found, cell) else None for cell, name in enumerate(names))


def _own(found: Sequence[Sequence[str]] | None, cell: int) -> Sequence[str]:
    return found[cell] if found is not None and cell < len(found) else ()
