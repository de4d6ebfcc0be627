"""Every format brings the same matrices; what is no recording is refused in one sentence."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from zetaroute.bench.datasets import read_recordings
from zetaroute.errors import UsageError


def long(*rows: tuple[str, str, float | None], **columns: Any) -> pl.DataFrame:
    """Return rows of query, model, score with the query as its id."""
    return pl.DataFrame(
        [{"query_id": query, "query": query, "model": model, "score": score} for query, model, score in rows]
    ).with_columns(**{name: pl.lit(value) for name, value in columns.items()})


def lines(path: Path, *rows: Mapping[str, Any] | str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows))
    return path


def text(path: Path, content: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content, encoding="utf-8")
    return path


def test_parquet_keeps_the_queries_that_every_model_answered(tmp_path):
    path = tmp_path / "one.parquet"
    long(
        ("q1", "a", 1.0), ("q1", "b", 0.0), ("q2", "a", 0.5), ("q3", "a", None), ("q3", "b", 1.0)
    ).write_parquet(path)
    found = read_recordings(path)
    assert (found.dataset, found.models, found.texts) == ("one", ("a", "b"), ("q1",))
    np.testing.assert_array_equal(found.score, [[1.0, 0.0]])
    assert np.isnan(found.cost_usd).all()
    assert np.isnan(found.latency_s).all()
    alone = read_recordings(path, models=["a"])
    assert alone.texts == ("q1", "q2")


def test_named_splits_are_used_and_others_left_out(tmp_path):
    parts = [
        long((f"{split}{number}", "a", 1.0), split=split)
        for split in ("train", "test", "leak")
        for number in range(3)
    ]
    path = tmp_path / "split.parquet"
    pl.concat(parts).write_parquet(path)
    found = read_recordings(path)
    assert {text[:-1] for text in found.side(test=True).texts} == {"test"}
    assert {text[:-1] for text in found.side(test=False).texts} == {"train"}
    other = read_recordings(path, test_split="leak")
    assert {text[:-1] for text in other.side(test=True).texts} == {"leak"}


def test_without_splits_the_hash_of_the_text_decides(tmp_path):
    path = tmp_path / "plain.parquet"
    long(*((f"query {number}", "a", 1.0) for number in range(200))).write_parquet(path)
    found = read_recordings(path, test_share=0.4)
    digests = [hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest() for text in found.texts]
    expected = [int(digest, 16) % 10 < 4 for digest in digests]
    assert found.test.tolist() == expected
    assert 40 < sum(expected) < 120


def test_values_stay_with_their_query_and_model(tmp_path):
    path = tmp_path / "values.parquet"
    rows = [(f"q{number}", model, (number + k) % 2) for number in range(4) for k, model in enumerate("cab")]
    frame = long(*((query, model, float(score)) for query, model, score in rows)).with_columns(
        pl.arange(0, 12).cast(pl.Float64).alias("cost_usd"), pl.lit("t").alias("task")
    )
    frame.sample(fraction=1.0, shuffle=True, seed=1).write_parquet(path)
    found = read_recordings(path, models=["b", "c"])
    assert found.models == ("b", "c")
    assert found.texts == ("q0", "q1", "q2", "q3")
    np.testing.assert_array_equal(found.cost_usd, [[3 * n + 2, 3 * n] for n in range(4)])
    np.testing.assert_array_equal(found.score, [[(n + 2) % 2, n % 2] for n in range(4)])
    sample = found.full_sample(use_task=True)
    np.testing.assert_array_equal(sample.cost_usd, found.cost_usd.ravel())
    assert sample.arm.tolist() == [0, 1] * 4
    assert sample.texts[:3] == ["q0", "q0", "q1"]
    assert set(sample.tasks) == {"t"}
    assert (sample.group[0] == sample.group[1], sample.group[0] == sample.group[2]) == (True, False)
    assert found.labels(use_task=False) == [None] * 4


GSM = """prompt,weak/8x7b,strong,weak/8x7b_response,strong_response,notes
"Two, and two?",True,False,"It is 4.","It is
five.",x
What is 3?,false,TRUE,3,3,y
Known from training,True,True,a,b,z
"""


def test_routellm_tables_become_recordings(tmp_path):
    root = tmp_path / "evals"
    text(root / "gsm8k" / "gsm8k_responses.csv", GSM)
    text(root / "mmlu" / "responses" / "mmlu_law.csv", "prompt,strong,weak/8x7b\nA?,0.5,1\nTwo,1,0\n")
    lines(root / "gsm8k" / "contaminated_prompts.jsonl", {"eval_prompt": "Known from training", "by": 1})
    found = read_recordings(root)
    assert found.dataset == "evals"
    assert found.models == ("strong", "weak/8x7b")
    by_text = {
        query: (task, *scores)
        for query, task, scores in zip(found.texts, found.tasks, found.score.tolist(), strict=True)
    }
    assert by_text == {
        "Two, and two?": ("gsm8k", 0.0, 1.0),
        "What is 3?": ("gsm8k", 1.0, 0.0),
        "A?": ("mmlu_law", 0.5, 1.0),
        "Two": ("mmlu_law", 1.0, 0.0),
    }
    alone = read_recordings(root / "mmlu" / "responses" / "mmlu_law.csv")
    assert alone.texts == ("A?", "Two")


def routing_row(query: str, model: str, performance: float, **more: Any) -> dict[str, Any]:
    return {"query": query, "model_name": model, "performance": performance} | more


def test_routing_rows_of_one_file(tmp_path):
    path = lines(
        tmp_path / "benchmark.jsonl",
        routing_row("sort", "m1", 1, response_time=0.5, category="code"),
        "",
        routing_row("sort", "m2", 0.25, response_time=2.5, category="code"),
        routing_row("sing", "m1", 0.0, task_name="art", token_num=9),
        routing_row("sing", "m2", 1.0, task_name="art", cost_usd=0.5),
    )
    found = read_recordings(path)
    assert found.models == ("m1", "m2")
    assert sorted(zip(found.tasks.tolist(), found.texts, strict=True)) == [("art", "sing"), ("code", "sort")]
    code = found.take(found.tasks == "code")
    assert code.score.tolist() == [[1.0, 0.25]]
    assert code.latency_s.tolist() == [[0.5, 2.5]]
    assert found.take(found.tasks == "art").cost_usd[0, 1] == 0.5


def test_routing_files_named_train_and_test_are_the_split(tmp_path):
    for side in ("train", "test"):
        rows = [routing_row(f"{side} {n}", model, 1.0) for n in range(3) for model in ("a", "b")]
        lines(tmp_path / "rows" / f"default_routing_{side}_data.jsonl", *rows)
    found = read_recordings(tmp_path / "rows")
    assert found.side(test=True).texts == ("test 0", "test 1", "test 2")
    assert found.side(test=False).texts == ("train 0", "train 1", "train 2")


def lm_sample(doc_id: int, **more: Any) -> dict[str, Any]:
    return {"doc_id": doc_id, "target": "4", "resps": [["4"]], "filtered_resps": ["4"]} | more


def test_lm_eval_samples_become_recordings(tmp_path):
    root = tmp_path / "results"
    scores = {"org__one": (1.0, 0.0), "plain": (0.0, 1.0)}
    for model, (right, wrong) in scores.items():
        choices = {"text": ["red", "blue"], "label": ["A", "B"]}
        lines(
            root / model / "samples_arc_easy_2026-01-02T03-04-05.678.jsonl",
            lm_sample(0, doc={"question": "Which?", "choices": choices}, acc=right, acc_norm=0.5),
            lm_sample(1, doc={"query": "Then?", "choices": ["x", "y"]}, acc=wrong, acc_norm=0.5),
        )
        lines(root / model / "samples_arc_easy_2025-01-02T03-04-05.678.jsonl", lm_sample(0, acc=0.25))
        lines(
            root / model / "samples_gsm8k_2026-01-02T03-04-05.jsonl",
            lm_sample(
                7,
                doc={},
                arguments={"gen_args_0": {"arg_0": "Q: 2 + 2?\nA:", "arg_1": {}}},
                exact_match=right,
                filter="strict-match",
            ),
            lm_sample(7, doc={}, arguments=[["Q: 2 + 2?\nA:", {}]], exact_match=wrong, filter="flexible"),
            lm_sample(8, doc={"problem": "own"}, metrics=["mine"], mine=right),
        )
    found = read_recordings(root)
    assert found.models == ("org/one", "plain")
    by_text = {
        query: (task, scores)
        for query, task, scores in zip(found.texts, found.tasks, found.score.tolist(), strict=True)
    }
    assert by_text == {
        "Which?\nA. red\nB. blue": ("arc_easy", [1.0, 0.0]),
        "Then?\nA. x\nB. y": ("arc_easy", [0.0, 1.0]),
        "Q: 2 + 2?\nA:": ("gsm8k", [1.0, 0.0]),
        "own": ("gsm8k", [1.0, 0.0]),
    }


def refused_cases() -> Sequence[tuple[str, str, str]]:
    return [
        ("gone.parquet", "", "there is no file or folder"),
        ("odd.parquet", "not parquet", "cannot be read as Parquet"),
        ("table.csv", "question,a\nq,True\n", "lacks the column prompt"),
        ("table.csv", "prompt,a_response\nq,text\n", "has no column of verdicts"),
        ("table.csv", "prompt,a\nq,7\n", "has the score 7 for a: scores lie between 0 and 1"),
        ("rows.jsonl", "{\n", "line 1 is not JSON"),
        ("rows.jsonl", "[1]\n", "line 1 must be a JSON object"),
        ("rows.jsonl", '{"query": "q"}\n', "line 1: model_name and performance missing"),
        (
            "rows.jsonl",
            '\n{"query": "q", "model_name": "m", "performance": "good"}\n',
            "line 2: performance must be",
        ),
        ("run/samples_t.jsonl", '{"doc": {}}\n', "line 1: doc_id is missing"),
        ("run/samples_t.jsonl", '{"doc_id": 1, "doc": {"question": "q"}}\n', "line 1: no metric"),
        ("run/samples_t.jsonl", '{"doc_id": 1, "acc": 1}\n', "line 1: neither doc nor arguments"),
        ("empty/readme.txt", "nothing", "holds no recorded outcomes"),
    ]


@pytest.mark.parametrize(("name", "content", "message"), refused_cases())
def test_what_is_no_recording_is_refused_in_one_sentence(tmp_path, name, content, message):
    path = tmp_path / name
    if content:
        text(path, content)
    with pytest.raises(UsageError) as told:
        read_recordings(path if path.parent == tmp_path else path.parent)
    assert message in str(told.value)
    assert "\n" not in str(told.value)
    assert str(told.value).endswith(".")


def test_unknown_models_and_models_without_a_common_query_are_refused(tmp_path):
    path = tmp_path / "apart.parquet"
    long(("q1", "a", 1.0), ("q2", "b", 1.0)).write_parquet(path)
    with pytest.raises(UsageError, match=r"no model 'c'; it has a, b\."):
        read_recordings(path, models=["c"])
    with pytest.raises(UsageError, match="no query that all of a, b answered"):
        read_recordings(path)
    pl.DataFrame({"query": ["q"]}).write_parquet(path)
    with pytest.raises(UsageError, match="lacks the columns query_id, model, score"):
        read_recordings(path)
