"""Which models the tags of a query leave: a rule that nothing else may override.

Apart from the guards because those are weighed against one another and set aside when nobody is left; this is not.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from zetaroute.config import TagRule


def broken(
    arm_tags: Collection[str], query_tags: Collection[str], rules: Iterable[TagRule]
) -> TagRule | None:
    """Return the first rule that an arm with these tags breaks for a query with those, or None."""
    if not query_tags:
        return None
    found = (rule for rule in rules if rule.tag in query_tags and rule.require not in arm_tags)
    return next(found, None)


def allowed(arm_tags: Collection[str], query_tags: Collection[str], rules: Iterable[TagRule]) -> bool:
    """Return whether a query may be sent to an arm, or an endpoint, with these tags."""
    return broken(arm_tags, query_tags, rules) is None


def may_matter(rules: Iterable[TagRule], destinations: Iterable[Collection[str]]) -> bool:
    """Return whether any tag can keep a query from a model, or an endpoint, of those with these tags."""
    places = list(destinations)
    return any(rule.require not in tags for rule in rules for tags in places)


def words(rule: TagRule) -> str:
    """Return why an arm is out, as `--explain` shows it."""
    return f"has no tag {rule.require}, which {rule.tag} queries need"
