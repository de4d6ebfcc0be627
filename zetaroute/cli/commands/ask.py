"""`ask`: one query, answered on the screen."""

from __future__ import annotations

import random
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from zetaroute.cli import completion as complete
from zetaroute.cli.commands.ask_screen import answer
from zetaroute.cli.commands.rate import rate_command
from zetaroute.cli.json_output import decision_json
from zetaroute.cli.output import console, out_json
from zetaroute.cli.session import session
from zetaroute.errors import UsageError

if TYPE_CHECKING:
    from zetaroute.cli.session import Run
    from zetaroute.config import Objective, Settings
    from zetaroute.domain import Decision, Query
    from zetaroute.policy import Limits
    from zetaroute.router.router import Router


def placed(
    run: Run,
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
    from zetaroute.router.conversations import in_conversation, last_conversation

    if name is not None and not name.strip():
        raise UsageError("--cid is empty: give the name of a conversation.")
    continued, kept = in_conversation(run.log(), query, name or last_conversation(run.log()))
    if model is not None or reroute or kept is None:
        return continued, None
    if kept not in {arm.id for arm in settings.arms}:
        run.note(f"{kept}, which answered before, is not configured any more: another model goes on")
        return continued, None
    return continued, kept


def explained(
    run: Run, router: Router, query: Query, decision: Decision, objective: Objective | None
) -> dict[str, Any]:
    """Return the explanation of a decision that was made just now."""
    from zetaroute.analysis.explain import explain
    from zetaroute.registry import Registry

    policy, other = router.policy, router.challenger
    if other is not None and other.policy.version == decision.policy_version:
        policy = other.policy
    return explain(
        decision,
        query,
        arms=router.settings.arms,
        policy=policy.with_record(router.standings),
        objective=objective or router.settings.objective,
        registry=Registry(run.home.artifacts),
    ).json()


def explained_past(run: Run, row: dict[str, Any]) -> dict[str, Any] | None:
    """Return the explanation of a logged decision; None where nothing was decided."""
    from zetaroute.analysis.explain import explain_past
    from zetaroute.registry import Registry

    found = explain_past(row, registry=Registry(run.home.artifacts))
    return found.json() if found else None


Prompt = Annotated[list[str] | None, typer.Argument(help="The query; standard input comes first when piped.")]
Model = Annotated[
    str | None,
    typer.Option("--model", "-m", autocompletion=complete.models, help="Ask this model (no routing)."),
]
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
Prefer = Annotated[
    str | None,
    typer.Option("--prefer", autocompletion=complete.presets, help="quality, balanced, cheap or fast."),
]
MaxCost = Annotated[
    float | None, typer.Option("--max-cost-usd", min=0, help="At most this, over all models that are asked.")
]
LocalOnly = Annotated[bool, typer.Option("--local-only", help="Only models with the tag local.")]
Continue = Annotated[bool, typer.Option("--continue", "-c", help="Go on with the last conversation.")]
CheckOption = Annotated[
    str | None,
    typer.Option(
        "--check", help="GRADER, GRADER=TEXT or GRADER=@FILE; an answer that fails goes to the next model."
    ),
]
Cid = Annotated[str | None, typer.Option("--cid", help="Go on with this conversation, or begin it.")]
Reroute = Annotated[bool, typer.Option("--reroute", help="Let the conversation change its model.")]
Schema = Annotated[Path | None, typer.Option("--schema", help="Ask for JSON by this JSON schema.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show the decision and ask nobody.")]
Explain = Annotated[bool, typer.Option("--explain", help="Show every candidate on standard error.")]
Rate = Annotated[
    str | None, typer.Option("--rate", help="Rate the answer at once: 1-5, up, down or a verdict.")
]
NoLog = Annotated[bool, typer.Option("--no-log", "-n", help="Keep nothing of this query.")]
NoStream = Annotated[bool, typer.Option("--no-stream", help="Show the answer when it is complete.")]
Timeout = Annotated[float | None, typer.Option("--timeout", min=0.01, help="Seconds for the whole query.")]
Seed = Annotated[int | None, typer.Option("--seed", min=0, help="Repeat a decision exactly.")]
Json = Annotated[bool, typer.Option("--json", help="Print everything as JSON.")]


def add_to(app: typer.Typer) -> None:
    """Add these commands to the command line."""
    app.command("ask")(ask_command)
    app.command("rate")(rate_command)


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
    no_log: NoLog = False,
    no_stream: NoStream = False,
    timeout: Timeout = None,
    seed: Seed = None,
    json: Json = False,
) -> None:
    """Ask one query: the policy picks a model, the answer is streamed, the outcome is kept.

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
      zetaroute ask --schema city.json --grader json "Where is the Colosseum?"
    """
    from zetaroute.domain import Query
    from zetaroute.grading.graders import Graders
    from zetaroute.policy import Limits
    from zetaroute.router.attachments import parse_options, read_attachment
    from zetaroute.router.attempts import check_query
    from zetaroute.router.engine import choose
    from zetaroute.router.prepare import parse_check
    from zetaroute.router.router import open_router

    if no_log and rate is not None:
        raise UsageError(
            "--rate keeps a rating of an answer that --no-log does not keep: give one of the two."
        )
    if rate is not None:
        from zetaroute.feedback.ratings import parse_rating

        parse_rating(rate)
    run = session(context)
    settings = run.settings()
    query = Query(
        text=_text(prompt),
        system=system,
        task=task,
        reference=reference,
        grader=grader,
        options=parse_options(option or ()),
        attachments=tuple(map(read_attachment, attach or ())),
        tags=tuple(dict.fromkeys(tag or ())),
    )
    if schema is not None:
        from zetaroute.router.prepare import by_schema

        query = by_schema(query, schema)
    graders = Graders(settings)
    check_query(query, graders)
    query = graders.checked(query, parse_check(check))
    query, kept = placed(run, settings, query, model=model, last=continue_, name=cid, reroute=reroute)
    router = open_router(run.home, settings)
    limits = Limits(local_only=local_only, max_cost_usd=max_cost_usd)
    query = router.tagged(query)
    if settings.embedding is not None:
        query = _embedded(settings, query, limits)
    decision = choose(
        router,
        query,
        seed=random.randrange(2**48) if seed is None else seed,
        model=model,
        kept=kept,
        limits=limits,
        objective=_objective(prefer),
    )
    if explain or dry_run:
        from zetaroute.report.decision import show_decision, show_explanation

        explanation = explained(run, router, query, decision, _objective(prefer))
        if dry_run and json:
            out_json({**decision_json(decision), "explanation": explanation})
        else:
            screen = console(stderr=not dry_run)
            show_decision(screen, decision)
            show_explanation(screen, explanation)
    if not dry_run:
        # What may be replaced by another model's answer is not shown before it was checked.
        stream = not (no_stream or json or query.check)
        answer(
            run,
            router,
            query,
            decision,
            keep=not no_log,
            stream=stream,
            timeout_s=timeout,
            limits=limits,
            rate=rate,
            json=json,
        )


def _text(prompt: list[str] | None) -> str:
    piped = ""
    if sys.stdin is not None and not sys.stdin.isatty():
        try:
            piped = sys.stdin.buffer.read().decode("utf-8")
        except UnicodeDecodeError:
            raise UsageError("standard input is not UTF-8 text: give a text file or a prompt.") from None
        if "\0" in piped:
            raise UsageError("standard input is binary, not text: give a text file or a prompt.")
    return "\n\n".join(part for part in (piped.rstrip("\n"), " ".join(prompt or [])) if part.strip())


def _objective(prefer: str | None) -> Any:
    from zetaroute.config import PRESETS

    if prefer is None:
        return None
    if prefer not in PRESETS:
        raise UsageError(f"--prefer is {prefer!r}: choose one of {', '.join(PRESETS)}.")
    return PRESETS[prefer]


def _embedded(settings: Settings, query: Query, limits: Limits) -> Query:
    from zetaroute.router.prepare import embedded_now, may_be_embedded

    if settings.embedding is None or not may_be_embedded(query, settings, limits):
        return query
    return embedded_now(query, settings.embedding)
