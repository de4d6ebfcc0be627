"""What the documents say exists: links, commands with their options, config keys, columns of the log."""

from __future__ import annotations

import re
import shlex
import warnings
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from zetaroute.config import parse_settings
from zetaroute.errors import ConfigError
from zetaroute.log.schema import TABLES

ROOT = Path(__file__).parents[1]
PLACES = ("", "configs", "data", "docs", "docs/measurements", "benchmarks")
DOCUMENTS = sorted([ROOT / "llms.txt", *(path for place in PLACES for path in (ROOT / place).glob("*.md"))])

FENCE = re.compile(r"^```[^\n]*\n(.*?)^```", re.DOTALL | re.MULTILINE)
INLINE = re.compile(r"`([^`\n]+)`")
LINK = re.compile(r"\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
MODEL = "[[models]]\nid = 'a/b'\nprovider = 'practice'\nmodel = 'small'\n"
OPERATORS = {"|", "||", "&&", ";", ">", ">>", "<", "2>", "&"}


def commands_in(text: str) -> Iterator[str]:
    """Yield the `zetaroute ...` command lines in the fenced blocks of a document."""
    for block in FENCE.findall(text):
        for line in block.replace("\\\n", " ").splitlines():
            yield from commands_of_line(line.removeprefix("$ "))


def mentions_in(text: str) -> Iterator[str]:
    """Yield the `zetaroute ...` that the running text mentions, often without what the command needs."""
    for code in INLINE.findall(FENCE.sub("", text)):
        yield from commands_of_line(code)


def commands_of_line(line: str) -> Iterator[str]:
    """Yield the parts of a shell line that call zetaroute."""
    if not re.search(r"(^|[|;&] *)(\.venv/bin/)?zetaroute( |$)", line):
        return
    words = shlex.shlex(line, posix=True, punctuation_chars=True)
    words.whitespace_split = True
    part: list[str] = []
    for word in [*words, ";"]:
        if word not in OPERATORS:
            part.append(word)
            continue
        if part and part[0].removeprefix(".venv/bin/") == "zetaroute":
            yield shlex.join(part[1:])
        part = []


@pytest.fixture(scope="module")
def zetaroute() -> click.Command:
    """The command line with its commands disarmed: it parses and does nothing."""
    with warnings.catch_warnings():
        # typer asks click for names that click 9 will not have; that is between the two of them.
        warnings.simplefilter("ignore", DeprecationWarning)
        import typer

        from zetaroute.cli.app import app

    command = typer.main.get_command(app)
    disarm(command)
    return command


def disarm(command: click.Command) -> None:
    """Take away what a command and its subcommands would do."""
    command.callback = None
    for parameter in command.params:
        # This one writes into the shell's own files as soon as it is parsed.
        if parameter.name == "install_completion":
            parameter.callback = None
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            disarm(command.get_command(context, name))


def anchors(document: Path) -> set[str]:
    """Return the anchors that a code host makes of the headings."""
    plain = (
        re.sub(r"[^\w\- ]", "", heading.lower()) for heading in HEADING.findall(document.read_text("utf-8"))
    )
    return {heading.replace(" ", "-") for heading in plain}


def known_keys(text: str) -> list[str]:
    """Return the keys that a table of the config may have, as its error for an unknown one lists them."""
    with pytest.raises(ConfigError) as caught:
        parse_settings(text, file=None)
    return str(caught.value).partition("known are ")[2].rstrip(".").split(", ")


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_relative_link_leads_somewhere(document: Path) -> None:
    for link in LINK.findall(FENCE.sub("", document.read_text("utf-8"))):
        if link.startswith(("http://", "https://", "mailto:")):
            continue
        path, _, anchor = link.partition("#")
        target = (document.parent / path).resolve() if path else document
        assert target.exists(), f"{document.name} links to {link}"
        assert target.is_relative_to(ROOT), f"{document.name} links outside the repository: {link}"
        assert not anchor or anchor in anchors(target), f"{document.name} links to no heading: {link}"


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_command_line_names_a_command_and_its_options(document: Path, zetaroute: click.Command) -> None:
    for line in commands_in(document.read_text("utf-8")):
        try:
            zetaroute.main(shlex.split(line), "zetaroute", standalone_mode=False)
        except click.ClickException as error:
            pytest.fail(f"{document.name}: zetaroute {line}: {error.format_message()}")


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_mentioned_command_exists(document: Path, zetaroute: click.Command) -> None:
    for line in mentions_in(document.read_text("utf-8")):
        try:
            zetaroute.main(shlex.split(line) or ["--help"], "zetaroute", standalone_mode=False)
        except click.MissingParameter:
            continue
        except click.ClickException as error:
            pytest.fail(f"{document.name}: zetaroute {line}: {error.format_message()}")


def test_command_lines_are_found_in_blocks_and_in_running_text() -> None:
    text = "```sh\n$ cat a | zetaroute ask --explain 'a | b' > out\n```\nand `zetaroute kpi --compare` too"
    assert list(commands_in(text)) == ["ask --explain 'a | b'"]
    assert list(mentions_in(text)) == ["kpi --compare"]


@pytest.mark.parametrize("line", ["telephone", "kpi --compere", "policies burn", "rate"])
def test_a_command_line_that_does_not_exist_is_noticed(line: str, zetaroute: click.Command) -> None:
    with pytest.raises(click.ClickException):
        zetaroute.main(shlex.split(line), "zetaroute", standalone_mode=False)


@pytest.mark.parametrize(
    "text",
    [
        "surprise = 1\n" + MODEL,
        "[objective]\nsurprise = 1\n",
        "[explore]\nsurprise = 1\n",
        MODEL + "[gate]\nsurprise = 1\n",
        MODEL + "[budget]\nsurprise = 1\n",
        MODEL + "[ratings]\nsurprise = 1\n",
        MODEL + "[serve]\nsurprise = 1\n",
        MODEL + "surprise = 1\n",
        MODEL + "[[guards]]\nmetric = 'accuracy'\nmin = 0.5\nsurprise = 1\n",
        MODEL + "[graders.mine]\ncommand = ['true']\nsurprise = 1\n",
        MODEL + "[[checks]]\ntask = 'a'\ngrader = 'json'\nsurprise = 1\n",
        MODEL + "[privacy]\nsurprise = 1\n",
        MODEL + "[[rules]]\ntag = 'a'\nrequire = 'b'\nsurprise = 1\n",
    ],
    ids=[
        "top",
        "objective",
        "explore",
        "gate",
        "budget",
        "ratings",
        "serve",
        "models",
        "guards",
        "graders",
        "checks",
        "privacy",
        "rules",
    ],
)
def test_every_config_key_is_documented(text: str) -> None:
    page = (ROOT / "docs" / "configuration.md").read_text("utf-8")
    missing = [
        key for key in known_keys(text) if not re.search(rf"`{key}`|^## \[+{key}\]+", page, re.MULTILINE)
    ]
    assert missing == []


def test_every_column_of_the_log_is_documented() -> None:
    page = (ROOT / "docs" / "log.md").read_text("utf-8")
    columns = ["pmf", *(name for columns in TABLES.values() for name in columns)]
    assert [name for name in columns if f"`{name}`" not in page] == []
