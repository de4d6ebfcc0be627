"""The graders of a config, built-in and its own: a name and an answer in, a grade out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from zetaroute.config import CommandGrader, JudgeGrader, NamedGrader, Settings
from zetaroute.config.grading import TaskCheck
from zetaroute.domain import Arm, Check, Feedback, FeedbackSource, Query, new_id, text_tokens, utc_now
from zetaroute.errors import ConfigError, UsageError
from zetaroute.grading.grader_table import (
    BrokenGraderError,
    check_grader,
    check_reference,
    folded_name,
    grade,
    is_taken,
)
from zetaroute.policy.guards import broken, words
from zetaroute.providers.pool import Providers
from zetaroute.wire.thinking import split_thinking

ACCURACY = "accuracy"
NO_GRADE = "no_grade"
"""The metric of a row that keeps why there is no grade, and what the try cost."""
SELF = ":self"
"""What the author of a grade ends in that a model gave to an answer of its own."""
_PROMPT_TOKENS = 250
"""What a judge is told beside the texts."""
_VERDICT_TOKENS = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One answer and what is known of it."""

    outcome_id: str
    query: str
    answer: str
    model: str
    """Id of the arm that answered."""
    reference: str | None
    task: str | None
    grader: str | None
    """The grader's name; None leaves it to the reference."""
    tags: tuple[str, ...] = ()
    """Of the query: a judge whom the rules forbid it is not asked."""
    local_only: bool = False
    """Whether no judge is asked that is elsewhere."""


class Graders:
    """The graders of one config."""

    def __init__(self, settings: Settings) -> None:
        """Raise ConfigError when the config gives a grader a name that is there without it."""
        self._arms = {arm.id: arm for arm in settings.arms}
        self._rules = settings.rules
        self._folder = settings.file.parent if settings.file else None
        self._named = _by_name(settings.graders)
        self._checks = {one.task: self._proper(one) for one in settings.checks}

    def name(self, name: str) -> str:
        """Return a grader's proper name; raise UsageError for an unknown one, with those that exist."""
        if named := self._named.get(folded_name(name)):
            return named.name
        try:
            return check_grader(name)
        except UsageError as error:
            if not self._named:
                raise
            own = ", ".join(grader.name for grader in self._named.values())
            raise UsageError(f"{str(error).rstrip('.')}, or of your own: {own}.") from error

    def needs_reference(self, name: str) -> bool:
        """Tell whether a grader can mark nothing without a reference."""
        return self._of_the_config(name) is None

    def can_grade(self, query: Query, *, local_only: bool = False) -> bool:
        """Tell whether answers to a query can be graded: by a reference, a program, or a judge that may see it."""
        named = self._of_the_config(query.grader) if query.grader else None
        if isinstance(named, JudgeGrader):
            return self._judge_bar(named, query.tags, local_only=local_only) is None
        return named is not None or query.reference is not None

    def check(self, query: Query) -> None:
        """Raise UsageError when the grading of a query cannot work."""
        if query.grader is None:
            return
        name = self.name(query.grader)
        if not self.needs_reference(name):
            return
        if query.reference is None:
            raise UsageError(f"the grader {query.grader} needs a reference to compare the answer with.")
        check_reference(name, query.reference)

    def checked(self, query: Query, check: Check | None = None) -> Query:
        """Return the query with the check that is given, or the config's for its task.

        Raises UsageError for a check that cannot work.
        """
        if check is not None:
            return replace(query, check=self._usable(check))
        return replace(query, check=self._checks[query.task]) if query.task in self._checks else query

    def _usable(self, check: Check) -> Check:
        """Return a check by its grader's proper name, any JSON being what `json` alone asks for."""
        name, reference = self.name(check.grader), check.reference
        if name == "json" and reference is None:
            reference = "{}"
        if self.needs_reference(name):
            if reference is None:
                raise UsageError(
                    f"the check {name} needs something to hold answers against: {name}=TEXT or {name}=@FILE."
                )
            check_reference(name, reference)
        return replace(check, grader=name, reference=reference)

    def _proper(self, one: TaskCheck) -> Check:
        try:
            return self._usable(one.check)
        except UsageError as error:
            raise ConfigError(f"[[checks]] for the task {one.task!r}: {error}") from error

    def author(self, name: str | None, model: str) -> str:
        """Return as whose a grade is kept that this grader gives to an answer of this model."""
        named = self._of_the_config(name) if name else None
        if isinstance(named, JudgeGrader):
            return f"judge:{named.name}{SELF if self._is_self(named, model) else ''}"
        return f"grader:{self.name(name) if name else 'default'}"

    def expected_usd(self, case: Case) -> float | None:
        """Return what marking an answer may cost, 0 where the price is unknown; None for what costs nothing."""
        named = self._of_the_config(case.grader) if case.grader else None
        if not isinstance(named, JudgeGrader) or not self._arms[named.judge].paid:
            return None
        prices = self._arms[named.judge].prices
        if prices is None:
            return 0.0
        read = sum(
            text_tokens(text) for text in (case.query, case.answer, case.reference or "", named.rubric or "")
        )
        calls = 1 if case.reference is None else 2
        once_usd = prices.cost_usd(input_tokens=read + _PROMPT_TOKENS, output_tokens=_VERDICT_TOKENS)
        return calls * once_usd

    async def grade(self, case: Case, providers: Providers) -> Feedback | None:
        """Grade one answer; None where there is nothing to grade it by.

        Where a program, a judge or a package gives no grade, the feedback says so under the metric `no_grade`. Raises
        UsageError for a grader or a reference that cannot be used. Marked thinking is no part of the answer.
        """
        _, answer = split_thinking(case.answer)
        case = case if answer is case.answer else replace(case, answer=answer)
        named = self._of_the_config(case.grader) if case.grader else None
        if isinstance(named, CommandGrader):
            return await self._by_program(named, case)
        if isinstance(named, JudgeGrader):
            return await self._by_judge(named, case, providers)
        if case.reference is None:
            return None
        name = self.name(case.grader) if case.grader else None
        try:
            value = grade(case.answer, case.reference, name)
        except BrokenGraderError as error:
            return self._feedback(case, "truth", None, comment=str(error))
        return self._feedback(case, "truth", value)

    async def _by_program(self, grader: CommandGrader, case: Case) -> Feedback:
        from zetaroute.grading.command import mark
        from zetaroute.providers.credentials import secret_variables

        found = await mark(
            grader,
            answer=case.answer,
            query=case.query,
            reference=case.reference,
            task=case.task,
            secret={name for arm in self._arms.values() for name in secret_variables(arm)},
            folder=self._folder,
        )
        note = f"the grader {grader.name} {found.note}" if found.score is None else None
        return self._feedback(case, "truth", found.score, comment=note, response_s=found.response_s)

    async def _by_judge(self, grader: JudgeGrader, case: Case, providers: Providers) -> Feedback:
        bar = self._judge_bar(grader, case.tags, local_only=case.local_only)
        if bar is not None:
            return self._feedback(case, "judge", None, comment=bar)
        from zetaroute.grading.llm_judge import judge

        found = await judge(
            grader,
            answer=case.answer,
            query=case.query,
            reference=case.reference,
            arms=self._arms,
            providers=providers,
        )
        return self._feedback(
            case,
            "judge",
            found.score,
            comment=found.note,
            cost_usd=found.cost_usd,
            response_s=found.response_s,
        )

    def _judge_bar(self, grader: JudgeGrader, tags: Sequence[str], *, local_only: bool) -> str | None:
        """Return why a judge may not be told of a query with these tags; None where it may."""
        rule = broken(self._arms[grader.judge].tags, tags, self._rules)
        if rule is not None:
            return f"the judge {grader.judge} {words(rule)}"
        return (
            f"the judge {grader.judge} is not local"
            if local_only and not self._arms[grader.judge].local
            else None
        )

    def _feedback(
        self,
        case: Case,
        source: FeedbackSource,
        value: float | None,
        *,
        comment: str | None = None,
        cost_usd: float | None = None,
        response_s: float | None = None,
    ) -> Feedback:
        return Feedback(
            id=new_id(),
            outcome_id=case.outcome_id,
            metric=NO_GRADE if value is None else ACCURACY,
            value=1.0 if value is None else value,
            source=source,
            author=self.author(case.grader, case.model),
            time=utc_now(),
            comment=comment,
            cost_usd=cost_usd,
            response_s=response_s,
        )

    def _of_the_config(self, name: str) -> NamedGrader | None:
        return self._named.get(folded_name(name))

    def _is_self(self, grader: JudgeGrader, model: str) -> bool:
        """Tell whether the judge is the model that answered, be it under another id."""
        judge, answering = self._arms[grader.judge], self._arms.get(model)
        return judge.id == model or (answering is not None and _identity(judge) == _identity(answering))


def _identity(arm: Arm) -> tuple[str, str | None, str]:
    return arm.provider, arm.base_url, arm.model


def _by_name(graders: tuple[NamedGrader, ...]) -> Mapping[str, NamedGrader]:
    if not graders:
        return {}
    found: dict[str, NamedGrader] = {}
    for grader in graders:
        folded = folded_name(grader.name)
        if is_taken(grader.name) or folded in found:
            raise ConfigError(
                f"[graders.{grader.name}]: there is a grader of that name already; give it another one."
            )
        found[folded] = grader
    return found
