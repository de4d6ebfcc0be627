"""[graders.NAME] and [[checks]] blocks: graders of the user's own, and checks that go with a task.

Only the config can define a grader, so that a file of queries can never make zetaroute run a program or pay a judge
that its user did not name.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from zetaroute.config.models import arm_named
from zetaroute.config.toml_table import TomlTable
from zetaroute.domain import Arm, Check
from zetaroute.files.utf8_text import read_text

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,59}")
_TIMEOUT_S = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskCheck:
    """A check that goes with a task label."""

    task: str
    check: Check


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandGrader:
    """A program that marks answers."""

    name: str
    command: tuple[str, ...]
    """The program and its arguments; no shell reads them."""
    timeout_s: float = _TIMEOUT_S


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeGrader:
    """A configured model that marks answers."""

    name: str
    judge: str
    """Id of the model."""
    rubric: str | None = None
    """What makes an answer good, in the user's words."""


NamedGrader = CommandGrader | JudgeGrader


def graders_hash(graders: Sequence[NamedGrader], arms: Sequence[Arm]) -> str:
    """Return a hash of how answers are graded: evidence from before another one cannot be added to that of after.

    A judge is another one where its id stands for another model by now.
    """
    asked = {arm.id: (arm.provider, arm.base_url, arm.model) for arm in arms}
    stored = [
        asdict(one) | ({"asks": asked.get(one.judge)} if isinstance(one, JudgeGrader) else {})
        for one in sorted(graders, key=lambda one: one.name)
    ]
    return hashlib.sha256(json.dumps(stored).encode()).hexdigest()


def read_graders(table: TomlTable | None, arms: tuple[Arm, ...]) -> tuple[NamedGrader, ...]:
    """Read the blocks under [graders]; raises ConfigError for a mistake in any of them."""
    return tuple(_grader(table, name, arms) for name in table.names()) if table else ()


def _grader(parent: TomlTable, name: str, arms: tuple[Arm, ...]) -> NamedGrader:
    if not _NAME.fullmatch(name):
        parent.fail(
            f"names a grader {name!r}: use letters, digits, dots, dashes and underscores, at most 60."
        )
    table = parent.table(name) or parent.fail(f"{name} must be a table: write a block [graders.{name}].")
    command, judge = table.texts("command"), table.text("judge")
    timeout_s, rubric = table.number("timeout_s", low=0.01), table.text("rubric")
    table.finish()
    if bool(command) == (judge is not None):
        table.fail('needs one of command = ["program", "argument"] and judge = "model-id".')
    if judge is None:
        if rubric is not None:
            table.fail("has a rubric, which goes with judge.")
        return CommandGrader(name=name, command=command, timeout_s=timeout_s or _TIMEOUT_S)
    if timeout_s is not None:
        table.fail("has a timeout_s, which goes with command: a judge keeps to the timeout_s of its model.")
    arm = arm_named(arms, judge)
    if arm is None:
        table.fail(f"names the judge {judge!r}, which no [[models]] block defines.")
    return JudgeGrader(name=name, judge=arm.id, rubric=rubric)


def read_checks(tables: Sequence[TomlTable], *, folder: Path) -> tuple[TaskCheck, ...]:
    """Return what the [[checks]] blocks say; `reference_file` counts from the config's folder."""
    return tuple(_check(table, folder) for table in tables)


def _check(table: TomlTable, folder: Path) -> TaskCheck:
    task, file = table.needed("task"), table.text("reference_file")
    check = table.read(Check)
    if file is not None:
        if check.reference is not None:
            table.fail("has a reference and a reference_file: give one.")
        try:
            check = replace(check, reference=read_text(folder / file))
        except (OSError, ValueError) as error:
            table.fail(f"names a reference_file that cannot be read as UTF-8 text ({error}).")
    return TaskCheck(task=task, check=check)
