"""What installed packages add: the recipes of CONTRIBUTING.md are followed, and broken packages are named."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.command import ok, refused, rows, run, write_lines

CONTRIBUTING = (Path(__file__).parents[1] / "CONTRIBUTING.md").read_text(encoding="utf-8")
MODEL = '[[models]]\nid = "a/small"\nprovider = "{provider}"\nmodel = "small"\n'

Install = Callable[[str, str, str], None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Return a function that installs a package: its code, the group of its entry point, and the point."""
    site = tmp_path / "site"
    monkeypatch.syspath_prepend(str(site))

    def made(code: str, group: str, point: str) -> None:
        module = point.partition("= ")[2].partition(":")[0]
        described = site / f"{module}-1.0.dist-info"
        described.mkdir(parents=True)
        (described / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {module}\nVersion: 1.0\n")
        (described / "entry_points.txt").write_text(f"[zetaroute.{group}]\n{point}\n")
        (site / f"{module}.py").write_text(code)

    return made


def follow_recipe(install: Install, title: str) -> None:
    """Install the package that a section of CONTRIBUTING.md shows."""
    section = CONTRIBUTING.partition(f"## {title}\n")[2].partition("\n## ")[0]
    code, table = (re.search(rf"```{kind}\n(.*?)```", section, re.DOTALL)[1] for kind in ("python", "toml"))
    ((group, points),) = tomllib.loads(table)["project"]["entry-points"].items()
    ((name, target),) = points.items()
    install(code, group.removeprefix("zetaroute."), f"{name} = {target}")


def home(tmp_path: Path, config: str) -> Path:
    folder = tmp_path / "home"
    folder.mkdir()
    (folder / "config.toml").write_text(config)
    return folder


def test_the_recipe_of_a_provider(tmp_path: Path, install: Install) -> None:
    follow_recipe(install, "Add a provider")
    folder = home(tmp_path, MODEL.format(provider="echo"))
    assert ok(folder, "ask", "--no-stream", "Is anybody there?").out == "Is anybody there?\n"
    assert ok(folder, "ask", "Streamed?").out == "Streamed?\n"
    assert rows(folder, "SELECT model, response FROM outcomes ORDER BY id") == [
        ("a/small", "Is anybody there?"),
        ("a/small", "Streamed?"),
    ]


def test_the_recipe_of_a_grader(tmp_path: Path, install: Install) -> None:
    follow_recipe(install, "Add a grader")
    folder = home(tmp_path, MODEL.format(provider="practice"))
    asked = ["ask", "What is 2 + 2?", "--grader", "Length"]
    ok(folder, *asked, "--reference", "1")
    grades = "SELECT metric, value, author FROM feedback"
    assert rows(folder, grades) == [("accuracy", 1.0, "grader:length")]
    assert "must be a number of words, not 'few'" in refused(run(folder, *asked, "--reference", "few"), 2)
    assert "length" in refused(run(folder, "ask", "x", "--reference", "1", "--grader", "no-such"), 2)


def test_the_recipe_of_an_importer(tmp_path: Path, install: Install, monkeypatch: pytest.MonkeyPatch) -> None:
    follow_recipe(install, "Add an importer")
    monkeypatch.chdir(tmp_path)
    folder = home(tmp_path, MODEL.format(provider="practice"))
    sheet = tmp_path / "sheet.csv"
    sheet.write_text("asked,model,answer\nWhy?,a/small,Because.\nWhen?,a/small,\n")
    done = ok(folder, "log", "import", str(sheet), "--format", "sheet", "--json").json
    assert (done["added"], done["bad_lines"]) == (1, 1)
    assert rows(folder, "SELECT query, response FROM outcomes") == [("Why?", "Because.")]
    error = refused(run(folder, "log", "import", str(sheet), "--format", "shet"), 2)
    assert "choose llm, jsonl, sheet" in error


def test_a_format_can_be_named(tmp_path: Path) -> None:
    folder = home(tmp_path, MODEL.format(provider="practice"))
    lines = write_lines(tmp_path / "r.jsonl", [{"query": "Why?", "model": "a/small", "response": "So."}])
    assert ok(folder, "log", "import", str(lines), "--format", "jsonl", "--json").json["added"] == 1
    assert "SQLite" in refused(run(folder, "log", "import", str(lines), "--format", "llm"), 2)


BROKEN = "import absent_module\n"
RAISES = """
class Raises:
    def __init__(self, *, many): pass
    async def complete(self, arm, query, on_text=None): raise KeyError("choices")
    async def aclose(self): pass
"""


def test_a_provider_that_raises_is_a_failed_call(tmp_path: Path, install: Install) -> None:
    install(RAISES, "providers", "raises = zetaroute_raises:Raises")
    folder = home(tmp_path, MODEL.format(provider="raises"))
    error = refused(run(folder, "ask", "Why?"), 3)
    assert "the provider 'raises' broke (KeyError: 'choices')" in error
    assert rows(folder, "SELECT status, error_kind FROM outcomes") == [("error", "malformed")]


def test_an_unknown_provider_is_told_with_those_of_packages(tmp_path: Path, install: Install) -> None:
    install(RAISES, "providers", "mycloud = zetaroute_mycloud:Raises")
    folder = home(tmp_path, MODEL.format(provider="mycluod"))
    error = refused(run(folder, "ask", "Why?"), 2)
    assert "recorded, mycloud (did you mean 'mycloud'?)" in error


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (BROKEN, "package zetaroute_unfit{0} cannot be loaded (ModuleNotFoundError: No module named"),
        ("unfit = 3\n", "package zetaroute_unfit{0} is not what zetaroute.graders takes"),
    ],
)
def test_a_package_that_cannot_be_used_is_named(
    tmp_path: Path, install: Install, code: str, words: str
) -> None:
    number = len(code)
    install(code, "graders", f"unfit{number} = zetaroute_unfit{number}:unfit")
    folder = home(tmp_path, MODEL.format(provider="practice"))
    said = run(folder, "ask", "Why?", "--reference", "1", "--grader", f"unfit{number}")
    assert words.format(number) in refused(said, 2)


@pytest.mark.parametrize(
    ("body", "reason"),
    [("return 3", "gave 3, which is not between 0 and 1"), ("return 1 / 0", "broke (ZeroDivisionError:")],
)
def test_a_grader_that_breaks_gives_no_grade(
    tmp_path: Path, install: Install, body: str, reason: str
) -> None:
    name = f"odd{len(body)}"
    code = f"from zetaroute.grading import Grader\ndef score(answer, reference): {body}\nodd = Grader(score=score)\n"
    install(code, "graders", f"{name} = zetaroute_{name}:odd")
    folder = home(tmp_path, MODEL.format(provider="practice"))
    ok(folder, "ask", "Why?", "--reference", "1", "--grader", name)
    ((metric, comment),) = rows(folder, "SELECT metric, comment FROM feedback")
    assert metric == "no_grade"
    assert f"the grader {name} {reason}" in comment


def test_an_importer_that_breaks_is_named(tmp_path: Path, install: Install) -> None:
    install("def read(name, asked):\n    yield 1 / 0\n", "importers", "zero = zetaroute_zero:read")
    folder = home(tmp_path, MODEL.format(provider="practice"))
    (tmp_path / "x").write_text("")
    error = refused(run(folder, "log", "import", str(tmp_path / "x"), "--format", "zero"), 2)
    assert "the importer zero broke" in error
