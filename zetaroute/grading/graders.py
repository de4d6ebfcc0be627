"""Every grader there is, those of the config included, behind one door: a name and an answer in, a grade out.

Shared by the round, which grades as answers come, and by grading the log later, so that both mark alike.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from zetaroute.config import CommandGrader, JudgeGrader, NamedGrader, Settings
from zetaroute.config.grading import TaskCheck
from zetaroute.domain import Arm, Check, Feedback, FeedbackSource, Query, new_id, text_tokens, utc_now
from zetaroute.errors import ConfigError, UsageError
from zetaroute.grading.choice import choice, reference_letter
from zetaroute.grading.json_schema import json_schema, reference_validator
from zetaroute.grading.number import is_number, number, reference_number
from zetaroute.grading.text import contains, exact, f1, normalised, reference_pattern, regex, rouge_l
from zetaroute.policy.guards import broken, words
from zetaroute.providers.pool import Providers

ACCURACY = "accuracy"
NO_GRADE = "no_grade"
"""The metric of a row that keeps why there is no grade, and what the try cost."""
SELF = ":self"
"""What the author of a grade ends in that a model gave to an answer of its own."""


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


_PROMPT_TOKENS = 250
"""What a judge is told beside the texts."""
_VERDICT_TOKENS = 60


class Graders:
    """The graders of one config."""

    def __init__(self, settings: Settings, *, local_only: bool = False) -> None:
        """With `local_only` no judge is asked that is elsewhere.

        Raises ConfigError when the config gives a grader a name that is there without it.
        """
        self._arms = {arm.id: arm for arm in settings.arms}
        self._rules, self._local_only = settings.rules, local_only
        self._folder = settings.file.parent if settings.file else None
        self._named = _by_name(settings.graders)
        self._checks = {one.task: self._proper(one) for one in settings.checks}

    def name(self, name: str) -> str:
        """Return a grader's proper name; raise UsageError for an unknown one, with those that exist."""
        from zetaroute.grading import check_grader, folded_name

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

    def check(self, query: Query) -> None:
        """Raise UsageError when the grading of a query cannot work."""
        if query.grader is None:
            return
        from zetaroute.grading import check_reference

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
        from zetaroute.grading import check_reference

        name, reference = self.name(check.grader), check.reference
        if name == "json" and reference is None:
            reference = "{}"
        if self.needs_reference(name):
            if reference is None:
                raise UsageError(
                    f"the check {name} needs something to hold answers against: {name}=TEXT or {name}=@FILE."
                )
            check_reference(name, reference)
        return Check(grader=name, reference=reference)

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

        Where a program or a judge gives no grade, the feedback says so under the metric `no_grade`. Raises
        UsageError for a grader or a reference that cannot be used.
        """
        named = self._of_the_config(case.grader) if case.grader else None
        if isinstance(named, CommandGrader):
            return await self._by_program(named, case)
        if isinstance(named, JudgeGrader):
            return await self._by_judge(named, case, providers)
        if case.reference is None:
            return None
        from zetaroute.grading import grade

        name = self.name(case.grader) if case.grader else None
        value = grade(case.answer, case.reference, name)
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
        rule = broken(self._arms[grader.judge].tags, case.tags, self._rules)
        if rule is not None:
            return self._feedback(case, "judge", None, comment=f"the judge {grader.judge} {words(rule)}")
        if self._local_only and not self._arms[grader.judge].local:
            return self._feedback(case, "judge", None, comment=f"the judge {grader.judge} is not local")
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
        from zetaroute.grading import folded_name

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
    from zetaroute.grading import folded_name, is_taken

    found: dict[str, NamedGrader] = {}
    for grader in graders:
        folded = folded_name(grader.name)
        if is_taken(grader.name) or folded in found:
            raise ConfigError(
                f"[graders.{grader.name}]: there is a grader of that name already; give it another one."
            )
        found[folded] = grader
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Grader:
    """One way of marking: a pure function of an answer and its reference."""

    name: str
    score: Callable[[str, str], float]
    read_reference: Callable[[str], object] = str
    """What `score` makes of a reference; it raises UsageError when the reference cannot be used."""
    aliases: tuple[str, ...] = ()


_TABLE = (
    Grader(name="exact", score=exact, aliases=("string-match", "equals")),
    Grader(
        name="normalised", score=normalised, aliases=("normalized", "em", "exact-match", "quasi-exact-match")
    ),
    Grader(name="contains", score=contains, aliases=("cem", "includes", "contains-match")),
    Grader(name="regex", score=regex, read_reference=reference_pattern, aliases=("regex-match",)),
    Grader(
        name="choice",
        score=choice,
        read_reference=reference_letter,
        aliases=("em-mc", "accuracy-mc", "mc", "mcq", "multiple-choice", "mmlu"),
    ),
    Grader(
        name="number",
        score=number,
        read_reference=reference_number,
        aliases=("gsm8k", "math", "numeric", "numerical"),
    ),
    Grader(name="json", score=json_schema, read_reference=reference_validator, aliases=("json-schema",)),
    Grader(name="f1", score=f1, aliases=("f1-score", "token-f1")),
    Grader(name="rouge-l", score=rouge_l, aliases=("rougel",)),
)
_KINDS = {
    "command": 'command = ["program", "argument"]',
    "judge": 'judge = "model-id"',
}
"""Graders that only a block of the config can make: there is none by the kind's own name."""
_BY_NAME = {grader.name: grader for grader in _TABLE}
_CANONICAL = {spelling: grader.name for grader in _TABLE for spelling in (grader.name, *grader.aliases)}


def grader_names() -> tuple[str, ...]:
    """Return the graders' names in the order of the documentation."""
    return tuple(_BY_NAME)


def folded_name(name: str) -> str:
    """Return a grader's name as names are compared: whatever its case and with `-` or `_`."""
    return name.strip().casefold().replace("_", "-")


def is_taken(name: str) -> bool:
    """Tell whether a name means a grader, or a kind of grader, that is there without any config."""
    return folded_name(name) in _CANONICAL or folded_name(name) in _KINDS


def check_grader(name: str) -> str:
    """Return the canonical name of a grader, whatever its case and with `-` or `_`.

    Aliases: `em`, `exact_match` (as SQuAD's evaluation means it) and `normalized` are normalised, `cem` and
    `includes` are contains, `em_mc`, `accuracy_mc`, `mcq` and `multiple_choice` are choice, `GSM8K`, `MATH` and
    `numeric` are number, `json_schema` is json, `f1_score` and `token_f1` are f1, `rougeL` is rouge-l. Raises
    UsageError for any other name.
    """
    spelling = folded_name(name)
    if spelling in _KINDS:
        raise UsageError(
            f"The grader {spelling} has to be made first: write [graders.NAME] with {_KINDS[spelling]} in "
            "config.toml, and use that NAME."
        )
    if spelling not in _CANONICAL:
        import difflib

        close = difflib.get_close_matches(spelling, _CANONICAL, n=1, cutoff=0.5)
        hint = f" (did you mean {_CANONICAL[close[0]]}?)" if close else ""
        raise UsageError(f"There is no grader {name!r}{hint}: use one of {', '.join(_BY_NAME)}.")
    return _CANONICAL[spelling]


def check_reference(grader: str, reference: str) -> None:
    """Raise UsageError when the grader is unknown or can make nothing of the reference."""
    _BY_NAME[check_grader(grader)].read_reference(reference)


def default_grader(reference: str) -> str:
    """Return the grader that a reference suggests.

    A number written in digits, alone but for a currency or percent sign, is graded by number; one letter
    A-J of either case, optionally in brackets, by choice; anything else by normalised.
    """
    if is_number(reference):
        return "number"
    bare = reference.strip().removeprefix("(").removesuffix(")")
    return "choice" if len(bare) == 1 and bare in "ABCDEFGHIJabcdefghij" else "normalised"


def grade(answer: str, reference: str, grader: str | None = None) -> float:
    """Return how right an answer is, 0..1, by the named grader or by the reference's default one.

    A blank answer scores 0, or 1 where the reference is blank too. Raises UsageError for an unknown grader
    and for a reference that it cannot use, because a mistake in the question is not a wrong answer.
    """
    chosen = _BY_NAME[default_grader(reference) if grader is None else check_grader(grader)]
    if not answer.strip():
        chosen.read_reference(reference)
        return float(not reference.strip())
    return chosen.score(answer, reference)
