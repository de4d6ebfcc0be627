"""What the tests of learning share: a log to learn from."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from tests.cli.command import ok
from tests.support.homes import instant
from zetaroute.config import default_config_text

LOGGED_ROWS = 600


@pytest.fixture(scope="session")
def logged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with graded practice rows, some of them rated on two scales, some repeated."""
    home = tmp_path_factory.mktemp("logged")
    (home / "config.toml").write_text(instant(default_config_text()), encoding="utf-8")
    for name, seed in (("a", "3"), ("b", "3")):
        made = str(home / f"{name}.jsonl")
        ok(home, "practice", "generate", "--rows", str(LOGGED_ROWS // 2), "--seed", seed, "-o", made)
        ok(home, "batch", made)
    with duckdb.connect(str(home / "zetaroute.duckdb")) as log:
        log.execute(
            """INSERT INTO feedback BY NAME
               SELECT uuidv7()::VARCHAR AS id, id AS outcome_id, time, unnest(['thumbs', 'rating']) AS metric,
                      unnest([(hash(custom_id) % 3 > 0)::INT, 1 + hash(custom_id) % 5]) AS value,
                      'user' AS source, 'me' AS author
               FROM outcomes"""
        )
    return home
