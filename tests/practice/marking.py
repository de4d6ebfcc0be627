"""Mark practice answers in the plainest way that the contract of the graders allows."""

from __future__ import annotations

import re


def is_right(answer: str, *, reference: str, grader: str) -> bool:
    """Say whether an answer is right; one of the five graders that practice questions use."""
    if grader == "number":
        numbers = re.findall(r"-?\d+(?:\.\d+)?", re.sub(r"(?<=\d),(?=\d{3})", "", answer))
        return bool(numbers) and abs(float(numbers[-1]) - float(reference)) <= 1e-6 * max(
            1, abs(float(reference))
        )
    if grader == "choice":
        letter = re.search(r"(?:answer is |^)([A-J])\.?$", answer)
        return letter is not None and letter[1] == reference
    if grader == "contains":
        return reference.casefold() in answer.casefold()
    if grader == "normalised":
        answer, reference = (re.sub(r"[^\w\s]", "", side).casefold() for side in (answer, reference))
    return answer.strip() == reference.strip()
