"""How many tokens an answer took: every shape in which servers tell it, merged over a stream and explained."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from zetaroute.wire.json_values import JsonObject, count, mapping, sequence

_SHAPES = {
    # All input, cached tokens included.
    "input": ("prompt_tokens",),
    # Input that leaves out what is counted beside it; without such counts it is all of it.
    "fresh": ("input_tokens", "prompt_n"),
    "cached": (
        "prompt_tokens_details.cached_tokens",
        "input_tokens_details.cached_tokens",
        "prompt_token_details.cached_tokens",
        "prompt_cache_hit_tokens",
        "num_cached_tokens",
        "cached_tokens",
    ),
    "cached_beside": ("cache_read_input_tokens", "cache_n"),
    "written": (
        "prompt_tokens_details.cache_write_tokens",
        "prompt_tokens_details.cache_creation_tokens",
        "prompt_tokens_details.cache_creation_input_tokens",
        "input_tokens_details.cache_write_tokens",
    ),
    "written_beside": ("cache_creation_input_tokens",),
    "output": ("completion_tokens", "output_tokens", "predicted_n"),
    "reasoning": (
        "completion_tokens_details.reasoning_tokens",
        "output_tokens_details.reasoning_tokens",
        "output_tokens_details.thinking_tokens",
        "reasoning_tokens",
    ),
    "total": ("total_tokens",),
}
"""By what is counted: the paths under which it stands. Where several hold a number, the largest counts."""
_KINDS: dict[str, dict[str, str]] = {}
"""The same by the first name of a path, then by its second one (empty where it has none)."""
for _kind, _paths in _SHAPES.items():
    for _path in _paths:
        _first, _, _second = _path.partition(".")
        _KINDS.setdefault(_first, {})[_second] = _kind
_HOLDERS = ("message", "response", "x_groq")
"""What an object that counts may stand in, besides the answer itself and its choices."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Tokens of one call; None where the server told nothing that can be used."""

    input_tokens: int | None = None
    """All of them, cached and newly cached ones included."""
    cached_tokens: int | None = None
    cache_write_tokens: int | None = None
    output_tokens: int | None = None
    """All of them, those of reasoning included."""
    reasoning_tokens: int | None = None


class UsageReader:
    """Merges the counts of one answer: they grow during a stream, so the largest is the last word.

    A null or a zero that comes later therefore erases nothing, in whatever order the pieces come.
    """

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}

    def take(self, payload: JsonObject) -> None:
        """Take in what a whole answer, or one event of a stream, counts."""
        for counted in _counting(payload):
            for name in counted.keys() & _KINDS.keys():
                for part, kind in _KINDS[name].items():
                    number = count(mapping(counted[name]).get(part) if part else counted[name])
                    if number is not None:
                        self._counts[kind] = max(number, self._counts.get(kind, 0))

    @property
    def is_complete(self) -> bool:
        """Whether input and output are known."""
        usage = self.usage()
        return bool(usage.input_tokens and usage.output_tokens)

    def usage(self) -> Usage:
        """Return the counts with their sums explained.

        A total above input and output is explained by reasoning or by cached tokens that were counted beside
        them; reasoning above the output stands beside it even without a total.
        """
        counts = self._counts
        cached = _largest(counts.get("cached"), counts.get("cached_beside"))
        written = _largest(counts.get("written"), counts.get("written_beside"))
        reasoning, total = counts.get("reasoning"), counts.get("total") or 0
        output = counts.get("output")
        read = self._input(total, output or 0)
        if not output and read and total > read:
            output = total - read
        elif not read and output and total > output:
            read = total - output
        if read is not None and output is not None:
            missing = total - read - output
            kept = (cached or 0) + (written or 0)
            if missing > 0 and missing == kept and missing != reasoning:
                read += missing
            elif missing > 0:
                output, reasoning = output + missing, reasoning or missing
        if reasoning and reasoning > (output or 0):
            output = (output or 0) + reasoning
        return Usage(
            input_tokens=read,
            cached_tokens=cached,
            cache_write_tokens=written,
            output_tokens=output,
            reasoning_tokens=reasoning,
        )

    def _input(self, total: int, output: int) -> int | None:
        counts = self._counts
        fresh = counts.get("fresh")
        if counts.get("input") or fresh is None:
            return counts.get("input")
        beside = counts.get("cached_beside", 0) + counts.get("written_beside", 0)
        # A total that input and output add up to says that nothing stands beside them.
        return fresh if total and total == fresh + output else fresh + beside


def read_usage(payload: JsonObject) -> Usage:
    """Return what a whole answer counts."""
    reader = UsageReader()
    reader.take(payload)
    return reader.usage()


def _counting(payload: JsonObject) -> Iterator[JsonObject]:
    """Yield the objects of a payload that count tokens."""
    holders = (payload, *(payload.get(name) for name in _HOLDERS), *sequence(payload.get("choices")))
    for holder in map(mapping, holders):
        for name in ("usage", "timings"):
            counted = mapping(holder.get(name))
            if counted:
                yield counted


def _largest(*numbers: int | None) -> int | None:
    return max((number for number in numbers if number is not None), default=None)
