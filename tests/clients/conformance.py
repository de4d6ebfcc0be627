"""Real client packages against `zetaroute serve`, unchanged: run by `make clients`.

Every group of packages has an environment of its own under a folder, so that none holds back another's version. What
cannot be installed here is skipped with a word; what is tried and goes wrong fails. Nothing else leaves the machine.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import venv
from pathlib import Path

from upstream import serving

HERE = Path(__file__).absolute().parent
ROOT = HERE.parents[1]
PATIENCE_S = 240
"""For one installation, and for one trial."""
EXAMPLES = 150
"""Hostile requests for every path."""
ENVIRONMENTS = {
    "sdks": ("openai", "anthropic", "pydantic-ai-slim[openai,anthropic]", "langchain-openai", "llm"),
    "instructor": ("instructor",),
    "llama-index": ("llama-index-llms-openai-like",),
}
NODE = ("openai", "ai", "@ai-sdk/openai", "@ai-sdk/anthropic", "zod", "axe-core")
TRIALS = (
    ("sdks", "sdks.py"),
    ("sdks", "frameworks.py", "pydantic_ai"),
    ("sdks", "frameworks.py", "langchain"),
    ("sdks", "frameworks.py", "llm"),
    ("instructor", "frameworks.py", "instructor"),
    ("llama-index", "frameworks.py", "llama_index"),
)


def python_in(folder: Path, packages: tuple[str, ...]) -> Path | None:
    """Return the Python of an environment with these packages; None where they cannot be installed."""
    python = folder / ("Scripts" if sys.platform == "win32" else "bin") / "python"
    pip = [str(python), "-m", "pip", "--disable-pip-version-check", "install", "--quiet", "--retries", "1"]
    if has(folder, packages):
        return python
    venv.create(folder, with_pip=True)
    # Older versions of pip take minutes to find versions that go together.
    return python if has(folder, packages, [*pip, "--upgrade", "pip"], [*pip, *packages]) else None


def node_in(folder: Path) -> Path | None:
    """Return a folder with the packages for Node; None where they cannot be installed."""
    folder.mkdir(parents=True, exist_ok=True)
    npm = [shutil.which("npm") or "npm", "install", "--no-audit", "--no-fund", "--fetch-retries", "1"]
    return folder if has(folder, NODE) or has(folder, NODE, [*npm, "--prefix", str(folder), *NODE]) else None


def has(folder: Path, packages: tuple[str, ...], *installations: list[str]) -> bool:
    """Return whether a folder has these packages, or has them after all `installations`."""
    ready = folder / "ready"
    if not installations:
        return ready.exists() and ready.read_text(encoding="utf-8") == " ".join(packages)
    if not all(map(installed, installations)):
        return False
    ready.write_text(" ".join(packages), encoding="utf-8")
    return True


def installed(command: list[str]) -> bool:
    """Run an installation; return whether it did its work."""
    try:
        return subprocess.run(command, capture_output=True, timeout=PATIENCE_S, check=False).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def tried(name: str, command: list[str] | None) -> bool:
    """Run a trial and say what came of it; return whether nothing went wrong."""
    if command is None:
        sys.stdout.write(f"{name}: skipped, for its packages cannot be installed here\n")
        return True
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, check=False, cwd=ROOT)
    right = done.returncode == 0
    said = done.stdout.strip() if done.stdout.startswith("skipped") else "right"
    sys.stdout.write(f"{name}: {said}\n" if right else f"{name}: WRONG\n{done.stdout}{done.stderr}")
    return right


def by_node(url: str, program: str, folder: Path) -> bool:
    """Try what comes from npm; return whether nothing went wrong."""
    node = shutil.which("node")
    if node is None:
        sys.stdout.write("what is tried by packages for Node: skipped, for node is missing\n")
        return True
    place = node_in(folder)
    clients, pages = None, None
    if place is not None:
        # Node looks for packages beside the script.
        shutil.copy(HERE / "sdks.mjs", place)
        clients = [node, str(place / "sdks.mjs"), url]
        axe = (place / "node_modules" / "axe-core" / "axe.min.js").absolute()
        pages = [sys.executable, "-m", "tests.clients.accessible", url, program, str(axe)]
    return tried("openai and the AI SDK for Node", clients) & tried("axe on every page", pages)


def main(program: str, folder: Path) -> int:
    """Try everything; return the exit code."""
    pythons = {name: python_in(folder / name, packages) for name, packages in ENVIRONMENTS.items()}
    right = True
    with serving(program) as url:
        hostile = [sys.executable, str(HERE / "hostile.py"), url, str(EXAMPLES)]
        right &= tried("hostile requests in every format", hostile)
        for place, script, *names in TRIALS:
            python = pythons[place]
            command = None if python is None else [str(python), str(HERE / script), url, *names]
            right &= tried(names[0] if names else "openai, anthropic", command)
        right &= by_node(url, program, folder / "node")
    return 0 if right else 1


if __name__ == "__main__":
    sys.exit(main(str(Path(sys.argv[1]).absolute()), Path(sys.argv[2]).absolute()))
