"""The steps of the Containerfile in a root folder: `python -m tests.container ROOT`, for the superuser on Linux.

ROOT stands in for the base image (a Debian with the Python that FROM names) and is changed: give a copy. It is built,
started as its user, found healthy, asked with its token and without, told to retrain, and stopped by its signal.
"""

from __future__ import annotations

import json
import secrets
import shlex
import shutil
import signal
import sys
import time
from pathlib import Path

from tests.places import Place

ROOT = Path(__file__).parents[1]
FILE = ROOT / "configs" / "Containerfile"
ASK = """
import json, sys, urllib.error, urllib.request
body = {"model": "auto", "messages": [{"role": "user", "content": "What is 17 * 23?"}]}
asked = urllib.request.Request("http://127.0.0.1:8642/v1/chat/completions", json.dumps(body).encode())
asked.add_header("content-type", "application/json")
if sys.argv[1:]:
    asked.add_header("authorization", "Bearer " + sys.argv[1])
try:
    print(urllib.request.urlopen(asked, timeout=30).read().decode())
except urllib.error.HTTPError as refused:
    print(refused.code)
"""


def instructions(text: str) -> list[tuple[str, str]]:
    """Return the instructions of a Containerfile with what follows each."""
    lines = "\n".join(line for line in text.splitlines() if not line.startswith("#"))
    parts = [line.split(None, 1) for line in lines.replace("\\\n", " ").splitlines() if line.strip()]
    return [(name, rest) for name, rest in parts]


def built(root: Path) -> tuple[Place, list[str], str]:
    """Run the steps that build; return the place where its program runs, the program, and the check of its health."""
    env: dict[str, str] = {}
    user, words, health = "", [], ""
    for name, rest in instructions(FILE.read_text("utf-8")):
        if name == "COPY":
            *sources, target = rest.split()
            for source in sources:
                put(ROOT / source, root / target.lstrip("/"), into=target.endswith("/"))
        elif name == "RUN":
            Place(root=root, home=Path("/root"), env=env).run("sh", "-c", rest)
        elif name == "USER":
            user = rest
        elif name == "ENV":
            env |= dict(word.split("=", 1) for word in shlex.split(rest))
        elif name == "HEALTHCHECK":
            health = rest.removeprefix("CMD ")
        elif name in {"ENTRYPOINT", "CMD"}:
            words += json.loads(rest)
        sys.stdout.write(f"ok    {name} {' '.join(rest.split())[:90]}\n")
    env["ZETAROUTE_TOKEN"] = secrets.token_hex()
    return Place(root=root, home=Path("/home") / user, env=env, user=user), words, health


def put(source: Path, target: Path, *, into: bool) -> None:
    """Copy as COPY does: the content of a folder, or a file."""
    if source.is_dir():
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"), dirs_exist_ok=True)
        return
    target.mkdir(parents=True, exist_ok=into) if into else target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(source, target)


def main(root: str) -> None:
    """Build it and use it."""
    place, words, health = built(Path(root).resolve())
    process = place.start(*words)
    try:
        for _ in range(120):
            check = place.start("sh", "-c", health)
            check.communicate()
            if check.returncode == 0:
                break
            time.sleep(0.5)
        else:
            raise SystemExit("it never became healthy")
        sys.stdout.write("ok    healthy\n")
        answer = json.loads(place.run("python", "-c", ASK, place.env["ZETAROUTE_TOKEN"]))
        told = answer["choices"][0]["message"]["content"]
        sys.stdout.write(f"ok    answers with its token: {told!r}\n")
        refused = place.run("python", "-c", ASK).strip()
        if refused != "401":
            raise SystemExit(f"without its token it says {refused}")
        sys.stdout.write("ok    refuses without its token\n")
        said = place.run("zetaroute").splitlines()[0]
        sys.stdout.write(f"ok    `zetaroute` beside it: {said}\n")
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)
    if process.returncode:
        raise SystemExit(f"it ended with exit code {process.returncode}")
    home = place.outside(place.env["ZETAROUTE_HOME"])
    foreign = [file.name for file in home.iterdir() if file.stat().st_uid == 0]
    if foreign:
        raise SystemExit(f"these files belong to the superuser: {foreign}")
    names = ", ".join(sorted(file.name for file in home.iterdir()))
    sys.stdout.write(f"ok    ended by its signal with 0; in its volume: {names}\n")


if __name__ == "__main__":
    main(sys.argv[1])
