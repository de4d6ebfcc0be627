"""Options that several commands share, each declared once."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from zetaroute.cli import completion as complete

Preset = Literal["quality", "balanced", "cheap", "fast"]

Model = Annotated[
    str | None,
    typer.Option("--model", "-m", autocompletion=complete.models, help="Ask this model (no routing)."),
]
MaxCost = Annotated[
    float | None,
    typer.Option("--max-cost-usd", min=0, help="At most this for a query, over all models that are asked."),
]
LocalOnly = Annotated[bool, typer.Option("--local-only", help="Only models with the tag local.")]
CheckOption = Annotated[
    str | None,
    typer.Option(
        "--check", help="GRADER, GRADER=TEXT or GRADER=@FILE; an answer that fails goes to the next model."
    ),
]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Show what would be asked and its cost; ask no model.")
]
Timeout = Annotated[
    float | None, typer.Option("--timeout", min=0.01, help="Seconds for each query, with its fallbacks.")
]
Seed = Annotated[int | None, typer.Option("--seed", min=0, help="Repeat decisions exactly.")]
NoAudit = Annotated[
    bool, typer.Option("--no-audit", help="Ask no other models beside the one that answers, to learn from.")
]
NoChain = Annotated[
    bool,
    typer.Option("--no-chain", help="Give one model's answer; ask no other because of what it looks like."),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
