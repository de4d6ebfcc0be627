"""Recorded outcomes of every model on every query: what `bench` and `replay` learn and mark by."""

from zetaroute.bench.datasets.find_format import read_recordings
from zetaroute.bench.datasets.recordings import Recordings

__all__ = ["Recordings", "read_recordings"]
