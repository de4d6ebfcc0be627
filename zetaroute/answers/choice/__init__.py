"""Which option letter an answer settles on."""

from __future__ import annotations

from zetaroute.answers.choice import cues
from zetaroute.answers.choice.letters import without_markup
from zetaroute.answers.words import excerpt

USUAL_LETTERS = "ABCDEFGHIJ"


def settled_letters(answer: str, alphabet: str = USUAL_LETTERS) -> frozenset[str]:
    """Return the letter that the strongest evidence names; several or none when the answer settles on none.

    Of an answer above 12,000 characters the first and last 6,000 are read; thinking must have been taken off.
    """
    text = excerpt(without_markup(excerpt(answer))).strip()
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
