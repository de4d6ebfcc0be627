"""What earlier turns of a conversation say of the next one: who answered last, and which tags they had.

Apart from answering because it remembers over many requests, and asks the log where it cannot.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from dataclasses import replace

from zetaroute.errors import StoreBusyError
from zetaroute.flows.conversations import Spoken, spoken_in
from zetaroute.store.log import PATIENCE_S, Log

MOST = 10_000
"""Conversations that are remembered; the log knows the others."""
BRIEFLY_S = 0.2
"""How long a turn waits for the log where only the model that goes on hangs on it."""


class Conversations:
    """Remembers the conversations of one process."""

    def __init__(self, log: Log, *, alone: bool, tags_matter: bool = True) -> None:
        """Without `alone`, other processes answer turns too, so that only the log knows the last one.

        Without `tags_matter` no tag of an earlier turn can forbid anything.
        """
        self._log = log
        self._alone = alone
        self._tags_matter = tags_matter
        self._known: OrderedDict[str, Spoken] = OrderedDict()

    async def recall(self, name: str) -> Spoken:
        """Return what is known of a conversation; raise StoreBusyError when the log must tell and others keep it.

        It must where tags matter, for privacy is worth more than an answer; else only the model may change.
        """
        if name not in self._known or not self._alone:
            patience_s = PATIENCE_S if self._tags_matter else BRIEFLY_S
            try:
                told = await asyncio.to_thread(spoken_in, self._log, name, patience_s=patience_s)
            except StoreBusyError:
                if self._tags_matter:
                    raise
                return self._known.get(name, Spoken())
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
