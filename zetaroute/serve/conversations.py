"""What earlier turns of a conversation say of the next one: who answered last, and which tags they had.

Apart from answering because it remembers over many requests, and asks the log where it cannot.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from dataclasses import replace

from zetaroute.flows.conversations import Spoken, spoken_in
from zetaroute.store.log import Log

MOST = 10_000
"""Conversations that are remembered; the log knows the others."""


class Conversations:
    """Remembers the conversations of one process."""

    def __init__(self, log: Log, *, alone: bool) -> None:
        """Without `alone`, other processes answer turns too, so that only the log knows the last one."""
        self._log = log
        self._alone = alone
        self._known: OrderedDict[str, Spoken] = OrderedDict()

    async def recall(self, name: str) -> Spoken:
        """Return what is known of a conversation; raise StoreBusyError when the log must tell and others keep it."""
        if name not in self._known or not self._alone:
            told = await asyncio.to_thread(spoken_in, self._log, name)
            # What was noted here meanwhile, the log may not have yet.
            self.note(name, tags=told.tags)
            self._keep(name, replace(self._known[name], model=told.model or self._known[name].model))
        return self._known[name]

    def note(self, name: str, *, tags: tuple[str, ...] = (), model: str | None = None) -> None:
        """Take in the tags of a turn that is about to be asked, or the model that has answered it."""
        known = self._known.get(name, Spoken())
        tags = tuple(dict.fromkeys((*known.tags, *tags)))
        self._keep(name, replace(known, tags=tags, model=model or known.model))

    def _keep(self, name: str, spoken: Spoken) -> None:
        self._known[name] = spoken
        self._known.move_to_end(name)
        while len(self._known) > MOST:
            self._known.popitem(last=False)
