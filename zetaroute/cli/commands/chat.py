"""`chat`: a conversation at the prompt, turn by turn, over what `ask` does."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

import typer

from zetaroute.cli.commands import ask
from zetaroute.cli.commands.ask_screen import answer
from zetaroute.cli.commands.rate import rating_share
from zetaroute.cli.options import with_line
from zetaroute.cli.printing import console, say
from zetaroute.cli.session import Run, session
from zetaroute.errors import UsageError, ZetarouteError

if TYPE_CHECKING:
    from zetaroute.router.answer import Answer
    from zetaroute.router.options import AskOptions

PROMPT = "> "
REMEMBERED = 200
"""Earlier queries that the arrow keys bring back."""
HELP = """/model [ID]     ask this model from now on; without an ID the policy chooses again
/rate VALUE     rate the last answer: 1-5, up, down
/explain        why this model was asked
/new            begin another conversation
/quit           leave, as Ctrl-D does
A line that ends with \\ goes on with the next one."""


@with_line
def chat_command(context: typer.Context, line: ask.TalkLine) -> None:
    """Ask in turns: a conversation that keeps its model until you choose another.

    What is asked and answered is kept as `ask` keeps it; `ask -c` goes on with it. /help lists what can be typed.

    \b
    Examples
      zetaroute chat
      zetaroute chat --cid trip -s "Be brief."
      zetaroute chat -c                     go on with the last conversation
    """
    run = session(context)
    settings = run.settings()
    if line.model is not None:
        settings.arm(line.model)
    if line.continue_ and line.cid is not None:
        raise UsageError("--continue goes on with the last conversation and --cid with another: give one.")
    talk = line.cid
    if line.continue_:
        from zetaroute.router.conversations import last_conversation

        with run.log().open() as connection:
            talk = last_conversation(connection)
    options = line.options(rating_share=rating_share(run))
    _Chat(run, options, system=line.system, conversation=talk).talk()


class _Chat:
    """A conversation at the prompt."""

    def __init__(
        self, run: Run, options: AskOptions, *, system: str | None, conversation: str | None
    ) -> None:
        self._run, self._options, self._system = run, options, system
        self._model = options.model
        """Asked in every turn; None leaves the choice to the policy, and then to the conversation."""
        self._conversation = conversation
        self._reroute = False
        """Whether the policy may choose another model in the next turn."""
        self._last: Answer | None = None
        self._commands: dict[str, Callable[[str], None]] = {
            "/model": self._choose,
            "/rate": self._rate,
            "/explain": self._explain,
            "/new": self._begin,
            "/help": lambda _: say(HELP),
        }

    def talk(self) -> None:
        """Take turns until the person leaves; what goes wrong with one is said, and the next may come."""
        lines = _Lines(self._run, [*self._commands, "/quit"])
        if lines.typed:
            self._run.note("/help lists what can be typed; Ctrl-D leaves")
        while (line := lines.next()) is not None:
            word, _, rest = line.partition(" ")
            if word == "/quit":
                return
            with suppress(typer.Exit):  # an answer was interrupted, and said so
                try:
                    self._take(word, rest.strip(), line)
                except ZetarouteError as error:
                    say(f"error: {error}")

    def _take(self, word: str, rest: str, line: str) -> None:
        if word in self._commands:
            self._commands[word](rest)
        elif word.startswith("/") and word[1:].isalpha():
            raise UsageError(f"there is no {word}: /help lists what there is.")
        elif line.strip():
            self._last = self._asked(line)
            self._conversation = self._conversation or self._last.id
            self._reroute = False

    def _asked(self, text: str) -> Answer:
        from zetaroute.domain import Query

        run, query = self._run, Query(text=text, system=self._system)
        engine, query, kept = ask.opened(
            run, query, self._model, last=False, name=self._conversation, reroute=self._reroute
        )
        options = replace(self._options, model=self._model, kept=kept)
        return answer(run, engine, query, options, usage=not run.quiet)

    def _choose(self, model: str) -> None:
        if model:
            self._run.settings(quiet=True).arm(model)
        self._model, self._reroute = model or None, not model
        self._run.note(f"{model} is asked from now on" if model else "the policy chooses again")

    def _rate(self, value: str) -> None:
        from zetaroute.feedback.ratings import rate
        from zetaroute.report.figure_words import opinion

        if self._last is None or not value:
            raise UsageError("/rate rates the last answer: ask first, then /rate 4, /rate up or /rate down.")
        kept = rate(self._run.log(), value, outcome_id=self._last.id).feedback
        self._run.note(f"kept {kept.metric} {kept.label or opinion(kept.metric, kept.value)}")

    def _explain(self, _: str) -> None:
        from zetaroute.report.decisions_outcomes import show_decision, show_explanation

        if self._last is None:
            raise UsageError("/explain explains the last answer: ask first.")
        screen = console(stderr=True)
        show_decision(screen, self._last.decision)
        if (found := self._run.open().explain(self._last.id)) is not None:
            show_explanation(screen, found.json())

    def _begin(self, _: str) -> None:
        self._conversation = self._last = None
        self._run.note("a new conversation begins")


class _Lines:
    """What is typed, with the queries of the log to go back to; or the lines of a pipe."""

    def __init__(self, run: Run, commands: list[str]) -> None:
        self.typed = sys.stdin.isatty() and sys.stdout.isatty()
        if self.typed:
            _remember(run, commands)

    def next(self) -> str | None:
        """Return the next line, whole; None at the end."""
        parts: list[str] = []
        while True:
            try:
                line = input("  " if parts else PROMPT) if self.typed else sys.stdin.readline()
            except EOFError:
                say("")
                return None
            except KeyboardInterrupt:
                say("")
                parts = []
                continue
            if not self.typed and not line:
                return "\n".join(parts) or None
            line = line.rstrip("\n")
            parts.append(line.removesuffix("\\"))
            if not line.endswith("\\"):
                return "\n".join(parts)


def _remember(run: Run, commands: list[str]) -> None:
    """Let the arrow keys bring back what was asked before, from the log, which forgets when told to."""
    try:
        import readline
    except ImportError:  # Windows
        return
    from zetaroute.router.conversations import latest_queries

    with suppress(ZetarouteError):
        for text in latest_queries(run.log(), limit=REMEMBERED):
            readline.add_history(" ".join(text.split()))
    models = [arm.id for arm in run.settings(quiet=True).arms]

    def offer(begun: str, number: int) -> str | None:
        names = models if readline.get_line_buffer().startswith("/model ") else commands
        # Readline itself puts nothing behind a word.
        found = [f"{name} " for name in names if name.startswith(begun)] if begun else []
        return found[number] if number < len(found) else None

    readline.set_completer_delims(" ")
    readline.set_completer(offer)
    readline.parse_and_bind("tab: complete")
