"""The pictures of the README and the pages: what real runs put on a terminal, and a page in a browser.

`python -m scripts.pictures` plays the loop on the practice models in a fresh folder and writes `docs/pictures/` anew.
It lives beside the site's other makers so that no picture shows anything but what the program said.
"""

from __future__ import annotations

import fcntl
import io
import os
import pty
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import termios
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.text import Text

ROOT = Path(__file__).parents[1]
PICTURES = ROOT / "docs" / "pictures"
COLUMNS, ROWS = 100, 50
HOME = ".demo"
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
LARGEST = 300_000
"""Bytes of a picture."""
PAGE = (1100, 1400)
"""Width and height of the page's beginning that is shown."""

SCREENS = {
    "demo": (("demo",),),
    "explain": (("ask", "--explain", "What is 12% of 250?"), ("rate", "up")),
    "compare": (("kpi", "--compare"),),
    "models": (("models", "list"), ("log", "list", "--limit", "5"), ("policies", "list")),
}
"""What is typed on each screen, in this order; the first makes what the others look at."""
ENDS = {"demo": "\n4. before against after"}
"""Where a screen is cut, because another one shows the rest."""

# Rich's own frame names a font on somebody's server; this one takes what the reader's system has.
FRAME = """\
<svg class="{unique_id}" viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">
<style>
.{unique_id}-matrix {{
  font-family: ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, "Liberation Mono", monospace;
  font-size: {char_height}px; line-height: {line_height}px; font-variant-east-asian: full-width;
}}
.{unique_id}-title {{ font-family: system-ui, sans-serif; font-size: 18px; font-weight: bold; }}
{styles}
</style>
<defs>
<clipPath id="{unique_id}-clip-terminal">
<rect x="0" y="0" width="{terminal_width}" height="{terminal_height}" />
</clipPath>
{lines}
</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">
{matrix}
</g>
</g>
</svg>
"""
_STEERING = re.compile(r"\x1b\[(\??[\d;]*)([A-Za-ln-z])")
"""Commands to the terminal but for colours, which stay in the text."""


def typed(words: Sequence[str], folder: Path) -> str:
    """Run zetaroute in a terminal of its own and return all that it wrote there, colours included."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
    kept = {
        name: os.environ[name] for name in ("PATH", "PYTHONPATH", "OMP_NUM_THREADS") if name in os.environ
    }
    process = subprocess.Popen(  # noqa: S603  - our own program
        [sys.executable, "-m", "zetaroute", "--home", HOME, *words],
        cwd=folder,
        env={**kept, "HOME": str(folder), "TERM": "xterm-256color", "LANG": "C.UTF-8"},
        stdin=subprocess.DEVNULL,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    said = b""
    while piece := _read(ours):
        said += piece
    os.close(ours)
    if process.wait() != 0:
        raise SystemExit(f"zetaroute {' '.join(words)} failed:\n{said.decode(errors='replace')}")
    return said.decode()


def screen(said: str) -> str:
    """Return the lines that stand in the end, after progress bars were drawn over and wiped away."""
    lines, row = [""], 0
    for part in re.split(r"(\r\n|\n|\r|\x1b\[\??[\d;]*[A-Za-z])", said):
        steering = _STEERING.fullmatch(part)
        if part in {"\n", "\r\n"}:
            row += 1
            lines += [""] * (row + 1 - len(lines))
        elif steering and steering[2] == "A":
            row = max(0, row - int(steering[1] or 1))
        elif steering and steering[2] == "K":
            lines[row] = ""
        elif part != "\r" and not steering:
            lines[row] += part
    return "\n".join(lines).rstrip()


def drawn(screens: Sequence[tuple[str, str]], *, title: str) -> str:
    """Return the SVG of a terminal in which commands and what they said stand below each other."""
    console = Console(record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True, highlight=False)
    for command, said in screens:
        console.print(Text(f"$ {command}", style="bold"))
        console.print(Text.from_ansi(said))
    return console.export_svg(title=title, code_format=FRAME)


def photograph(page: Path, target: Path) -> None:
    """Write the beginning of a page as a PNG, in the light colours that a browser takes by itself."""
    browser = next((found for name in BROWSERS if (found := shutil.which(name))), None)
    if browser is None:
        raise SystemExit(f"no Chromium on PATH ({', '.join(BROWSERS)}): {target.name} was not made")
    size = ",".join(map(str, PAGE))
    with tempfile.TemporaryDirectory() as profile:
        flags = (
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--hide-scrollbars",
            f"--user-data-dir={profile}",
        )
        subprocess.run(  # noqa: S603  - the browser that was found
            [browser, *flags, f"--window-size={size}", f"--screenshot={target}", page.resolve().as_uri()],
            check=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )


def main() -> None:
    """Play the loop and write every picture anew."""
    PICTURES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        for name, commands in SCREENS.items():
            said = [(_line(words), screen(typed(words, folder)).replace(place, "~")) for words in commands]
            if name in ENDS:
                said = [(line, text.partition(ENDS[name])[0] + "\n...") for line, text in said]
            (PICTURES / f"{name}.svg").write_text(drawn(said, title="zetaroute"), encoding="utf-8")
        (report,) = (folder / HOME / "artifacts").glob("v0001-*/report.html")
        photograph(report, PICTURES / "report.png")
    for picture in PICTURES.iterdir():
        if picture.stat().st_size > LARGEST:
            raise SystemExit(f"{picture.name} is larger than {LARGEST} bytes: show less of it")
        sys.stdout.write(f"{picture.relative_to(ROOT)}: {picture.stat().st_size // 1000} KB\n")


def _line(words: Sequence[str]) -> str:
    return " ".join(("zetaroute", "--home", HOME, *(f'"{one}"' if " " in one else one for one in words)))


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 1 << 16)
    except OSError:  # how Linux says that nobody writes any more
        return b""


if __name__ == "__main__":
    main()
