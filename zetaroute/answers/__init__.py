"""What an answer says of itself: its final answer, how far it agrees with another, and signs of being right."""

from zetaroute.answers.agreement import agreement
from zetaroute.answers.read import KINDS, SIGNS, Reading, read_answer

__all__ = ["KINDS", "SIGNS", "Reading", "agreement", "read_answer"]
