"""The choice grader: which option letter does an answer settle on?"""

from __future__ import annotations

import re

from zetaroute.errors import UsageError
from zetaroute.grading.choice import cues
from zetaroute.grading.choice.letters import without_markup
from zetaroute.grading.text import excerpt
from zetaroute.wire.thinking import without_thinking

_USUAL, _ALL = "ABCDEFGHIJ", "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_REFERENCE = re.compile(r"[(\[]?\s*([A-Za-z])\s*[)\].:]?")


def reference_letter(reference: str) -> str:
    """Return the letter of a reference like `B`, `(B)`, `b` or `B.`; raise UsageError when it is none."""
    match = _REFERENCE.fullmatch(reference.strip())
    if match is None:
        raise UsageError(
            f"The choice grader's reference must be one letter, not {reference[:40]!r}: name the right option."
        )
    return match[1].upper()


def choice(answer: str, reference: str) -> float:
    """Score 1 when the answer settles on the reference's letter, and on no other.

    Letters A-J are looked for, A-Z where the reference lies beyond J. The strongest evidence decides, and of
    equal evidence the last: a box; a letter alone on the last line; "the answer is"; "I choose" and "B is
    correct"; the label that the answer starts with; a cue that is hedged or speaks of other people; the only
    letter there is. Of an answer above 12,000 characters the first and last 6,000 are read.
    """
    wanted = reference_letter(reference)
    alphabet = _USUAL if wanted in _USUAL else _ALL
    text = excerpt(without_markup(excerpt(without_thinking(answer)))).strip()
    return float(_settled(text, alphabet) == frozenset(wanted))


def _settled(text: str, alphabet: str) -> frozenset[str]:
    """Return the letter that the strongest evidence names; several or none when the answer settles on none."""
    for search in (cues.boxed, cues.alone_on_last_line):
        if letters := search(text, alphabet):
            return letters
    named = list(cues.named_as_answer(text, alphabet))
    if firm := [finding for finding in named if not finding.hedged]:
        return firm[-1].letters
    preferred = cues.preferred(text, alphabet)
    firm = [finding for finding in preferred if not finding.hedged]
    # "C: both A and B are correct" is about C.
    if firm and len(firm[-1].letters) == 1:
        return firm[-1].letters
    if letters := cues.label_at_start(text, alphabet):
        return letters
    if uncertain := firm or [*preferred, *named]:
        return uncertain[-1].letters
    return cues.only_letters(text, alphabet)
