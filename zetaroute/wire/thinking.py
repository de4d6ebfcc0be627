"""What a model writes for itself in front of its answer, told from the answer by the marks around it."""

from __future__ import annotations

import re

_CLOSERS = {
    "<think>": "</think>",
    "<thinking>": "</thinking>",
    "<thought>": "</thought>",
    "<seed:think>": "</seed:think>",
    "[think]": "[/think]",
}
"""By the mark that opens, in lower case: the one that closes."""
_SPACE_HELD = 200
"""White space that is waited behind for a mark."""
_ORPHAN = re.compile(r"(?im)(?:^|(?<=[^\s\"'`\\]))</think>|</think>(?=[ \t]*\r?$)")
"""A closing mark whose opening one stood in the prompt; one that is quoted, or amid a sentence, is a word of it."""


class ThinkingSplitter:
    """Takes the pieces of a text as they come and passes on those of the answer."""

    def __init__(self, *, opened: bool = False) -> None:
        """With `opened`, the mark that opens is thought to stand in the prompt: all is held until one closes."""
        self.thoughts: list[str] = []
        self._opened = opened
        self._held = ""
        self._closer: re.Pattern[str] | None = None
        self._longest = 0
        """Characters of a closing mark."""
        self._looked = 0
        """Where in what is held the next search for it begins."""
        self._at_start = True
        self._has_thought = False

    def feed(self, piece: str) -> str:
        """Return what of the answer `piece` completes."""
        if not self._at_start and self._closer is None:
            return piece
        self._held += piece
        while self._held and (self._closer is not None or self._at_start):
            step = self._open if self._closer is None else self._close
            if not step():
                return ""
        answer, self._held = self._held, ""
        return answer

    def flush(self) -> str:
        """Return what was held back at the end of the text; thinking that never closed is no answer."""
        held, self._held = self._held, ""
        if self._closer is None or self._opened:
            return held
        self.thoughts.append(held)
        return ""

    def _open(self) -> bool:
        """Look for an opening mark; return False while more text must come to tell."""
        start = self._held.lstrip()
        opener = next((mark for mark in _CLOSERS if start[: len(mark)].lower() == mark), None)
        if opener is not None:
            self._opened = False
            self._expect(opener)
            self._held = start[len(opener) :]
            return True
        waits = len(self._held) - len(start) < _SPACE_HELD
        if waits and any(mark.startswith(start.lower()) for mark in _CLOSERS):
            return False
        if self._opened:
            self._expect("<think>")
            return True
        self._at_start = False
        if self._has_thought:
            self._held = start
        return True

    def _expect(self, opener: str) -> None:
        closer = _CLOSERS[opener]
        self._closer, self._longest = re.compile(re.escape(closer), re.IGNORECASE), len(closer)
        self._has_thought = True

    def _close(self) -> bool:
        """Look for the closing mark; return False while it is still to come."""
        assert self._closer is not None  # noqa: S101  - the caller has looked; this tells mypy
        found = self._closer.search(self._held, self._looked)
        if found is None:
            cut = max(0, len(self._held) - self._longest + 1)
            if self._opened:
                self._looked = cut
            else:
                self.thoughts.append(self._held[:cut])
                self._held = self._held[cut:]
            return False
        self.thoughts.append(self._held[: found.start()])
        self._held, self._closer = self._held[found.end() :], None
        self._opened, self._looked = False, 0
        return True


def split_thinking(text: str) -> tuple[str, str]:
    """Return the thinking in front of an answer, without its marks, and the answer."""
    if "<" not in text and "[" not in text:
        return "", text
    splitter = ThinkingSplitter()
    answer = splitter.feed(text) + splitter.flush()
    thoughts = "".join(splitter.thoughts)
    orphan = None if thoughts else _ORPHAN.search(answer)
    if orphan is None:
        return thoughts.strip(), answer
    return answer[: orphan.start()].strip(), answer[orphan.end() :].lstrip()


def without_thinking(text: str) -> str:
    """Return the answer alone."""
    return split_thinking(text)[1]
