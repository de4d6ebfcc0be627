"""Many queries by what a user has instead of `batch`: `litellm`'s batch completion, and a process of `llm` each."""

from __future__ import annotations

import os
import subprocess
import time
from functools import partial
from pathlib import Path

from benchmarks.speed.batches import ANSWER_S, AT_ONCE, ROWS, batch_cold, per_row
from benchmarks.speed.measuring import Figure, medians
from benchmarks.speed.server import model_server

PROCESSES = 40
"""Queries that `llm` is asked, one process each, two at once."""
_LITELLM = """
import sys, litellm
litellm.telemetry = False
asked = [[{"role": "user", "content": f"What is {row} + 1?"}] for row in range(int(sys.argv[2]))]
answers = litellm.batch_completion(
    model="openai/loopback", messages=asked, api_base=sys.argv[1], api_key="none", max_workers=int(sys.argv[3])
)
for answer in answers:
    print(answer.choices[0].message.content)
"""
_LLM_MODEL = "- model_id: loopback\n  model_name: loopback\n  api_base: {url}\n"


def peers(folder: Path, gateways: Path) -> list[Figure]:
    """Return the time of a row of `batch` beside that of the programs in `gateways`, median of two turns."""
    if not (gateways / "bin/llm").exists():
        raise SystemExit(f"{gateways} does not hold the other programs: `make bench-large` puts them there")
    user = folder / "llm"
    user.mkdir()
    with model_server(answer_s=ANSWER_S) as url:
        (user / "extra-openai-models.yaml").write_text(_LLM_MODEL.format(url=url), encoding="utf-8")
        found = medians(
            {
                "batch": per_row(lambda: batch_cold(url)),
                "`litellm.batch_completion`, start included": partial(_litellm, gateways, url),
                "`llm`, two processes at once": partial(_llm, gateways, user),
            },
            2,
        )
    ours = found.pop("batch")
    return [
        Figure(
            what=f"`batch`, cold start of 2 models, {AT_ONCE} at once",
            value=ours,
            reference=name,
            beside=seconds,
        )
        for name, seconds in found.items()
    ]


def _litellm(gateways: Path, url: str) -> float:
    words = [str(gateways / "bin/python"), "-c", _LITELLM, url, str(ROWS), str(AT_ONCE)]
    return _took(words, ROWS)


def _llm(gateways: Path, user: Path) -> float:
    program, options = gateways / "bin/llm", "-m loopback --no-stream --no-log --key none"
    rows = " ".join(map(str, range(PROCESSES)))
    # The first one makes what two at once would fall over.
    _took([str(program), *options.split(), "What is 1 + 1?"], 1, LLM_USER_PATH=str(user))
    ask = f"'{program}' {options} 'What is N + 1?'"
    words = ["sh", "-c", f"printf '%s\\n' {rows} | xargs -P 2 -I N {ask}"]
    return _took(words, PROCESSES, LLM_USER_PATH=str(user))


def _took(words: list[str], rows: int, **environment: str) -> float:
    start = time.perf_counter()
    done = subprocess.run(  # noqa: S603  - our own commands
        words, capture_output=True, text=True, check=True, env={**os.environ, **environment}
    )
    if len(done.stdout.splitlines()) != rows:
        raise SystemExit(
            f"{words[0]} answered {len(done.stdout.splitlines())} of {rows}: {done.stderr[-1000:]}"
        )
    return (time.perf_counter() - start) / rows
