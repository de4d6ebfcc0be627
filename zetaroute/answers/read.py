"""An answer as the chain sees it: its final answer and its signs of being right or wrong."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from zetaroute.answers.final import Final, final_of
from zetaroute.arrays import Array

SIGNS = ("length",)
"""Names of the features, in their order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadAnswer:
    """What was read of one answer."""

    final: Final
    signs: Array
    """(len(SIGNS),)"""


def read_answer(
    text: str, query: str, *, cut: bool = False, logprobs: Sequence[float] = (), signals: Sequence[float] = ()
) -> ReadAnswer:
    """Read an answer to a query; thinking must have been taken off.

    `cut` says that it ended at the limit of tokens; `logprobs` are those of its tokens, where the server gives them.
    """
    return ReadAnswer(final=final_of(text, query), signs=np.array([np.log1p(len(text))]))
