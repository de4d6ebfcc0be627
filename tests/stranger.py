"""A stranger's path, timed step by step: `python -m tests.stranger WHEEL [--root FOLDER] [--page FILE]`.

Once with nothing but Python, once beside a model server: a scripted one that behaves as llama.cpp's does and is right
about stories and dates. With --root all of it runs in that root folder, such as debootstrap makes one.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from tests.newcomer import GOOD_AT, ID, LlamaServer
from tests.places import Place, place
from tests.providers.loopback import Running
from zetaroute.config import default_config_text
from zetaroute.practice.generator import generate

ROWS, ROUNDS = 250, 10


@dataclass(slots=True, kw_only=True)
class Walk:
    """The steps of one path and what each took."""

    place: Place
    home: str
    steps: list[tuple[str, str, float, str]] = field(default_factory=list)

    def step(self, what: str, *words: str, shown: str = "") -> str:
        """Take a step; `shown` are its words as a person types them."""
        began = time.perf_counter()
        said = self.place.run(*words)
        took = time.perf_counter() - began
        plain = said.replace(f"{self.place.home}/", "")
        first = next((line.strip() for line in plain.splitlines() if line.strip()), "")
        self.steps.append((what, shown or " ".join(words), took, first))
        sys.stdout.write(f"{took:7.1f} s  {what}: {first}\n")
        sys.stdout.flush()
        return said

    def zetaroute(self, what: str, *words: str) -> str:
        """Take a step with the program."""
        program = str(self.place.home / "venv/bin/zetaroute")
        shown = " ".join(("zetaroute", *(f'"{word}"' if " " in word else word for word in words)))
        return self.step(what, program, "--home", str(self.place.home / self.home), *words, shown=shown)

    def queries(self, number: int) -> dict[str, str]:
        """Write the queries of a batch and return the right answers of what the server is good at."""
        made = [one.query for one in generate(rows=ROWS, seed=number)]
        lines = [
            json.dumps(
                {"query": one.text, "reference": one.reference, "grader": one.grader, "task": one.task}
            )
            for one in made
        ]
        self.place.outside(f"q{number}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
        return {one.text: str(one.reference) for one in made if one.task in GOOD_AT}

    def learn(self, right: dict[str, str], first: int) -> None:
        """Ask and retrain until a gain is proven."""
        for number in range(1, ROUNDS + 1):
            right |= self.queries(first + number)
            file = str(self.place.home / f"q{first + number}.jsonl")
            self.zetaroute("the first batch" if number == 1 else f"batch {number}", "batch", file)
            said = self.zetaroute("the first retrain" if number == 1 else f"retrain {number}", "retrain")
            if said.startswith("PROMOTE"):
                what, words, took, first_line = self.steps[-1]
                self.steps[-1] = (f"{what}: the first proven gain", words, took, first_line)
                return
        raise SystemExit(f"nothing was promoted in {ROUNDS} rounds")

    def table(self) -> str:
        """Return the steps as a table."""
        clock, lines = 0.0, []
        for what, words, took, said in self.steps:
            clock += took
            typed = words.replace(f"{self.place.home}/", "")
            lines.append(
                f"| {what} | `{typed}` | {took:.1f} | {clock:.0f} | {said.replace('|', '/')[:110]} |"
            )
        head = (
            "| step | command | seconds | since the beginning | what it said first |\n|---|---|---|---|---|\n"
        )
        return head + "\n".join(lines)


def alone(where: Place, wheel: str) -> Walk:
    """Walk the path with nothing but Python."""
    walk = Walk(place=where, home="alone")
    venv = str(where.home / "venv")
    walk.step("an environment", "python3", "-m", "venv", venv, shown="python3 -m venv venv")
    shutil.copy(wheel, where.outside(Path(wheel).name))
    file = str(where.home / Path(wheel).name)
    walk.step("install", f"{venv}/bin/pip", "install", "--quiet", file, shown="venv/bin/pip install *.whl")
    walk.zetaroute("where do I stand?")
    walk.zetaroute("the first answer", "ask", "What is 17 * 23?")
    walk.zetaroute("why this model?", "ask", "--explain", "What is 12% of 250?")
    walk.learn({}, 0)
    walk.zetaroute("routed by what was learned", "ask", "What is 12% of 250?")
    walk.zetaroute("before and after", "kpi", "--compare")
    return walk


def beside(where: Place, url: str, llama: LlamaServer) -> Walk:
    """Walk it beside a model server, with the same installation."""
    walk = Walk(place=where, home="beside")
    llama.loading = False
    walk.zetaroute("find the server", "init", "--detect", "--yes", "--server", url)
    config = where.outside("beside/config.toml")
    practice = default_config_text()
    blocks = practice[practice.index("[[models]]") : practice.index("# What is kept")]
    config.write_text(f"{config.read_text('utf-8')}\n{blocks}", encoding="utf-8")
    walk.zetaroute("does everything fit?", "doctor")
    walk.zetaroute("the first answer of the server", "ask", "-m", ID, "What is 17 * 23?")
    walk.zetaroute("the first routed answer", "ask", "What is 17 * 23?")
    walk.learn(llama.right, 100)
    walk.zetaroute("before and after", "kpi", "--compare")
    return walk


def main() -> None:
    """Walk both and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("wheel")
    parser.add_argument("--root")
    parser.add_argument("--page")
    given = parser.parse_args()
    running = Running()
    server = running.start()
    try:
        with place(given.root) as where:
            first = alone(where, given.wheel)
            second = beside(where, server.url, LlamaServer(server))
            about = where.about("python3")
    finally:
        running.stop()
    page = f"""# A stranger's path

Written by `make stranger`, in {about}.
Everything comes from the wheel and the package index; seconds are of a wall clock, the download included.

## With nothing but Python

The models are practice models, which really take their time.

{first.table()}

## Beside a model server

The server is a scripted one that behaves as llama.cpp's does, answers at once and is right about stories and
dates; practice models stand beside it. With a real one: [a real model](real.md), [the first ten
minutes](first-ten-minutes.md).

{second.table()}
"""
    if given.page:
        Path(given.page).write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
