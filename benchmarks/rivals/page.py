"""docs/measurements/rivals.md: the figures as Markdown, and what they mean."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Mapping, Sequence

from benchmarks.rivals.marking import Gain, StreamGain
from benchmarks.rivals.protocols import StreamedEntry

HEAD = """\
# Rivals

Other routers on the same work. Written by `make rivals BENCH_DIR=...`; the recordings are not part of this
repository. Points are hundredths of what a right answer is worth, as gains over the best single model, which was
chosen on the training queries. 'score' counts right answers alone; the other columns also count money (points per
USD per 1,000 queries) or waiting (points per second).
"""
TAUGHT_HEAD = """\
## Full information

Every model's outcome of every training query is known. All use zetaroute's vectors of the same training and test
queries. ± is one paired standard error over the test queries.

- kNN 5, SVM and MLP as LLMRouter documents them: the label of a query is its best model, of equal ones the first.
  Where most queries are ties that rule loses more than the method does, so each also stands with the ties given
  to the best single model; it makes a difference where neither money nor waiting tells equal scores apart.
- kNN 100: the best mean utility of the 100 nearest training queries.
- k-means with 64 clusters as Avengers documents it: the best model of the nearest cluster, and its routing by the
  ranks within the three nearest (softmax of 6 x cosine, 1 / (rank + .1)).
- 'zetaroute' is guarded: it routes only where cross-validation on the training queries shows that it pays.
"""
STREAMED_HEAD = """\
## Partial feedback

The training queries (at most 6,000) in the same random order for all: {seeds} seeds, and the first {loops} of them
for zetaroute's loop, which takes longer. Only the drawn model's outcome is seen. 'after' is the policy that was
learned, marked on the test queries without exploring; 'online' is what the stream itself brought, exploring
included. ± is one standard error over the seeds (it does not hold the chance of the test queries); a dash where
one seed leaves it unknown.

- Rewards are utilities scaled to 0..1, the lowest hundredth cut off; the figures are of the whole utilities.
- mabwiser and ParetoBandit get zetaroute's vectors by a map fitted beforehand on the texts of all training queries,
  an advantage over the loop, which fits its own on what it has seen; Vowpal Wabbit gets the words.
- mabwiser: alpha 1, l2 1 (its defaults), updated after every query. Vowpal Wabbit: `--cb_explore_adf --squarecb
  -q qa`, words crossed with the model. ParetoBandit: `priors="none"`, its documented start without data, with its
  own price penalty off because money is in the reward; and once more with one forced pull per model and without
  forgetting.
- epsilon-greedy: one mean per model, a tenth of the queries drawn evenly.
- zetaroute: the product's loop and defaults, audits included: they count as answers and their money and time are
  subtracted. 'learned' is its last version, 'served' what serves in the end.
"""
PACKAGES = ("zetaroute", "scikit-learn", "numpy")


def written(
    taught: Mapping[str, Mapping[str, Mapping[str, Gain]]],
    streams: Mapping[str, Mapping[str, Mapping[str, StreamGain]]],
    entries: Sequence[StreamedEntry],
    *,
    seeds: int,
    loops: int,
) -> str:
    """Return the page from figures by set, value and way of choosing."""
    lines = [HEAD, TAUGHT_HEAD]
    for name, columns in taught.items():
        lines += [f"### {name}", "", *_table({label: _texts(rows) for label, rows in columns.items()}), ""]
    lines.append(STREAMED_HEAD.format(seeds=seeds, loops=min(seeds, loops)))
    for name, streamed in streams.items():
        pairs = {}
        for label, rows in streamed.items():
            pairs[f"{label}, after"] = {way: _told(row.test) for way, row in rows.items()}
            pairs[f"{label}, online"] = {way: _told(row.online) for way, row in rows.items()}
        lines += [f"### {name}", "", *_table(pairs), ""]
    return "\n".join([*lines, *_versions(entries)]) + "\n"


def _versions(entries: Sequence[StreamedEntry]) -> list[str]:
    found = {entry.package: entry.version() for entry in entries if entry.package}
    missing = sorted(package for package, version in found.items() if version is None)
    told = {package: importlib.metadata.version(package) for package in PACKAGES}
    told |= {package: version for package, version in found.items() if package and version}
    lines = ["## Versions", "", ", ".join(f"{package} {version}" for package, version in told.items()) + "."]
    if missing:
        lines.append(f"Not installed here, so left out: {', '.join(map(str, missing))}.")
    return lines


def _texts(rows: Mapping[str, Gain]) -> dict[str, str]:
    return {way: _told(gain) for way, gain in rows.items()}


def _told(gain: Gain) -> str:
    error = "-" if gain.error != gain.error else f"{gain.error:.2f}"
    return f"{round(gain.points, 2) + 0.0:+.2f} ± {error}"


def _table(columns: Mapping[str, Mapping[str, str]]) -> list[str]:
    ways = next(iter(columns.values()))
    rows = [["way", *columns], ["---"] * (len(columns) + 1)]
    rows += [[way, *(column[way] for column in columns.values())] for way in ways]
    return ["| " + " | ".join(row) + " |" for row in rows]
