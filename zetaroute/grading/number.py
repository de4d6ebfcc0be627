"""The number grader: is the answer's final number the reference's?"""

from __future__ import annotations

from zetaroute.answers.number import final_number, same_number
from zetaroute.answers.number.find import Numeral
from zetaroute.errors import UsageError
from zetaroute.wire.thinking import without_thinking


def number(answer: str, reference: str) -> float:
    r"""Score 1 when the answer's final number equals the reference's.

    The final number is that in the last `\boxed{}`, after `####`, the first after the last "answer is" or
    "answer:", or else the last one. A box that holds no single number is a wrong answer. Equal means: within
    half a unit of the last decimal place that the reference gives, or one millionth of it, whichever is more.
    25% is 0.25; a percentage also counts as its bare number where a bare reference exceeds 1, and so does a
    bare number without a unit where the reference is a percentage. Other units are not compared. Of an answer
    above 12,000 characters the first and last 6,000 are read.
    """
    wanted = reference_number(reference)
    got = final_number(without_thinking(answer))
    return float(got is not None and same_number(got, wanted))


def reference_number(reference: str) -> Numeral:
    """Return the final number of a reference, which may be a worked solution; raise UsageError without one."""
    wanted = final_number(without_thinking(reference))
    if wanted is None:
        raise UsageError(
            f"The number grader finds no number in the reference {reference[:40]!r}: "
            "write the number, or choose another grader."
        )
    return wanted
