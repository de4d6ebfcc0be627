"""The signs of an answer."""

from __future__ import annotations

import numpy as np
import pytest

from zetaroute.answers.names import SIGNS
from zetaroute.answers.read import read_answer


def sign(name: str, text: str, query: str = "What is 2 + 3?", **more) -> float:
    return float(read_answer(text, query, **more).signs[SIGNS.index(name)])


@pytest.mark.parametrize(
    "text", ["", "5", "a" * 50_000, "\x00\ud800", "[f(a=" + "[" * 400, "1e999999", "1.5e400", "9" * 500]
)
def test_every_text_has_finite_signs(text: str) -> None:
    signs = read_answer(text, text).signs
    assert signs.shape == (len(SIGNS),)
    unknown = np.flatnonzero(np.isnan(signs)).tolist()
    assert [SIGNS[place] for place in unknown] == [
        "logprob least",
        "logprob low",
        "logprob mean",
        "signal",
    ]
    assert np.isfinite(np.delete(signs, unknown)).all()


def test_signs_tell_what_they_are_named_for() -> None:
    assert sign("is number", "5") == 1.0
    assert sign("hedges", "maybe, but perhaps not") > sign("hedges", "it is 5")
    assert sign("refusals", "I cannot tell") > 0.0
    assert sign("numbers known", "2 and 3") == 1.0
    assert sign("arguments known", "[f(a='Lima')]", "The time in Lima?") == 1.0
    assert sign("cut", "and then we") == sign("cut", "Fine.", cut=True) == 1.0
    assert sign("cut", "Fine.") == 0.0
    assert sign("logprob least", "5", logprobs=(-2.0, -1.0, -0.1)) == -2.0
    assert sign("signal", "5", signal=0.25) == 0.25
