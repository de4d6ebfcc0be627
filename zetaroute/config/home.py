"""Where one home keeps its files."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from zetaroute.errors import StoreError, UsageError


@dataclass(frozen=True, slots=True)
class Home:
    """A folder with everything that zetaroute knows."""

    path: Path

    @property
    def config(self) -> Path:
        """The settings, written by the user."""
        return self.path / "config.toml"

    @property
    def database(self) -> Path:
        """The outcome log."""
        return self.path / "zetaroute.duckdb"

    @property
    def journal(self) -> Path:
        """Rows that are safe on disk but not yet in the DuckDB file."""
        return self.path / "journal"

    @property
    def artifacts(self) -> Path:
        """Every policy version."""
        return self.path / "artifacts"

    @property
    def prices(self) -> Path:
        """Prices that were imported."""
        return self.path / "prices.toml"

    @property
    def state(self) -> Path:
        """What a decision needs to know of the log; made anew when it is missing."""
        return self.path / "state.json"

    @property
    def vectors(self) -> Path:
        """Vectors of logged queries, kept so that the next retrain need not make them again."""
        return self.path / "vectors.npz"

    @property
    def checks(self) -> Path:
        """When models that had failed answered a check, which ends their cooldown."""
        return self.path / "checks.json"

    @property
    def partitions(self) -> Path:
        """Surveys and sums of the log's partitions, so that the next retrain reads only those that have changed."""
        return self.path / "partitions"

    @property
    def salt(self) -> Path:
        """The secret that stored hashes are keyed with."""
        return self.path / "salt"

    @property
    def conversations(self) -> Path:
        """Tags of conversations that `serve` has seen."""
        return self.path / "conversations"

    @property
    def open_decisions(self) -> Path:
        """Decisions of `/v1/decision` whose outcome is still to be told."""
        return self.path / "decisions"

    def make(self) -> None:
        """Create the folders; raise StoreError when the place cannot be written."""
        try:
            # The log holds what was asked: no business of other users.
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            for folder in (self.journal, self.artifacts):
                folder.mkdir(mode=0o700, exist_ok=True)
            if not os.access(self.journal, os.W_OK | os.X_OK):
                raise PermissionError(13, "permission denied")
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise StoreError(
                f"cannot write to the home {self.path} ({reason}): "
                "make it writable or name another with --home or ZETAROUTE_HOME."
            ) from error

    def drop_retrain_cache(self) -> None:
        """Delete what the last retrain has kept for the next one; raise OSError where that cannot be."""
        import shutil

        self.vectors.unlink(missing_ok=True)
        if self.partitions.exists():
            shutil.rmtree(self.partitions)


def find_home(option: Path | None) -> Home:
    """Return the home: the option, else ZETAROUTE_HOME, else the platform's user data folder."""
    named = option or os.environ.get("ZETAROUTE_HOME")
    if named:
        path = Path(named).expanduser()
        if "?" in str(path):
            raise UsageError(f"the home {path} has a ? in its path, which DuckDB cannot open: name another.")
        if path.exists() and not path.is_dir():
            raise UsageError(f"the home {path} is a file: name a folder with --home.")
        blocked = next((parent for parent in path.parents if parent.exists() and not parent.is_dir()), None)
        if blocked is not None:
            raise StoreError(
                f"cannot write to the home {path} ({blocked} is no folder): "
                "name another with --home or ZETAROUTE_HOME."
            )
        return Home(path.absolute())
    import platformdirs

    return Home(Path(platformdirs.user_data_dir("zetaroute", appauthor=False)))
