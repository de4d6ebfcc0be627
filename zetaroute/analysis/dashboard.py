"""The pages of a server: what is served now, and the last retrain's report."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from zetaroute.config import Home, Settings
    from zetaroute.log.log import Log


class Dashboard:
    """Makes the pages; what draws them is loaded when the first is asked for."""

    def page(self, home: Home, log: Log, settings: Settings) -> str:
        """Return the page of this moment; raise StoreBusyError when others keep the log."""
        from zetaroute.analysis.live_snapshot import snapshot
        from zetaroute.report.live_page import live_html

        return live_html(snapshot(home, log, settings))

    def report(self, home: Home) -> bytes | None:
        """Return the newest version's HTML report; None where there is none that can be read."""
        from zetaroute.errors import ArtifactError
        from zetaroute.registry import Registry

        registry = Registry(home.artifacts)
        for version in reversed(registry.versions()):
            try:
                return registry.read(version, "report.html")
            except ArtifactError:
                continue
        return None

    def file(self, name: str) -> bytes:
        """Return the style or the script that the page asks for."""
        from zetaroute.report.html import TEMPLATES

        return (TEMPLATES / name).read_bytes()
