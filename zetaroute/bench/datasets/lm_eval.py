"""Read the samples that lm-eval logs: a folder per model with one `samples_TASK_TIME.jsonl` per task.

A sample says what was asked (`doc`, `arguments`), and under the name of each metric how it was scored. Of several
runs the latest counts, of several filters of one answer the first, of several metrics the first of METRICS.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from string import ascii_uppercase
from typing import Any

import polars as pl

from zetaroute.bench.datasets.recordings import SCHEMA
from zetaroute.bench.datasets.router_rows import objects
from zetaroute.errors import UsageError

METRICS = ("acc", "exact_match", "pass@1", "pass_at_1", "acc_norm", "em", "f1", "mc2")
QUESTIONS = ("question", "query", "problem", "prompt", "input", "instruction", "goal", "ctx", "text")
NAME = re.compile(r"samples_(?P<task>.+?)(_(?P<time>\d{4}-\d\d-\d\dT[\d.-]+))?$")


def read(files: Sequence[Path], root: Path) -> pl.DataFrame:
    """Return the long rows of all samples; raises UsageError, naming file and line, for one without a score."""
    rows = [row for file in _latest(files) for row in _samples(file, root.stem)]
    return pl.DataFrame(rows, schema=SCHEMA, orient="row").unique(
        subset=["query_id", "model"], keep="first", maintain_order=True
    )


def _latest(files: Sequence[Path]) -> list[Path]:
    """Return one file per folder and task: that of the latest run."""
    latest: dict[tuple[Path, str], Path] = {}
    for file in sorted(files, key=lambda one: (_name(one)["time"] or "", str(one))):
        latest[file.parent, str(_name(file)["task"])] = file
    return sorted(latest.values())


def _name(file: Path) -> Mapping[str, str | None]:
    found = NAME.match(file.stem)
    return found.groupdict() if found else {"task": file.stem, "time": None}


def _samples(file: Path, dataset: str) -> list[tuple[object, ...]]:
    task = str(_name(file)["task"])
    # lm-eval writes the slash of `organisation/model` as two underscores.
    model = file.parent.name.replace("__", "/", 1)
    rows: list[tuple[object, ...]] = []
    for line, sample in objects(file):
        if "doc_id" not in sample:
            raise UsageError(f"{file}, line {line}: doc_id is missing, so this is no sample of lm-eval.")
        score = _score(sample, file, line)
        query = _question(sample, file, line)
        rows.append((dataset, task, "all", f"{task}/{sample['doc_id']}", query, model, score, None, None))
    return rows


def _score(sample: Mapping[str, Any], file: Path, line: int) -> float:
    named = sample.get("metrics")
    for name in (*METRICS, *(named if isinstance(named, list) else ())):
        if isinstance(sample.get(name), (bool, int, float)):
            return float(sample[name])
    raise UsageError(f"{file}, line {line}: no metric that is known here ({', '.join(METRICS)}).")


def _question(sample: Mapping[str, Any], file: Path, line: int) -> str:
    """Return what was asked: the question with its choices, else the whole prompt with its examples."""
    doc = sample.get("doc")
    if isinstance(doc, dict):
        for name in QUESTIONS:
            if isinstance(doc.get(name), str) and doc[name].strip():
                return "\n".join([doc[name], *_choices(doc.get("choices"))])
    prompt = _prompt(sample.get("arguments"))
    if prompt is None:
        raise UsageError(f"{file}, line {line}: neither doc nor arguments say what was asked.")
    return prompt


def _choices(found: Any) -> list[str]:
    """Return lettered choices; they come as a list, or as `{"text": [...], "label": [...]}`."""
    texts = found.get("text") if isinstance(found, dict) else found
    if not isinstance(texts, list):
        return []
    return [f"{letter}. {text}" for letter, text in zip(ascii_uppercase, texts, strict=False)]


def _prompt(arguments: Any) -> str | None:
    if isinstance(arguments, dict):
        first = next(iter(arguments.values()), None)
        prompt = first.get("arg_0") if isinstance(first, dict) else None
    elif isinstance(arguments, list) and arguments and isinstance(arguments[0], list) and arguments[0]:
        prompt = arguments[0][0]
    else:
        prompt = None
    if isinstance(prompt, list):
        prompt = prompt[0] if prompt else None
    return prompt if isinstance(prompt, str) and prompt.strip() else None
