"""The [privacy] table and the [[rules]] blocks: what of a query may be kept, and where it may go."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from zetaroute.config.toml_table import TomlTable

Store = Literal["full", "hashed", "features"]
Detector = Literal["secrets", "personal"]
PRIVATE = "private"


@dataclass(frozen=True, slots=True, kw_only=True)
class Privacy:
    """What is kept of prompts and answers, and what is looked for in prompts."""

    store: Store = "full"
    detect: tuple[Detector, ...] = ()
    """What is looked for; empty: nothing."""
    on_detect: str = PRIVATE
    """The tag that a query gets in which something was found."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TagRule:
    """A query with the tag `tag` may only go to models with the tag `require`."""

    tag: str
    require: str


DEFAULT_PRIVACY = Privacy()
DEFAULT_RULES = (TagRule(tag=PRIVATE, require="local"),)


def read_privacy(root: TomlTable, rules: Sequence[TagRule]) -> Privacy:
    """Return what the table [privacy] says; a tag for detected queries that no rule knows is a mistake."""
    privacy = root.section("privacy", Privacy)
    if privacy.detect and privacy.on_detect not in {rule.tag for rule in rules}:
        root.fail(
            f"[privacy] key on_detect is {privacy.on_detect!r}, and no rule knows that tag: add a [[rules]] block "
            f'with tag = "{privacy.on_detect}".'
        )
    return replace(privacy, detect=tuple(dict.fromkeys(privacy.detect)))


def read_rules(tables: Sequence[TomlTable]) -> tuple[TagRule, ...]:
    """Return the rules of the config, and the built-in one unless the config has its own for that tag."""
    rules = [table.read(TagRule) for table in tables]
    named = {rule.tag for rule in rules}
    return (*rules, *(rule for rule in DEFAULT_RULES if rule.tag not in named))
