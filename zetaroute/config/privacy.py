"""The [privacy] table and the [[rules]] blocks: what of a query may be kept, and where it may go.

Apart from the settings because both are promises to people other than the one who writes the config.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from zetaroute.config.toml_table import Table

Store = Literal["full", "hashed", "features"]
STORES: tuple[Store, ...] = ("full", "hashed", "features")
DETECTORS = ("secrets", "personal")
PRIVATE = "private"


@dataclass(frozen=True, slots=True, kw_only=True)
class Privacy:
    """What is kept of prompts and answers, and what is looked for in prompts."""

    store: Store = "full"
    detect: tuple[str, ...] = ()
    """Of DETECTORS; empty: nothing is looked for."""
    on_detect: str = PRIVATE
    """The tag that a query gets in which something was found."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TagRule:
    """A query with the tag `tag` may only go to models with the tag `require`."""

    tag: str
    require: str


DEFAULT_PRIVACY = Privacy()
DEFAULT_RULES = (TagRule(tag=PRIVATE, require="local"),)


def read_privacy(table: Table | None, rules: Sequence[TagRule]) -> Privacy:
    """Return what the table says; a tag for detected queries that no rule knows is a mistake."""
    if table is None:
        return DEFAULT_PRIVACY
    store = table.choice("store", STORES, "full")
    detect = table.texts("detect")
    for name in detect:
        if name not in DETECTORS:
            table.fail(f"key detect names {name!r}: choose of {', '.join(DETECTORS)}.")
    on_detect = table.text("on_detect", PRIVATE) or PRIVATE
    if detect and on_detect not in {rule.tag for rule in rules}:
        table.fail(
            f"key on_detect is {on_detect!r}, and no rule knows that tag: add a [[rules]] block with tag = "
            f'"{on_detect}".'
        )
    table.finish()
    return Privacy(
        store=next(one for one in STORES if one == store),
        detect=tuple(dict.fromkeys(detect)),
        on_detect=on_detect,
    )


def read_rules(tables: Sequence[Table]) -> tuple[TagRule, ...]:
    """Return the rules of the config, and the built-in one unless the config has its own for that tag."""
    rules = []
    for table in tables:
        tag, require = table.text("tag", required=True), table.text("require", required=True)
        table.finish()
        rules.append(TagRule(tag=tag or "", require=require or ""))
    named = {rule.tag for rule in rules}
    return (*rules, *(rule for rule in DEFAULT_RULES if rule.tag not in named))
