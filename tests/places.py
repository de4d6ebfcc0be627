"""Where a stranger works: a folder of this machine, or a root folder that is all there is for what runs in it."""

from __future__ import annotations

import os
import platform
import re
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

INTO_ROOT = (
    'mount -t proc proc "$0/proc"; for at in dev sys; do mount --rbind /$at "$0/$at"; done; exec chroot "$@"'
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Runs commands with nothing of this machine's environment but how pip finds the network."""

    root: Path
    """What is `/` there: `/` itself, or a folder (on Linux, for the superuser)."""
    home: Path
    """The person's folder, as it is called there."""
    env: Mapping[str, str] = field(default_factory=dict)
    user: str = ""

    def outside(self, path: str | Path) -> Path:
        """Return where a path of the place is on this machine."""
        return self.root / str(self.home / path).lstrip("/")

    def start(self, *words: str) -> subprocess.Popen[str]:
        """Start a command there."""
        kept = {name: value for name, value in os.environ.items() if name.startswith("PIP_")}
        env = {"PATH": "/usr/local/bin:/usr/local/sbin:/usr/bin:/usr/sbin:/bin:/sbin", "LANG": "C.UTF-8"}
        env |= {"HOME": str(self.home), **kept, **self.env}
        inside: Sequence[str] = words
        if self.root != Path("/"):
            user = [f"--userspec={self.user}"] if self.user else []
            inside = ["unshare", "-m", "sh", "-c", INTO_ROOT, str(self.root), *user, str(self.root), *words]
            env["PATH"] += ":/usr/sbin"
        return subprocess.Popen(
            inside,
            env=env,
            text=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=self.home if self.root == Path("/") else "/",
        )

    def run(self, *words: str) -> str:
        """Run a command that must succeed, and return what it said."""
        process = self.start(*words)
        said, noted = process.communicate()
        if process.returncode:
            raise SystemExit(f"{' '.join(words)}: exit code {process.returncode}\n{said}{noted}")
        return said

    def about(self, python: str) -> str:
        """Say what machine this is."""
        release = self.root / "etc/os-release"
        words = release.read_text("utf-8") if release.exists() else ""
        system = (re.findall(r'^PRETTY_NAME="?([^"\n]*)', words, re.MULTILINE) or [platform.system()])[0]
        version = self.run(python, "-c", "import platform; print(platform.python_version())").strip()
        where = "a folder of its own" if self.root == Path("/") else "a root folder of its own"
        cores = os.cpu_count()
        return f"{where} with {system}, Python {version}, {cores} cores ({platform.machine()})"


@contextmanager
def place(root: str | None) -> Iterator[Place]:
    """Give a place with an empty home, here or in a root folder, as long as the block lasts."""
    if root is None:
        with tempfile.TemporaryDirectory() as folder:
            yield Place(root=Path("/"), home=Path(folder))
        return
    outer = Path(root).resolve()
    with tempfile.TemporaryDirectory(dir=outer / "home") as folder:
        yield Place(root=outer, home=Path("/home") / Path(folder).name)
