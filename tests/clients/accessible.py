"""Every page that zetaroute writes, and the one that it serves, by the rules of axe: wide, and narrow and dark."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.report.browser import NAMES, Browser, browsing

ROOT = Path(__file__).parents[2]
LOOKS = ((1100, False), (390, True))
RUN = """
axe.run().then(found => found.violations.map(one => one.id + ": " + one.nodes.map(node => node.target).join(" ")))
"""


def pages(program: str, folder: Path) -> list[Path]:
    """Return the pages of a home that has learned from practice queries."""
    for words in (
        ("batch", str(ROOT / "data" / "practice.jsonl"), "-o", str(folder / "answers.jsonl")),
        ("retrain",),
        ("kpi", "--html", str(folder / "kpi.html")),
    ):
        subprocess.run([program, "--home", str(folder / "home"), *words], check=True, capture_output=True)
    return [folder / "kpi.html", *(folder / "home").rglob("*.html")]


def violations(browser: Browser, page: Path | str, axe: str) -> list[str]:
    """Return what axe finds on a page."""
    found = []
    for width, dark in LOOKS:
        browser.open(page, width=width, dark=dark)
        browser.call("Runtime.evaluate", expression=axe)
        told = browser.call("Runtime.evaluate", expression=RUN, awaitPromise=True, returnByValue=True)
        found += [f"{page}, {width} wide{' and dark' * dark}: {one}" for one in told["result"]["value"]]
    return found


def main(url: str, program: str, axe: Path) -> int:
    """Look at all pages; return the exit code."""
    browser_program = next(filter(None, map(shutil.which, NAMES)), None)
    if browser_program is None:
        sys.stdout.write("skipped, for there is no Chromium\n")
        return 0
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        with browsing(browser_program, folder / "profile") as browser:
            looked_at: list[Path | str] = [url, *pages(program, folder)]
            source = axe.read_text(encoding="utf-8")
            found = [words for page in looked_at for words in violations(browser, page, source)]
    sys.stdout.write("".join(f"{words}\n" for words in found) or f"{len(looked_at)} pages\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2], Path(sys.argv[3])))
