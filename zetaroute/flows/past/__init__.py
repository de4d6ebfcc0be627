"""What others have logged, brought into the log: a reader per shape, and the import that takes their rows.

Apart from the other flows because these rows were never decided here: they carry no propensity, teach the heads and
are never a part of the off-policy estimates.
"""

from zetaroute.flows.past.take import Taken, import_log

__all__ = ["Taken", "import_log"]
