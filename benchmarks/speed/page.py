"""docs/measurements/performance.md: what was measured, the latest first."""

from __future__ import annotations

import math
import os
import platform
import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.speed.measuring import Figure

PAGE = Path(__file__).parents[2] / "docs" / "measurements" / "performance.md"
HEAD = """\
# Performance

How long zetaroute takes, each time beside that of a reference measured in the same run, in turns. `make bench`
measures on your machine and puts the figures on top of the history; `make bench-large` adds retrains by size. Times
are medians; on a machine that does other work too, the ratios say more than the seconds.

- A whole command runs as a process of its own, from its start until the first byte of the answer or its end. The
  model server stands on loopback, in another process, and answers at once. The reference is a script that posts the
  same request with httpx and prints the answer; its time is always the whole of it. One `ask` in sixteen brings the
  others into the log, which takes about a tenth of a second more: the median is that of the others.
- A decision runs in one process, one thread: from a text to the probabilities of all models, the mean over 20 texts
  decided in a row. The references are the same terms, meta features, projection, soft cells and task by scikit-learn;
  with 4 ridge regressions for all models they predict what a decision predicts, with one Bayesian ridge regression
  per model and figure they know its standard errors too. Neither has limits or probabilities.
- A row of `batch` is decided, asked, graded, logged and written, with 64 under way at once on a loopback server that
  answers after 50 ms. The references are loops that only ask, as many at once.
- `kpi` stands beside one DuckDB query for the same means, deviations and quantiles, in a process of its own.
- A full `retrain` stands beside a plain fit by scikit-learn of one of its four targets (TfidfVectorizer,
  TruncatedSVD, one Ridge per model) on all the rows, where half of ours are the gate's. Each row has a text of its
  own. The exponent is the slope of log processor time over log rows. A `retrain` after 1% new rows stands beside the
  full one before them.

What limits them, by profiles of 2026-11-30: a `batch` is bound by one processor that runs Python. Of what a row takes
there in a cold start 38% is the call (a third of it aiohttp's own), 25% the decision, 7% the grade and 4% the row of
the log; merging takes 0.1 ms beside it, 0.2 with twelve models. A decision is a few hundred steps of a microsecond
each, of which features take two fifths at 200 tokens and two thirds at 4,000. More than half of a `retrain` after few
new rows is its chain, which is fitted and judged anew: reading answers, folds, and playing them through.
"""
_MARK = "\n## "


def add_to_page(figures: Sequence[Figure], notes: Sequence[str], *, page: Path = PAGE) -> None:
    """Put a run's figures on top of the history."""
    text = page.read_text(encoding="utf-8") if page.exists() else HEAD
    _, _, history = text.partition(_MARK)
    older = _MARK + history if history else ""
    page.write_text(HEAD + "\n" + "\n".join(section(figures, notes)) + "\n" + older, encoding="utf-8")


def section(figures: Sequence[Figure], notes: Sequence[str]) -> list[str]:
    """Return the lines of Markdown that tell of one run."""
    return [
        f"## {datetime.now(UTC):%Y-%m-%d %H:%M}, {_commit()}",
        "",
        f"{platform.system()}, {os.cpu_count()} processors, Python {platform.python_version()}; "
        f"load over the last minute {os.getloadavg()[0]:.1f}.",
        "",
        "| what | zetaroute | reference | its time | ratio | |",
        "| --- | ---: | --- | ---: | ---: | --- |",
        *(
            f"| {one.what} | {_time(one.seconds)} | {one.reference} | {_time(one.reference_s)} "
            f"| {_ratio(one)} | {one.note} |"
            for one in figures
        ),
        *(f"\n{note}" for note in notes),
    ]


def _commit() -> str:
    done = subprocess.run(
        ["git", "describe", "--always", "--dirty"],  # noqa: S607  - whichever git the developer has
        capture_output=True,
        text=True,
        check=False,
        cwd=PAGE.parent,
    )
    return done.stdout.strip() or "no commit"


def _time(seconds: float) -> str:
    if math.isnan(seconds):
        return "-"
    return f"{seconds * 1e3:.2f} ms" if seconds < 0.05 else f"{seconds:.3g} s"


def _ratio(figure: Figure) -> str:
    return "-" if math.isnan(figure.ratio) else f"{figure.ratio:.2f}"
