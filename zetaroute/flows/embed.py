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
from zetaroute.providers.embedding import Embedder


def endpoint_for(settings: Settings, *, local_only: bool) -> Embedding | None:
    """Return the endpoint that may see the queries, if there is one: what must stay here goes to a local one."""
    endpoint = settings.embedding
    return None if endpoint is None or (local_only and not endpoint.arm.local) else endpoint


async def embedded(query: Query, endpoint: Embedding, embedder: Embedder) -> Query:
    """Return the query with its embedding, or with the reason why it has none."""
    start = time.perf_counter()
    made = QueryEmbedding(space=endpoint.space)
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
            return await embedded(query, endpoint, embedder)
        finally:
            await embedder.aclose()

    return asyncio.run(once())
