"""Everything that can be wrong with an installation, looked at once, each with its fix."""

from __future__ import annotations

import asyncio
from pathlib import Path

from zetaroute.config import Home, Settings, load_settings
from zetaroute.errors import ConfigError
from zetaroute.setup.doctor.check_home import examine_home, examine_log, opened_log
from zetaroute.setup.doctor.check_servers import examine_servers
from zetaroute.setup.doctor.check_versions import examine_guards, examine_rows, examine_versions
from zetaroute.setup.doctor.diagnosis import Diagnosis, doubtful, well, wrong

__all__ = ["Diagnosis", "examine"]


def examine(home: Home, config: Path | None, *, calls: bool = False) -> list[Diagnosis]:
    """Look at everything and return what was found, in the order in which a person would fix it.

    `config` is the file that `--config` names, if it does. No model is asked; `calls` allows one vector of an
    embedding endpoint that may cost something. A broken config ends what depends on it and nothing else.
    """
    settings: Settings | None = None
    try:
        settings = load_settings(config, home.config)
    except ConfigError as error:
        found = [wrong("config", str(error), "correct it; all other commands refuse to run with it")]
    else:
        found = [_config(settings)]
        found += asyncio.run(examine_servers(settings, calls=calls))
    found += examine_home(home)
    with opened_log(home) as log:
        found += examine_log(home, log)
        if settings is not None:
            found += examine_versions(home, settings, log)
            found += examine_guards(home, settings)
            found += examine_rows(home, settings, log)
    return found


def _config(settings: Settings) -> Diagnosis:
    count = len(settings.arms)
    if settings.file is None:
        words = "there is no config, so the built-in practice models serve"
        return doubtful(
            "config", words, "`zetaroute init --detect` looks for servers and keys and writes one"
        )
    return well("config", f"{settings.file} names {count} model{'s' if count > 1 else ''}")
