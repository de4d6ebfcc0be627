"""A plain scikit-learn fit on a log, to measure beside `retrain`: words to accuracy, one Ridge per model.

    python -m benchmarks.speed.plain_fit LOG.duckdb

It learns one of the four targets and judges nothing.
"""

from __future__ import annotations

import sys

import duckdb
import numpy as np
import polars as pl
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline

from zetaroute.features import terms


def main() -> None:
    """Fit on the rows of the log with a known accuracy."""
    with duckdb.connect(sys.argv[1], read_only=True) as log:
        rows = pl.DataFrame(log.sql("SELECT query, model, accuracy FROM rounds WHERE accuracy IS NOT NULL"))
    words = make_pipeline(
        TfidfVectorizer(analyzer=terms, sublinear_tf=True, min_df=2, max_features=15_000), TruncatedSVD(64)
    )
    x = words.fit_transform(rows["query"].to_list())
    model, accuracy = rows["model"].to_numpy(), rows["accuracy"].to_numpy()
    for one in np.unique(model.astype(str)):
        Ridge(30.0).fit(x[model == one], accuracy[model == one])


if __name__ == "__main__":
    main()
