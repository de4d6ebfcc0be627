"""Practice models as a provider: they answer in-process and take real time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping

from zetaroute.domain import Arm, Completion, Query
from zetaroute.errors import ProviderError
from zetaroute.practice.practice_models import MODELS, PracticeAnswer, PracticeModel
from zetaroute.providers.base import OnText, call_cost_usd


class PracticeProvider:
    """Asks the practice models it is given."""

    def __init__(self, models: Mapping[str, PracticeModel] = MODELS, *, many: bool = False) -> None:
        # Loaded here, before any clock runs: the first answer's time must not hold the time of an import.
        import zetaroute.practice.families  # noqa: F401

        self._models = models

    async def complete(self, arm: Arm, query: Query, on_text: OnText | None = None) -> Completion:
        """Ask `arm` once; raises ProviderError `unsupported` for a model that does not exist."""
        if arm.model not in self._models:
            choices = ", ".join(sorted(self._models))
            raise ProviderError(
                f"{arm.id}: there is no practice model {arm.model!r}; choose one of {choices}.",
                kind="unsupported",
            )
        started_at = time.perf_counter()
        answer = self._models[arm.model].answer(query.text)
        ttft_s = None
        if on_text is None:
            await _wait((answer.think_s + answer.piece_s * (len(answer.pieces) - 1)) * arm.delay)
        else:
            ttft_s = await _tell(answer, arm.delay, on_text, started_at)
        return Completion(
            text=answer.text,
            served_model=arm.model,
            finish_reason="stop",
            ttft_s=ttft_s,
            response_s=time.perf_counter() - started_at,
            input_tokens=answer.input_tokens,
            output_tokens=answer.output_tokens,
            cost_usd=call_cost_usd(arm, input_tokens=answer.input_tokens, output_tokens=answer.output_tokens),
        )

    async def aclose(self) -> None:
        """Do nothing: there is no connection."""


async def _tell(answer: PracticeAnswer, delay: float, on_text: OnText, started_at: float) -> float:
    """Emit the pieces at their pace and return the seconds until the first."""
    await _wait(answer.think_s * delay)
    ttft_s = time.perf_counter() - started_at
    for number, piece in enumerate(answer.pieces):
        if number:
            await _wait(answer.piece_s * delay)
        on_text(piece)
    return ttft_s


async def _wait(seconds_s: float) -> None:
    # Even a sleep of zero costs a turn of the event loop per piece.
    if seconds_s > 0:
        await asyncio.sleep(seconds_s)
