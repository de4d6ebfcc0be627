"""Options that several commands share, each declared once, and commands whose options are the fields of a class."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import wraps
from inspect import Parameter, Signature
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_type_hints

import typer

from zetaroute.cli import completion as complete

if TYPE_CHECKING:
    from zetaroute.policy import Limits

Preset = Literal["quality", "balanced", "cheap", "fast"]

Since = Annotated[
    str | None, typer.Option("--since", help="Only rows since this moment: 2026-01-31, 7d, 12h.")
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@dataclass(frozen=True, kw_only=True)
class AskingLine:
    """What all commands that ask models can be told."""

    model: str | None = typer.Option(
        None, "--model", "-m", autocompletion=complete.models, help="Ask this model (no routing)."
    )
    max_cost_usd: float | None = typer.Option(
        None, min=0, help="At most this for a query, over all models that are asked."
    )
    local_only: bool = typer.Option(False, "--local-only", help="Only models with the tag local.")
    timeout_s: float | None = typer.Option(
        None, "--timeout", min=0.01, help="Seconds for each query, with its fallbacks."
    )
    no_audit: bool = typer.Option(
        False, "--no-audit", help="Ask no other models beside the one that answers, to learn from."
    )
    no_chain: bool = typer.Option(
        False, "--no-chain", help="Give one model's answer; ask no other because of what it looks like."
    )

    def limits(self) -> Limits:
        """Return what bounds the choice of models."""
        from zetaroute.policy import Limits

        return Limits(local_only=self.local_only, max_cost_usd=self.max_cost_usd)


@dataclass(frozen=True, kw_only=True)
class AnsweringLine(AskingLine):
    """What `ask` and `batch` can be told."""

    check: str | None = typer.Option(
        None, help="GRADER, GRADER=TEXT or GRADER=@FILE; an answer that fails goes to the next model."
    )
    dry_run: bool = typer.Option(
        False, "--dry-run", help="Show what would be asked and its cost; ask no model."
    )
    seed: int | None = typer.Option(None, min=0, help="Repeat decisions exactly.")
    json: Json = False


def with_line(command: Callable[[typer.Context, Any], None]) -> Callable[..., None]:
    """Return a command that takes, as options, the fields of the dataclass that its parameter `line` is."""
    line = get_type_hints(command)["line"]
    hints = get_type_hints(line, include_extras=True)

    @wraps(command)
    def called(context: typer.Context, **typed: Any) -> None:
        command(context, line(**typed))

    options = [
        Parameter(one.name, Parameter.KEYWORD_ONLY, default=one.default, annotation=hints[one.name])
        for one in fields(line)
    ]
    context = Parameter("context", Parameter.POSITIONAL_OR_KEYWORD, annotation=typer.Context)
    called.__signature__ = Signature([context, *options])  # type: ignore[attr-defined]  # what typer reads
    return called
