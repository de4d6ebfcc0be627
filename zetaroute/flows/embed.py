"""The embedding of a query, asked for before it is decided.

Shared by `ask` and `batch`; a decision never fails for want of one.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace

from zetaroute.config import Embedding, Settings
from zetaroute.domain import Query, QueryEmbedding
from zetaroute.errors import ProviderError
from zetaroute.policy import Limits, allowed
from zetaroute.providers.embedding import Embedder


def may_be_embedded(query: Query, settings: Settings, limits: Limits) -> bool:
    """Return whether the endpoint, if there is one, may see a query: what must stay here goes to a local one."""
    endpoint = settings.embedding
    if endpoint is None or (limits.local_only and not endpoint.arm.local):
        return False
    return allowed(endpoint.arm.tags, query.tags, settings.rules)


async def embedded(query: Query, embedder: Embedder) -> Query:
    """Return the query with its embedding, or with the reason why it has none."""
    start = time.perf_counter()
    made = QueryEmbedding(space=embedder.space)
    try:
        vector = await embedder.one(query.text)
        made = replace(made, values=tuple(vector.values.tolist()), cost_usd=vector.cost_usd)
    except ProviderError as error:
        made = replace(made, error=str(error))
    return replace(query, embedding=replace(made, elapsed_s=time.perf_counter() - start))


def embedded_now(query: Query, endpoint: Embedding) -> Query:
    """Return the same as `embedded`, for one query and with an event loop of its own."""

    async def once() -> Query:
        embedder = Embedder(endpoint)
        try:
            return await embedded(query, embedder)
        finally:
            await embedder.aclose()

    return asyncio.run(once())
