"""Ids sort by the moment they were made, within one millisecond too."""

from __future__ import annotations

import uuid

from zetaroute.domain import new_id


def test_ids_sort_in_the_order_in_which_they_were_made() -> None:
    made = [new_id() for _ in range(5000)]
    assert made == sorted(set(made))
    assert {(uuid.UUID(one).version, uuid.UUID(one).variant) for one in made} == {(7, uuid.RFC_4122)}


def test_an_id_of_an_earlier_moment_comes_before() -> None:
    assert new_id(2_000.0) > new_id(1_000.0)
