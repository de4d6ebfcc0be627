"""`ask` and `rate`: one query, and what the person thought of the answer."""

from __future__ import annotations

import random
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from zetaroute.cli import complete
from zetaroute.cli.context import Session, session
from zetaroute.cli.conversation import placed
from zetaroute.cli.render import console, out, out_json, say, write
from zetaroute.cli.shapes import decision_json, round_json
from zetaroute.errors import StoreError, UsageError

if TYPE_CHECKING:
    from zetaroute.config import Settings
    from zetaroute.domain import Attempt, Decision, Query
    from zetaroute.flows.round import Round
    from zetaroute.flows.router import Router

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
    float | None, typer.Option("--max-cost-usd", min=0, help="Only models that cost at most this.")
]
LocalOnly = Annotated[bool, typer.Option("--local-only", help="Only models with the tag local.")]
Continue = Annotated[bool, typer.Option("--continue", "-c", help="Go on with the last conversation.")]
Cid = Annotated[str | None, typer.Option("--cid", help="Go on with this conversation, or begin it.")]
Reroute = Annotated[bool, typer.Option("--reroute", help="Let the conversation change its model.")]
Schema = Annotated[Path | None, typer.Option("--schema", help="Ask for JSON by this JSON schema.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show the decision and ask nobody.")]
Explain = Annotated[bool, typer.Option("--explain", help="Show every candidate on standard error.")]
Rate = Annotated[int | None, typer.Option("--rate", min=1, max=5, help="Rate the answer 1-5 at once.")]
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
    attach: Attach = None,
    option: Option = None,
    prefer: Prefer = None,
    max_cost_usd: MaxCost = None,
    local_only: LocalOnly = False,
    continue_: Continue = False,
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
      zetaroute ask --reference 42 --grader number "What is 6 * 7?"
      zetaroute ask --cid trip "Three days in Rome?"; zetaroute ask --cid trip "And with children?"
      zetaroute ask --schema city.json --grader json "Where is the Colosseum?"
    """
    from zetaroute.domain import Query
    from zetaroute.flows.ask import choose
    from zetaroute.flows.attach import parse_options, read_attachment
    from zetaroute.flows.round import check_query
    from zetaroute.flows.router import open_router
    from zetaroute.policy import Limits

    if no_log and rate is not None:
        raise UsageError(
            "--rate keeps a rating of an answer that --no-log does not keep: give one of the two."
        )
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
    )
    if schema is not None:
        from zetaroute.flows.structured import by_schema

        query = by_schema(query, schema)
    check_query(query)
    query, model = placed(run, settings, query, model=model, last=continue_, name=cid, reroute=reroute)
    router = open_router(run.home, settings)
    if settings.embedding is not None:
        query = _embedded(settings, query, local_only=local_only)
    decision = choose(
        router,
        query,
        seed=random.randrange(2**48) if seed is None else seed,
        model=model,
        limits=Limits(local_only=local_only, max_cost_usd=max_cost_usd),
        objective=_objective(prefer),
    )
    if explain or dry_run:
        from zetaroute.cli.explain import explained
        from zetaroute.report.explanation import show_explanation
        from zetaroute.report.outcomes import show_decision

        explanation = explained(run, router, query, decision, _objective(prefer))
        if dry_run and json:
            out_json({**decision_json(decision), "explanation": explanation})
        else:
            screen = console(stderr=not dry_run)
            show_decision(screen, decision)
            show_explanation(screen, explanation)
    if not dry_run:
        stream = not (no_stream or json)
        _answer(
            run,
            router,
            query,
            decision,
            keep=not no_log,
            stream=stream,
            timeout_s=timeout,
            rate=rate,
            json=json,
        )


def rate_command(
    context: typer.Context,
    words: Annotated[
        list[str],
        typer.Argument(metavar="[ID] VALUE", autocompletion=complete.ratings, help="1-5, up or down."),
    ],
    metric: Annotated[str | None, typer.Option("--metric", help="A metric of your own.")] = None,
    comment: Annotated[str | None, typer.Option("--comment", help="Why.")] = None,
    author: Annotated[
        str, typer.Option("--author", help="Who rates; the latest of each author counts.")
    ] = "user",
) -> None:
    """Rate an answer: the last one, or the one with the given id.

    \b
    Examples
      zetaroute rate up
      zetaroute rate 4 --comment "right, but slow"
      zetaroute rate 0192f0c1-... 2
    """
    from zetaroute.flows.feedback import rate

    if len(words) > 2:
        raise UsageError("rate takes at most an id and a value: zetaroute rate [ID] VALUE.")
    run = session(context)
    given = rate(
        run.log(),
        words[-1],
        outcome_id=words[0] if len(words) == 2 else None,
        metric=metric,
        comment=comment,
        author=author,
    )
    run.note(f"kept {given.metric} {given.value:g} for {given.outcome_id}")


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


def _embedded(settings: Settings, query: Query, *, local_only: bool) -> Query:
    from zetaroute.flows.embed import embedded_now, endpoint_for

    endpoint = endpoint_for(settings, local_only=local_only)
    return query if endpoint is None else embedded_now(query, endpoint)


def _answer(
    run: Session,
    router: Router,
    query: Query,
    decision: Decision,
    *,
    keep: bool,
    stream: bool,
    timeout_s: float | None,
    rate: int | None,
    json: bool,
) -> None:
    import asyncio

    from zetaroute.flows.ask import ask
    from zetaroute.store.journal import Journal

    if keep:
        run.home.make()
    show = _Answer(run)
    asking = ask(
        router,
        query,
        decision,
        journal=Journal(run.home.journal) if keep else None,
        on_text=show.piece if stream else None,
        on_switch=show.switch,
        timeout_s=timeout_s,
    )
    try:
        played = asyncio.run(asking)
    except KeyboardInterrupt:
        say("interrupted: " + ("what came until now is kept in the log." if keep else "nothing is kept."))
        raise typer.Exit(130) from None
    if json:
        out_json(round_json(played))
    else:
        show.end(played)
    if keep:
        _merge(run, played, rate)


def _merge(run: Session, played: Round, rating: int | None) -> None:
    """Bring the journal into the log, now that the answer is on screen."""
    from zetaroute.flows.feedback import rate

    try:
        if rating is not None:
            rate(run.log(), str(rating), outcome_id=played.outcome.id)
        run.log().merge()
    except StoreError as error:
        run.note(f"the answer is safe in the journal, but the log could not take it: {error}")


class _Answer:
    """Shows an answer as it comes."""

    def __init__(self, run: Session) -> None:
        self._run = run
        self._shown = False
        self._told = False
        self._raw = not sys.stdout.isatty()

    def piece(self, text: str) -> None:
        self._shown = True
        write(self._safe(text))

    def switch(self, failed: Attempt, following: str) -> None:
        self._told = True
        if self._shown:
            write("\n")
        self._run.note(f"{failed.model} failed ({failed.error}); asking {following}")

    def end(self, played: Round) -> None:
        if not self._shown:
            write(self._safe(played.outcome.response or ""))
        out("")
        if not self._told:
            for failed in played.entry.outcomes[:-1]:
                self._run.note(f"{failed.model} failed ({failed.error}); {played.outcome.model} answered")

    def _safe(self, text: str) -> str:
        """A terminal is protected from what a model writes; a pipe gets it as it is."""
        if self._raw:
            return text
        from zetaroute.report.terminal import plain

        return plain(text)
