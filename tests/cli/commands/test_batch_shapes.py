"""What a batch reads and writes beside plain lines: packed input, OpenAI's shapes, the order of the input."""

from __future__ import annotations

import gzip
import importlib.util
import json
import subprocess
from pathlib import Path

import pytest

from tests.cli.command import (
    command,
    environment,
    ok,
    on_terminal,
    read_lines,
    refused,
    rows,
    run,
    spawn,
    write_lines,
)
from tests.cli.conftest import by_model, fails, says
from tests.providers.loopback import ModelServer, Reply, Seen
from tests.support.waiting import PATIENCE_S, until

HAS_ZSTD = importlib.util.find_spec("zstandard") is not None


def text_of(seen: Seen) -> str:
    text = seen.body["messages"][-1]["content"]
    assert isinstance(text, str)
    return text


def test_packed_standard_input_is_unpacked(folder: Path, tmp_path: Path) -> None:
    packed = gzip.compress(b'{"query": "What is 2 + 3?"}\n')
    said = spawn(folder, "batch", "-", "-o", str(tmp_path / "out"), "--json", stdin=packed)
    assert (said.code, said.json["answered"]) == (0, 1)


@pytest.mark.skipif(not HAS_ZSTD, reason="no library for Zstandard is installed")
def test_zstandard_of_several_frames(folder: Path, tmp_path: Path) -> None:
    zstandard = pytest.importorskip("zstandard")
    lines = [json.dumps({"query": f"What is {n} + 3?"}).encode() + b"\n" for n in range(40)]
    packed = b"".join(zstandard.compress(b"".join(part)) for part in (lines[:20], lines[20:]))
    file = tmp_path / "q.jsonl.zst"
    file.write_bytes(packed)
    assert ok(folder, "batch", str(file), "--json").json["answered"] == 40
    file.write_bytes(packed[:-3])
    sentence = refused(run(folder, "batch", str(file), "-o", str(tmp_path / "out")), 2)
    assert "q.jsonl.zst" in sentence
    file.write_bytes(b"not packed at all")
    assert "q.jsonl.zst" in refused(run(folder, "batch", str(file)), 2)


@pytest.mark.skipif(HAS_ZSTD, reason="a library for Zstandard is installed")
def test_without_the_extra_zstandard_is_told(folder: Path, tmp_path: Path) -> None:
    file = tmp_path / "q.jsonl.zst"
    file.write_bytes(b"\x28\xb5\x2f\xfd")
    assert "zetaroute[zstd]" in refused(run(folder, "batch", str(file)), 2)


def test_rows_before_the_break_of_a_packed_file_are_answered(
    http_folder: Path, server: ModelServer, tmp_path: Path
) -> None:
    server.reply(says("yes"))
    file = tmp_path / "q.jsonl.gz"
    lines = "".join(json.dumps({"query": f"question {n} {hash(n)}"}) + "\n" for n in range(1200))
    packed = gzip.compress(lines.encode())
    file.write_bytes(packed[: 2 * len(packed) // 3])
    assert "breaks off" in refused(run(http_folder, "batch", str(file)), 2)
    answered = len(read_lines(file.with_name("q.jsonl.gz.answers.jsonl")))
    assert answered == len(server.seen) > 100
    assert rows(http_folder, "SELECT count(*) FROM outcomes WHERE status = 'ok'") == [(answered,)]


def test_the_output_in_the_order_of_the_input(http_folder: Path, server: ModelServer, tmp_path: Path) -> None:
    def reply(seen: Seen) -> Reply:
        number = int(text_of(seen))
        return (fails() if number == 5 else says("yes", after_s=0.002 * (20 - number)))(seen)

    server.reply(reply)
    names = [f"q{n}" for n in range(20)]
    file = write_lines(
        tmp_path / "q.jsonl", [{"query": str(n), "custom_id": name} for n, name in enumerate(names)]
    )
    answers = file.with_name("q.jsonl.answers.jsonl")
    ok(http_folder, "batch", str(file), "--limit", "7")
    ok(http_folder, "batch", str(file), "--ordered")
    assert [line["custom_id"] for line in read_lines(answers)] == names
    assert [line["custom_id"] for line in read_lines(answers) if line["error"]] == ["q5"]


def test_openai_lines_in_and_out(http_folder: Path, server: ModelServer, tmp_path: Path) -> None:
    server.reply(by_model(m1=says("one"), m2=says("two")))
    models = {"routed": "auto", "pinned": "two/m2", "silent": None, "strange": "gpt-x"}
    lines = [
        {
            "custom_id": name,
            "method": "POST",
            "url": "/v1/chat/completions",
            "body": {
                "messages": [{"role": "user", "content": "hi"}],
                "max_tokens": 7,
                **({"model": model} if model else {}),
            },
        }
        for name, model in models.items()
    ]
    file = write_lines(tmp_path / "q.jsonl", lines)
    answers = file.with_name("q.jsonl.answers.jsonl")
    result = ok(http_folder, "batch", str(file), "--format", "openai", "--json").json
    assert (result["answered"], result["bad_lines"]) == (3, 1)
    (bad,) = read_lines(answers.with_name(answers.name + ".errors.jsonl"))
    assert "gpt-x" in bad["error"]
    assert "one/m1, two/m2" in bad["error"]
    assert {seen.body["max_tokens"] for seen in server.seen} == {7}
    first = {line["custom_id"]: line for line in read_lines(answers)}
    assert first.keys() == {"routed", "pinned", "silent"}
    response = first["pinned"]["response"]
    assert (response["status_code"], first["pinned"]["error"]) == (200, None)
    assert response["body"]["model"] == "two/m2"
    assert response["body"]["choices"] == [
        {"index": 0, "message": {"role": "assistant", "content": "two"}, "finish_reason": "stop"}
    ]
    assert response["body"]["usage"] == {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}
    ok(http_folder, "batch", str(file), "--format", "openai")
    assert {line["custom_id"]: line for line in read_lines(answers)} == first
    stored = rows(http_folder, "SELECT custom_id, forced FROM outcomes ORDER BY custom_id")
    assert stored == [("pinned", True), ("routed", False), ("silent", False)]
    assert "--format" in refused(run(http_folder, "batch", str(file), "--format", "csv"), 2)


def test_what_was_asked_before_costs_nothing_in_a_preview(
    http_folder: Path, server: ModelServer, tmp_path: Path
) -> None:
    server.reply(says("yes"))
    file = write_lines(tmp_path / "q.jsonl", [{"query": f"question {n}"} for n in range(6)])
    words = ("batch", str(file), "-m", "two/m2")
    whole = ok(http_folder, *words, "--dry-run", "--json").json
    ok(http_folder, *words, "--limit", "4")
    rest = ok(http_folder, *words, "--dry-run", "--json").json
    assert (whole["rows"], rest["rows"], rest["skipped"]) == (6, 2, 4)
    assert 0 < rest["cost_usd"]["value"] < whole["cost_usd"]["value"]
    assert len(server.seen) == 4


def test_progress_on_a_terminal(folder: Path, tmp_path: Path) -> None:
    file = write_lines(tmp_path / "q.jsonl", [{"query": f"What is {n} + 3?"} for n in range(40)])
    code, seen = on_terminal(command(folder, "batch", str(file)), environment(TERM="xterm", COLUMNS="160"))
    assert code == 0, seen
    assert "/s" in seen
    assert "practice/" in seen
    assert "40 answered" in seen


def test_a_slow_pipe_keeps_no_answer_waiting(http_folder: Path, server: ModelServer, tmp_path: Path) -> None:
    server.reply(says("yes", after_s=0.2))
    output = tmp_path / "out.jsonl"
    words = command(http_folder, "batch", "-", "-o", str(output), "--json")
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        for count in (1, 2):
            process.stdin.write(json.dumps({"query": f"question {count}"}).encode() + b"\n")
            process.stdin.flush()
            # The answer is there while the next row is not.
            until(
                lambda lines=count: (
                    output.exists() and output.read_text(encoding="utf-8").count("\n") == lines
                )
            )
        out, _ = process.communicate(timeout=PATIENCE_S)
    assert json.loads(out)["answered"] == 2
