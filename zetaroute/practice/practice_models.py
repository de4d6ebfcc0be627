"""The practice models: three small programs that stand in for language models until a real one is connected.

They are programs, not language models, and say so. Each solves the families of `zetaroute.practice.families`
within its own limits, so that none is best at everything and there is something to learn about them without
any network. Nothing here waits: an answer carries the times that the caller lets pass for real.
The families are imported at the first answer, so that names, prices and priors cost nothing to read: code that
measures that answer's time imports `zetaroute.practice.families` before.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from zetaroute.practice.family import Solution

WINDOW_CHARS = 4000
"""What a practice model reads of a query; it is not charged for the rest."""
_PIECE_WORDS = 8
_TOKEN = re.compile(r"\w+|[^\w\s]+")
_WORDS = re.compile(r"\s*\S+\s*")
_TAIL_CHARS = 80
_BARE = re.compile(r"\b(?:only|nothing but|just the)\b", re.IGNORECASE)
_OPENING = "Let me go through this step by step."
_OUT_OF_REACH = (
    "I am {name}, a small practice program built into zetaroute and not a language model: I can only do tasks "
    "such as arithmetic, percentages, dates, sorting, counting, finding and ordering facts in a short text. "
    "To ask a real model, run `zetaroute init`, edit the config.toml that it writes, and see the README."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PracticeAnswer:
    """An answer with the pace at which it is to be given."""

    text: str
    pieces: tuple[str, ...]
    """The text in the pieces that a stream brings; joined they are the text."""
    think_s: float
    """To be waited before the first piece."""
    piece_s: float
    """To be waited between two pieces."""
    input_tokens: int
    output_tokens: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PracticeModel:
    """One practice model: what it can do, how fast it is, what it costs."""

    name: str
    skills: Mapping[str, int]
    """Family -> its limit; the family's module tells what it limits."""
    manner: Literal["bare", "sentence", "steps"]
    """How much it says around a result when the question does not ask for the bare result."""
    think_s: float
    read_token_s: float
    """Thinking time on top, per token of the question: a longer question takes longer."""
    tokens_per_s: float

    def answer(self, text: str) -> PracticeAnswer:
        """Solve a question as far as the limits go, or say what the practice models are.

        Reads at most `WINDOW_CHARS` characters, and takes no more than milliseconds for any text.
        """
        from zetaroute.practice.families import FAMILIES, family_of

        seen = text[:WINDOW_CHARS]
        family = family_of(seen)
        solution = None if family is None else FAMILIES[family].solve(seen, self.skills[family])
        if solution is None:
            said = _OUT_OF_REACH.format(name=f"practice/{self.name}")
        else:
            said = self._say(solution, bare=_BARE.search(seen[-_TAIL_CHARS:]) is not None)
        pieces = _pieces(said)
        input_tokens, output_tokens = count_tokens(seen), count_tokens(said)
        return PracticeAnswer(
            text=said,
            pieces=pieces,
            think_s=self.think_s + self.read_token_s * input_tokens,
            piece_s=output_tokens / self.tokens_per_s / len(pieces),
            input_tokens=input_tokens,
            output_tokens=output_tokens,
        )

    def _say(self, solution: Solution, *, bare: bool) -> str:
        result = solution.result or "(empty)"
        if bare or self.manner == "bare":
            return result
        sentence = f"The answer is {result}."
        return sentence if self.manner == "sentence" else "\n".join((_OPENING, *solution.steps, sentence))


def count_tokens(text: str) -> int:
    """Count tokens by the practice models' rule: a run of letters and digits, or of punctuation, is one."""
    return len(_TOKEN.findall(text))


def _pieces(text: str) -> tuple[str, ...]:
    """Cut a text into pieces of a few words: a piece per word would drown the pace in the clock's grain."""
    words = _WORDS.findall(text)
    pieces = ("".join(words[start : start + _PIECE_WORDS]) for start in range(0, len(words), _PIECE_WORDS))
    return tuple(pieces) or (text,)


# The three limits of a family belong to small, medium and large.
_LIMITS = {
    "arithmetic": (2, 3, 5),
    "counting": (999, 7, 5),
    "dates": (1, 4, 3),
    "extraction": (99, 4, 3),
    "ordering": (2, 3, 5),
    "percentages": (1, 9, 9),
    "sorting": (99, 7, 5),
    "stories": (1, 4, 8),
}


_MANNERS: tuple[tuple[str, Literal["bare", "sentence", "steps"], float, float, float], ...] = (
    ("small", "bare", 0.003, 0.00002, 4000),
    ("medium", "sentence", 0.010, 0.00005, 2500),
    ("large", "steps", 0.028, 0.00015, 2500),
)
MODELS = {
    name: PracticeModel(
        name=name,
        skills={family: limits[place] for family, limits in _LIMITS.items()},
        manner=manner,
        think_s=think_s,
        read_token_s=read_token_s,
        tokens_per_s=tokens_per_s,
    )
    for place, (name, manner, think_s, read_token_s, tokens_per_s) in enumerate(_MANNERS)
}
