"""Which terms of a vocabulary a text has, and how often: all of them at once, by hashes of its tokens.

What counts as a term is what `text.terms` says; here no term is ever spelt out, for to put hundreds of them together
takes longer than all the rest.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from zetaroute.arrays import Index
from zetaroute.features.text_terms import LONG_WORD, WORD_END, WORD_START

Hashes = NDArray[np.int64]

# Odd numbers of 64 bits that tell the parts of a term from a token that is spelt the same; products wrap.
_FIRST, _SECOND = 0x1E3779B97F4A7C15, 0x3F58476D1CE4E5B9
_START, _END = 0x14D049BB133111EB, 0x2545F4914F6CDD1D


class Lexicon:
    """A vocabulary by its hashes, sorted: found in all at once, and in a tenth of the memory of a dictionary.

    They are made of Python's own ones, of 64 bits: that two terms share one is not to be expected in a lifetime.
    Another process has others, so none is ever stored.
    """

    def __init__(self, vocabulary: Mapping[str, int]) -> None:
        """Take the terms with their rows."""
        hashes = _hashes_of_terms(list(vocabulary))
        order = hashes.argsort()
        # The largest number there is comes last, so that every search ends at one of them.
        self._hashes = np.append(hashes[order], np.iinfo(np.int64).max)
        self._rows = np.append(np.fromiter(vocabulary.values(), np.int64, len(order))[order], 0)

    def count(self, tokens: Sequence[str]) -> tuple[Index, Index]:
        """Return the rows of the known terms of a text with these tokens, ascending, and how often it has each."""
        wanted = _hashes_of_text(tokens)
        wanted.sort()
        place = self._hashes.searchsorted(wanted)
        times = np.bincount(self._rows[place[self._hashes[place] == wanted]])
        (rows,) = times.nonzero()
        return rows, times[rows]


def _hashes(words: Sequence[str]) -> Hashes:
    keys: Sequence[str | bytes] = words
    if not "".join(words).isascii():
        # Python hashes what it keeps in memory: "of" in one byte a letter, and in two the one character that is 景.
        keys = [word if word.isascii() else word.encode("utf-8", "surrogatepass") for word in words]
    return np.fromiter(map(hash, keys), np.int64, len(keys))


def _hashes_of_text(tokens: Sequence[str]) -> Hashes:
    own = _hashes(tokens)
    long = [token for token in tokens if len(token) >= LONG_WORD]
    starts = _hashes([token[:WORD_START] for token in long])
    ends = _hashes([token[-WORD_END:] for token in long])
    return np.concatenate([own, own[:-1] * _FIRST + own[1:] * _SECOND, starts * _START, ends * _END])


def _hashes_of_terms(terms: Sequence[str]) -> Hashes:
    """Return the hashes of terms as `text.terms` spells them: no token has a space, or one of its marks and more."""
    found, pairs, starts, ends = _hashes(terms), list[int](), list[int](), list[int]()
    for row, term in enumerate(terms):
        if " " in term:
            pairs.append(row)
        elif len(term) > 1 and term[0] == "^":
            starts.append(row)
        elif len(term) > 1 and term[-1] == "$":
            ends.append(row)
    firsts, seconds = ([terms[row].split(" ")[place] for row in pairs] for place in (0, 1))
    found[pairs] = _hashes(firsts) * _FIRST + _hashes(seconds) * _SECOND
    found[starts] = _hashes([terms[row][1:] for row in starts]) * _START
    found[ends] = _hashes([terms[row][:-1] for row in ends]) * _END
    return found
