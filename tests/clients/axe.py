"""The pages of `serve` and of a retrain as a screen reader and a keyboard meet them: axe-core in a headless Chromium.

`python -m tests.clients.axe FOLDER`, by `make clients`: axe-core is installed into FOLDER by npm; where npm or a
Chromium is missing it is skipped with a word.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.cli.command import ok
from tests.report.browser import NAMES, Browser, browsing
from tests.serve.running import serving
from tests.support.homes import instant
from zetaroute.config import default_config_text

RULES = """axe.run(document, {resultTypes: ['violations']}).then(found => JSON.stringify(found.violations.map(
    one => [one.id, one.impact, one.help, one.nodes.slice(0, 3).map(node => node.html.slice(0, 160))])))"""
FOCUS = "[...document.querySelectorAll('summary, a')].every(one => one.tabIndex === 0)"


def axe_in(folder: Path) -> str | None:
    """Return the source of axe-core; None where it cannot be installed."""
    source = folder / "node_modules" / "axe-core" / "axe.min.js"
    npm = shutil.which("npm")
    if not source.exists() and npm is not None:
        folder.mkdir(parents=True, exist_ok=True)
        words = [
            npm,
            "install",
            "--no-audit",
            "--no-fund",
            "--fetch-retries",
            "1",
            "--prefix",
            str(folder),
            "axe-core",
        ]
        subprocess.run(words, capture_output=True, check=False, timeout=240)
    return source.read_text("utf-8") if source.exists() else None


def violations(browser: Browser, url: str, axe: str, *, dark: bool) -> list[object]:
    """Return what axe-core finds wrong with a page whose details are open."""
    browser.open(url, width=1100, dark=dark)
    browser.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
    browser.call("Runtime.evaluate", expression=axe)
    found = browser.call("Runtime.evaluate", expression=RULES, awaitPromise=True, returnByValue=True)
    return list(json.loads(found["result"]["value"]))


def home_with_contest(home: Path) -> None:
    """Make a home in which something was learned and challenges."""
    home.mkdir()
    (home / "config.toml").write_text(instant(default_config_text()), encoding="utf-8")
    queries = home / "queries.jsonl"
    ok(home, "practice", "generate", "--rows", "260", "--seed", "5", "-o", str(queries))
    ok(home, "batch", str(queries))
    ok(home, "retrain")


def main(folder: Path) -> int:
    """Look at every page in light and dark; return how many violations there are."""
    chromium = next((path for name in NAMES if (path := shutil.which(name))), None)
    axe = axe_in(folder)
    if chromium is None or axe is None:
        sys.stdout.write(f"axe-core: skipped, for {'axe-core' if chromium else 'a Chromium'} is missing\n")
        return 0
    wrong = 0
    with tempfile.TemporaryDirectory() as place:
        home = Path(place) / "home"
        home_with_contest(home)
        with serving(home) as server, browsing(chromium, Path(place) / "profile") as browser:
            # Served, the report runs no script at all, not even axe-core's.
            (report,) = (home / "artifacts").glob("*/report.html")
            for url in (f"{server.url}/", report.as_uri()):
                for dark in (False, True):
                    found = violations(browser, url, axe, dark=dark)
                    wrong += len(found)
                    told = f"{len(found)} violations" + "".join(f"\n      {one}" for one in found)
                    sys.stdout.write(
                        f"axe-core {url.rpartition('/')[2] or '/'} {'dark' if dark else 'light'}: {told}\n"
                    )
                assert browser.evaluate(FOCUS), f"{url} has what a keyboard does not reach"
    return wrong


if __name__ == "__main__":
    sys.exit(1 if main(Path(sys.argv[1])) else 0)
