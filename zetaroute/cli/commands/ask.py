"""`ask`: one query, answered on the screen."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from zetaroute.cli import completion as complete
from zetaroute.cli.commands.ask_screen import answer
from zetaroute.cli.commands.rate import rating_share
from zetaroute.cli.options import (
    CheckOption,
    DryRun,
    Json,
    LocalOnly,
    MaxCost,
    Model,
    NoAudit,
    NoChain,
    Preset,
    Seed,
    Timeout,
)
from zetaroute.cli.printing import console, out_json
from zetaroute.cli.session import session
from zetaroute.errors import UsageError

if TYPE_CHECKING:
    from rich.console import Console

    from zetaroute.cli.session import Run
    from zetaroute.domain import Check, Decision, Query
    from zetaroute.router.engine import Engine
    from zetaroute.router.options import AskOptions


def placed(
    run: Run, query: Query, *, last: bool, name: str | None, reroute: bool
) -> tuple[Query, str | None]:
    """Return the query behind the turns of its conversation, and the model that answered there last.

    A conversation keeps its model: another one would read all of it anew, and answer in another style. `last` goes on
    with the last conversation, `name` with that one; `reroute` lets the policy choose again.
    """
    if last and name is not None:
        raise UsageError(
            "--continue goes on with the last conversation and --cid with another: give one of the two."
        )
    if not last and name is None:
        if reroute:
            raise UsageError("--reroute lets a conversation change its model: it needs --continue or --cid.")
        return query, None
    from zetaroute.router.conversations import in_conversation

    if name is not None and not name.strip():
        raise UsageError("--cid is empty: give the name of a conversation.")
    query, model = in_conversation(run.log(), query, name)
    return query, None if reroute else model


def explained(run: Run, engine: Engine, query: Query, decision: Decision) -> dict[str, Any]:
    """Return the explanation of a decision that was made just now."""
    from zetaroute.analysis.explain import explain
    from zetaroute.registry import Registry

    router = engine.router
    policy, other = router.policy, router.contest
    if other is not None and other.policy.version == decision.policy_version:
        policy = other.policy
    return explain(
        decision,
        query,
        arms=router.settings.arms,
        policy=policy.with_record(router.standings),
        registry=Registry(run.home.artifacts),
    ).json()


def explained_past(run: Run, row: dict[str, Any]) -> dict[str, Any] | None:
    """Return the explanation of a logged decision; None where nothing was decided."""
    from zetaroute.analysis.explain import explain_past
    from zetaroute.registry import Registry

    found = explain_past(row, registry=Registry(run.home.artifacts))
    return found.json() if found else None


Prompt = Annotated[list[str] | None, typer.Argument(help="The query; standard input comes first when piped.")]
System = Annotated[str | None, typer.Option("--system", "-s", help="System prompt.")]
Task = Annotated[str | None, typer.Option("--task", help="Label of the kind of query.")]
Reference = Annotated[str | None, typer.Option("--reference", help="The true answer, to grade with.")]
Grader = Annotated[
    str | None,
    typer.Option("--grader", autocompletion=complete.graders, help="How to compare with the reference."),
]
Tag = Annotated[
    list[str] | None,
    typer.Option("--tag", help="A tag that rules go by, such as private (only local models); repeatable."),
]
Attach = Annotated[
    list[Path] | None,
    typer.Option("--attach", "-a", help="A text file, an image or a PDF; may be given several times."),
]
Option = Annotated[
    list[str] | None,
    typer.Option("--option", "-o", help="key=value for the model, such as temperature=0.2; repeatable."),
]
Prefer = Annotated[Preset | None, typer.Option("--prefer", help="What matters more than the config says.")]
Continue = Annotated[bool, typer.Option("--continue", "-c", help="Go on with the last conversation.")]
Cid = Annotated[str | None, typer.Option("--cid", help="Go on with this conversation, or begin it.")]
Reroute = Annotated[bool, typer.Option("--reroute", help="Let the conversation change its model.")]
Schema = Annotated[
    str | None,
    typer.Option(
        "--schema",
        help="Ask for JSON, and check it: fields (city, founded int), a JSON schema, or a file with one.",
    ),
]
Explain = Annotated[bool, typer.Option("--explain", help="Show every candidate on standard error.")]
Rate = Annotated[
    str | None, typer.Option("--rate", help="Rate the answer at once: 1-5, up, down or a verdict.")
]
NoLog = Annotated[bool, typer.Option("--no-log", "-n", help="Keep nothing of this query.")]
Usage = Annotated[bool, typer.Option("--usage", "-u", help="Say model, tokens, time and cost afterwards.")]
NoStream = Annotated[bool, typer.Option("--no-stream", help="Show the answer when it is complete.")]


def ask_command(
    context: typer.Context,
    prompt: Prompt = None,
    model: Model = None,
    system: System = None,
    task: Task = None,
    reference: Reference = None,
    grader: Grader = None,
    tag: Tag = None,
    attach: Attach = None,
    option: Option = None,
    prefer: Prefer = None,
    max_cost_usd: MaxCost = None,
    local_only: LocalOnly = False,
    continue_: Continue = False,
    check: CheckOption = None,
    cid: Cid = None,
    reroute: Reroute = False,
    schema: Schema = None,
    dry_run: DryRun = False,
    explain: Explain = False,
    rate: Rate = None,
    usage: Usage = False,
    no_log: NoLog = False,
    no_stream: NoStream = False,
    no_audit: NoAudit = False,
    no_chain: NoChain = False,
    timeout: Timeout = None,
    seed: Seed = None,
    json: Json = False,
) -> None:
    """Build the query and its options from what was typed, and ask."""
    _check_rating(rate, no_log=no_log)
    schema, wanted = _checked(schema, check)
    run = session(context)
    run.settings()
    query = _query(
        prompt, option, attach, schema, tag, system=system, task=task, reference=reference, grader=grader
    )
    engine, query, kept = opened(run, query, model, last=continue_, name=cid, reroute=reroute)
    share = None if no_log or json or rate else rating_share(run)
    options = options_of(
        model, kept, local_only, max_cost_usd, prefer, timeout, seed, no_audit, no_chain, share
    )
    if dry_run:
        _show_dry_run(run, engine, query, options, check=wanted, json=json)
        return
    answer(
        run,
        engine,
        query,
        options,
        check=wanted,
        keep=not no_log,
        stream=not (no_stream or json),
        rate=rate,
        usage=usage,
        json=json,
        on_decision=partial(_explain, run, engine, console(stderr=True)) if explain else None,
    )


ask_command.__doc__ = """Ask one query: the policy picks a model, the answer is streamed, the outcome is kept.

\b
Examples
  zetaroute ask "Sort 3, 1, 2"
  cat report.txt | zetaroute ask "Summarise this"
  zetaroute ask --explain --prefer cheap "What is 12% of 250?"
  zetaroute ask -a chart.png -o temperature=0 "What does the chart show?"
  zetaroute ask --check json "The planets as a JSON list"
  zetaroute ask --reference 42 --grader number "What is 6 * 7?"
  zetaroute ask --tag private "What does my contract say about leave?"
  zetaroute ask --cid trip "Three days in Rome?"; zetaroute ask --cid trip "And with children?"
  zetaroute ask --usage --schema "city, founded int" "Where is the Colosseum?"
"""


def _query(
    prompt: list[str] | None,
    option: list[str] | None,
    attach: list[Path] | None,
    schema: str | None,
    tag: list[str] | None,
    *,
    system: str | None,
    task: str | None,
    reference: str | None,
    grader: str | None,
) -> Query:
    from zetaroute.domain import Query
    from zetaroute.router.attachments import parse_options
    from zetaroute.router.prepare import with_files

    query = Query(
        text=_text(prompt),
        system=system,
        task=task,
        reference=reference,
        grader=grader,
        tags=tuple(dict.fromkeys(tag or ())),
    )
    return with_files(query, parse_options(option or ()), attach or (), schema)


def _checked(schema: str | None, check: str | None) -> tuple[str | None, Check | None]:
    """Return the schema's text, and what the answer is checked by: the schema where nothing else is said."""
    from zetaroute.files.schema_text import schema_text
    from zetaroute.router.prepare import parse_check

    text = None if schema is None else schema_text(schema)
    return text, parse_check(f"json={text}" if text is not None and check is None else check)


def options_of(
    model: str | None,
    kept: str | None,
    local_only: bool,
    max_cost_usd: float | None,
    prefer: str | None,
    timeout_s: float | None,
    seed: int | None,
    no_audit: bool,
    no_chain: bool,
    share: float | None,
) -> AskOptions:
    """Return what was typed as options of one answer; `share` is how often to ask for a rating."""
    from zetaroute.config import PRESETS
    from zetaroute.policy import Limits
    from zetaroute.router.options import AskOptions

    return AskOptions(
        model=model,
        kept=kept,
        limits=Limits(local_only=local_only, max_cost_usd=max_cost_usd),
        objective=None if prefer is None else PRESETS[prefer],
        seed=seed,
        deadline_s=timeout_s,
        no_audit="switched off" if no_audit else None,
        no_chain=no_chain,
        rating_share=share,
    )


def opened(
    run: Run, query: Query, model: str | None, *, last: bool, name: str | None, reroute: bool
) -> tuple[Engine, Query, str | None]:
    """Return the engine, the query in its conversation, and the model that the conversation keeps."""
    from zetaroute.router.attempts import check_query

    engine = run.open().engine()
    check_query(query, engine.graders)
    query, kept = placed(run, query, last=last, name=name, reroute=reroute)
    if kept is not None and kept not in engine.router.arms and model is None:
        run.note(f"{kept}, which answered before, is not configured any more: another model goes on")
    return engine, query, kept


def _check_rating(rate: str | None, *, no_log: bool) -> None:
    if rate is None:
        return
    if no_log:
        raise UsageError(
            "--rate keeps a rating of an answer that --no-log does not keep: give one of the two."
        )
    from zetaroute.feedback.ratings import parse_rating

    parse_rating(rate)


def _show_dry_run(
    run: Run, engine: Engine, query: Query, options: AskOptions, *, check: Check | None, json: bool
) -> None:
    import asyncio

    from zetaroute.router.audits import SWITCH

    async def decided() -> tuple[Query, Decision]:
        async with engine:
            prepared = await engine.prepare(query, options, check=check)
            return prepared, engine.decide(prepared, options)

    prepared, decision = asyncio.run(decided())
    audits = engine.router.audit_forecast(prepared, options, engine.audit_terms(prepared, options))
    if audits.rows:
        run.note(
            f"audits: other models may be asked too, to learn from, for ${audits.cost_usd:.6f} on average; {SWITCH}"
        )
    if json:
        out_json({**decision.json(), "explanation": explained(run, engine, prepared, decision)})
    else:
        _explain(run, engine, console(), prepared, decision)


def _explain(run: Run, engine: Engine, screen: Console, query: Query, decision: Decision) -> None:
    from zetaroute.report.decisions_outcomes import show_decision, show_explanation

    show_decision(screen, decision)
    show_explanation(screen, explained(run, engine, query, decision))


def _text(prompt: list[str] | None) -> str:
    piped = ""
    if sys.stdin is not None and not sys.stdin.isatty():
        from zetaroute.files.utf8_text import text_of

        try:
            piped = text_of(sys.stdin.buffer.read())
        except ValueError as error:
            raise UsageError(
                f"standard input cannot be read ({error}): give a text file or a prompt."
            ) from None
        if "\0" in piped:
            raise UsageError("standard input is binary, not text: give a text file or a prompt.")
    return "\n\n".join(part for part in (piped.rstrip("\n"), " ".join(prompt or [])) if part.strip())
