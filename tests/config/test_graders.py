"""A [graders.NAME] block: what it makes, and how its mistakes are told."""

from __future__ import annotations

from dataclasses import replace

import pytest

from zetaroute.config import CommandGrader, JudgeGrader, graders_hash, parse_settings
from zetaroute.domain import Arm
from zetaroute.errors import ConfigError

MODEL = '[[models]]\nid = "a/b"\nprovider = "practice"\nmodel = "small"\n'


def test_both_kinds() -> None:
    text = MODEL + (
        '[graders.tests]\ncommand = ["python", "check.py"]\ntimeout_s = 2\n'
        '[graders.quick]\ncommand = ["true"]\n'
        '[graders.editor]\njudge = "a/b"\nrubric = "short"\n'
    )
    assert parse_settings(text, file=None).graders == (
        CommandGrader(name="tests", command=("python", "check.py"), timeout_s=2.0),
        CommandGrader(name="quick", command=("true",), timeout_s=10.0),
        JudgeGrader(name="editor", judge="a/b", rubric="short"),
    )
    assert parse_settings(MODEL, file=None).graders == ()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("graders = 1\n" + MODEL, "graders must be a table"),
        (MODEL + "[graders]\nx = 1\n", "must be a table"),
        (MODEL + "[graders.x]\n", "needs one of command"),
        (MODEL + '[graders.x]\ncommand = ["a"]\njudge = "a/b"\n', "needs one of command"),
        (MODEL + '[graders.x]\ncommand = "rm -rf"\n', "list of texts"),
        (MODEL + '[graders.x]\njudge = "gone"\n', "'gone', which no"),
        (MODEL + '[graders.x]\ncommand = ["a"]\nrubric = "r"\n', "goes with judge"),
        (MODEL + '[graders.x]\njudge = "a/b"\ntimeout_s = 3\n', "goes with command"),
        (MODEL + '[graders.x]\ncommand = ["a"]\ntimeout_s = 0\n', "at least"),
        (MODEL + '[graders."a b"]\ncommand = ["a"]\n', "letters, digits"),
        (MODEL + '[graders.x]\ncommand = ["a"]\ncolour = 1\n', "unknown key 'colour'"),
    ],
)
def test_mistakes(text: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words.replace("[", r"\[")):
        parse_settings(text, file=None)


def test_a_judge_is_another_one_where_its_id_stands_for_another_model() -> None:
    fair, arm = JudgeGrader(name="fair", judge="a"), Arm(id="a", provider="openai", model="one")
    before = graders_hash([fair], [arm])
    assert graders_hash([fair], [arm, replace(arm, id="b")]) == before
    assert graders_hash([fair], [replace(arm, prior_accuracy=0.9)]) == before
    assert graders_hash([fair], [replace(arm, model="two")]) != before
    program = CommandGrader(name="fair", command=("mark",))
    assert graders_hash([program], [arm]) == graders_hash([program], [replace(arm, model="two")])
