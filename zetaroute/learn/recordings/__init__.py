"""Recorded outcomes of every model on every query: what `bench` and `replay` learn and mark by.

One module per format that people have; all of them bring the same long rows, which `matrices` makes square.
"""

from zetaroute.learn.recordings.matrices import Recordings, text_fold
from zetaroute.learn.recordings.read import read_recordings

__all__ = ["Recordings", "read_recordings", "text_fold"]
