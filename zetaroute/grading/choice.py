"""The choice grader: which option letter does an answer settle on?"""

from __future__ import annotations

import re
from string import ascii_uppercase

from zetaroute.answers.choice import USUAL_LETTERS, settled_letters
from zetaroute.errors import UsageError
from zetaroute.wire.thinking import without_thinking

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
    alphabet = USUAL_LETTERS if wanted in USUAL_LETTERS else ascii_uppercase
    return float(settled_letters(without_thinking(answer), alphabet) == frozenset(wanted))
