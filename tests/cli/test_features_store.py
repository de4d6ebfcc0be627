"""The loop where no text is kept: vectors of hashed terms are learned from, decided by and repeated."""

from __future__ import annotations

import json
from pathlib import Path

import duckdb

from tests.cli.command import ok, rows


def test_loop_learns_from_vectors_alone(folder: Path, tmp_path: Path) -> None:
    config = folder / "config.toml"
    plain = config.read_text()
    config.write_text(plain + '\n[privacy]\nstore = "features"\n')
    made = tmp_path / "queries.jsonl"
    ok(folder, "practice", "generate", "--rows", "420", "--seed", "3", "-o", str(made))
    ok(folder, "batch", str(made), "-o", str(tmp_path / "out.jsonl"), "--concurrency", "8")
    text = json.loads(made.read_text().splitlines()[0])["query"]
    assert text.encode() not in b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())
    first = ok(folder, "retrain", "--promote", "force", "--json").json
    assert first["rows"]["train"] > 300
    manifest = json.loads((folder / "artifacts" / first["artifact"] / "manifest.json").read_text())
    assert manifest["features"]["embedding"].startswith("zetaroute/hashed-256/")
    decisions = [
        ok(folder, "ask", "--dry-run", "--json", query).json
        for query in ("What is 3 + 4?", "Which of these is longest: aa, b, cccc?")
    ]
    told = [
        {one["model"]: round(one["accuracy"], 6) for one in decision["candidates"]} for decision in decisions
    ]
    assert told[0] != told[1] or not first["routes"], "queries are told apart by their own vectors"
    ok(folder, "ask", "What is 3 + 4?")
    assert "repeat" in ok(folder, "policies", "verify").out
    again = ok(folder, "retrain", "--promote", "never", "--json").json
    assert again["rows"]["train"] >= first["rows"]["train"]
    # Texts that are kept from now on are read through the same map, and the decisions can still be repeated.
    config.write_text(plain)
    ok(folder, "ask", "What is 30 + 4?")
    ok(folder, "policies", "verify")
    assert (
        ok(folder, "retrain", "--promote", "never", "--json").json["rows"]["train"] >= first["rows"]["train"]
    )
    ok(folder, "kpi", "--by", "segment")
    assert rows(folder, "SELECT count(*) FROM outcomes WHERE store = 'features' AND embedding IS NULL") == [
        (0,)
    ]
    with duckdb.connect(str(folder / "zetaroute.duckdb"), read_only=True) as connection:
        kept = connection.execute("SELECT count(*) FROM outcomes WHERE query NOT LIKE 'sha256:%'").fetchone()
    assert kept == (1,)
