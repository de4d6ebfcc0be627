"""Read a moment as people write it: a date, a time, or how long ago."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from zetaroute.errors import UsageError

_AGO = re.compile(r"(\d+)([dhm])")
_UNITS = {"d": "days", "h": "hours", "m": "minutes"}


def moment(text: str | None) -> str | None:
    """Return a moment in UTC as ISO 8601 for `2026-01-31`, `2026-01-31T12:00+01:00`, `7d`, `12h` or `30m`."""
    if text is None:
        return None
    ago = _AGO.fullmatch(text)
    try:
        if ago:
            when = datetime.now(UTC) - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
        else:
            when = datetime.fromisoformat(text)
        if when.tzinfo is not None:
            when = when.astimezone(UTC).replace(tzinfo=None)
    except (ValueError, OverflowError):
        raise UsageError(f"{text!r} is no moment: write 2026-01-31, 7d, 12h or 30m.") from None
    return when.isoformat()
