"""The place of a query in a conversation, out of the options of `ask`.

Apart from the command because four options say it together.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from zetaroute.errors import UsageError

if TYPE_CHECKING:
    from zetaroute.cli.context import Session
    from zetaroute.config import Settings
    from zetaroute.domain import Query


def placed(
    run: Session,
    settings: Settings,
    query: Query,
    *,
    model: str | None,
    last: bool,
    name: str | None,
    reroute: bool,
) -> tuple[Query, str | None]:
    """Return the query behind the turns of its conversation, and the model that goes on there, if one does.

    A conversation keeps its model: another one would read all of it anew, and answer in another style. `last` goes on
    with the last conversation, `name` with that one; none is kept where the user names a `model`, or lets the policy
    choose again by `reroute`.
    """
    if last and name is not None:
        raise UsageError(
            "--continue goes on with the last conversation and --cid with another: give one of the two."
        )
    if not last and name is None:
        if reroute:
            raise UsageError("--reroute lets a conversation change its model: it needs --continue or --cid.")
        return query, None
    from zetaroute.flows.conversations import in_conversation, last_conversation

    if name is not None and not name.strip():
        raise UsageError("--cid is empty: give the name of a conversation.")
    continued, kept = in_conversation(run.log(), query, name or last_conversation(run.log()))
    if model is not None or reroute or kept is None:
        return continued, None
    if kept not in {arm.id for arm in settings.arms}:
        run.note(f"{kept}, which answered before, is not configured any more: another model goes on")
        return continued, None
    return continued, kept
