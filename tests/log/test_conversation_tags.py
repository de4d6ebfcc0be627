"""Tags of conversations stay until their turns are forgotten."""

from __future__ import annotations

import os

from zetaroute.log.conversation_tags import ConversationTags


def test_tags_go_with_their_conversation_or_with_old_ones(home):
    home.make()
    tags = ConversationTags(home)
    tags.forget("a", None)
    for name in ("a", "b", "c"):
        tags.add(name, ("private",))
    tags.forget("a", None)
    assert [tags.of(name) for name in ("a", "b", "c")] == [(), ("private",), ("private",)]
    for folder in home.conversations.iterdir():
        os.utime(folder, (0, 0))
    tags.add("c", ("mine",))
    tags.forget(None, "2020-01-01T00:00:00")
    assert [tags.of(name) for name in ("b", "c")] == [(), ("mine", "private")]
