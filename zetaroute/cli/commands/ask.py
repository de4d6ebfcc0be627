"""`ask`: one query, answered on the screen."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from zetaroute.cli import completion as complete
from zetaroute.cli.commands.ask_screen import answer
from zetaroute.cli.commands.rate import rating_share
from zetaroute.cli.options import AnsweringLine, AskingLine, Preset, with_line
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


@dataclass(frozen=True, kw_only=True)
class TalkLine(AskingLine):
    """What `ask` and `chat` can be told."""

    system: str | None = typer.Option(None, "--system", "-s", help="System prompt.")
    prefer: Preset | None = typer.Option(None, help="What matters more than the config says.")
    continue_: bool = typer.Option(False, "--continue", "-c", help="Go on with the last conversation.")
    cid: str | None = typer.Option(None, help="Go on with this conversation, or begin it.")

    def options(self, **more: Any) -> AskOptions:
        """Return what was typed as options of one answer, with what else is known of it."""
        from zetaroute.config import PRESETS
        from zetaroute.router.options import AskOptions

        return AskOptions(
            model=self.model,
            limits=self.limits(),
            objective=None if self.prefer is None else PRESETS[self.prefer],
            deadline_s=self.timeout_s,
            no_audit="switched off" if self.no_audit else None,
            no_chain=self.no_chain,
            **more,
        )


@dataclass(frozen=True, kw_only=True)
class AskLine(TalkLine, AnsweringLine):
    """What `ask` can be told."""

    prompt: list[str] | None = typer.Argument(None, help="The query; standard input comes first when piped.")
    task: str | None = typer.Option(None, help="Label of the kind of query.")
    reference: str | None = typer.Option(None, help="The true answer, to grade with.")
    grader: str | None = typer.Option(
        None, autocompletion=complete.graders, help="How to compare with the reference."
    )
    tag: list[str] | None = typer.Option(
        None, help="A tag that rules go by, such as private (only local models); repeatable."
    )
    attach: list[Path] | None = typer.Option(
        None, "--attach", "-a", help="A text file, an image or a PDF; may be given several times."
    )
    option: list[str] | None = typer.Option(
        None, "--option", "-o", help="key=value for the model, such as temperature=0.2; repeatable."
    )
    reroute: bool = typer.Option(False, "--reroute", help="Let the conversation change its model.")
    schema: str | None = typer.Option(
        None,
        help="Ask for JSON, and check it: fields (city, founded int), a JSON schema, or a file with one.",
    )
    explain: bool = typer.Option(False, "--explain", help="Show every candidate on standard error.")
    rate: str | None = typer.Option(None, help="Rate the answer at once: 1-5, up, down or a verdict.")
    usage: bool = typer.Option(False, "--usage", "-u", help="Say model, tokens, time and cost afterwards.")
    no_log: bool = typer.Option(False, "--no-log", "-n", help="Keep nothing of this query.")
    no_stream: bool = typer.Option(False, "--no-stream", help="Show the answer when it is complete.")

    def query(self, schema: str | None) -> Query:
        """Return the query with all that belongs to it."""
        from zetaroute.domain import Query
        from zetaroute.router.attachments import parse_options
        from zetaroute.router.prepare import with_files

        query = Query(
            text=_text(self.prompt),
            system=self.system,
            task=self.task,
            reference=self.reference,
            grader=self.grader,
            tags=tuple(dict.fromkeys(self.tag or ())),
        )
        return with_files(query, parse_options(self.option or ()), self.attach or (), schema)


@with_line
def ask_command(context: typer.Context, line: AskLine) -> None:
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
      zetaroute ask --usage --schema "city, founded int" "Where is the Colosseum?"
    """
    _check_rating(line.rate, no_log=line.no_log)
    schema, check = _checked(line.schema, line.check)
    run = session(context)
    run.settings()
    query = line.query(schema)
    engine, query, kept = opened(
        run, query, line.model, last=line.continue_, name=line.cid, reroute=line.reroute
    )
    share = None if line.no_log or line.json or line.rate else rating_share(run)
    options = line.options(kept=kept, seed=line.seed, rating_share=share)
    if line.dry_run:
        _show_dry_run(run, engine, query, options, check=check, json=line.json)
        return
    answer(
        run,
        engine,
        query,
        options,
        check=check,
        keep=not line.no_log,
        stream=not (line.no_stream or line.json),
        rate=line.rate,
        usage=line.usage,
        json=line.json,
        on_decision=partial(_explain, run, engine, console(stderr=True)) if line.explain else None,
    )


def _checked(schema: str | None, check: str | None) -> tuple[str | None, Check | None]:
    """Return the schema's text, and what the answer is checked by: the schema where nothing else is said."""
    from zetaroute.files.schema_text import schema_text
    from zetaroute.router.prepare import parse_check

    text = None if schema is None else schema_text(schema)
    return text, parse_check(f"json={text}" if text is not None and check is None else check)


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
