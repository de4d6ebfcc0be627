"""The names of what is read of an answer, without what reads it: decisions of a policy with a chain need no more."""

from __future__ import annotations

from typing import Literal, get_args

Kind = Literal["empty", "declined", "choice", "date", "number", "boolean", "calls", "json", "text"]
KINDS: tuple[Kind, ...] = get_args(Kind)
SIGNS = (
    *(f"is {kind}" for kind in KINDS[1:]),
    "cued", "length", "words", "lines", "digits", "capitals", "overlap", "numbers known", "hedges", "refusals",
    "steps", "equations", "questions", "blanks", "fenced", "cut", "magnitude", "whole number", "letter", "calls",
    "arguments", "arguments known", "functions", "numbers in quotes", "lists", "longest argument",
    "logprob least", "logprob low", "logprob mean", "signal",
)  # fmt: skip
"""Names of the signs, in their order."""
EQUAL = 0.75
"""Agreement from which two answers count as the same one."""
