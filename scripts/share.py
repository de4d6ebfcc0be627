"""The manual page and the shells' completions, made from the command line itself: `python -m scripts.share`.

The wheel brings them to where `man` and the shells look, below the prefix of the environment.
"""

from __future__ import annotations

from pathlib import Path

import click

from scripts.reference import command_tree
from zetaroute.version import __version__

SHARE = Path(__file__).parents[1] / "share"
COMPLETIONS = {
    "bash": "bash-completion/completions/zetaroute",
    "zsh": "zsh/site-functions/_zetaroute",
    "fish": "fish/vendor_completions.d/zetaroute.fish",
}
_FILES = (
    ("config.toml", "the models, and what things are worth"),
    ("zetaroute.duckdb", "the log"),
    ("journal/", "rows that are safe on disk and not merged yet"),
    ("artifacts/", "every version of the policy"),
)
_CODES = (
    ("0", "done"),
    ("1", "failed"),
    ("2", "wrong usage, input or config"),
    ("3", "no model could answer now"),
    ("4", "a stated bar was not met"),
    ("130", "interrupted; the work until then is kept"),
)


def shared() -> dict[str, str]:
    """Return every file below share/ by its path."""
    from typer._completion_shared import get_completion_script

    made = {
        path: get_completion_script(prog_name="zetaroute", complete_var="_ZETAROUTE_COMPLETE", shell=shell)
        + "\n"
        for shell, path in COMPLETIONS.items()
    }
    # A completion that zsh loads by its name is loaded by the first tab, and has to answer that too.
    made[COMPLETIONS["zsh"]] += '[[ $zsh_eval_context[-1] == loadautofunc ]] && _zetaroute_completion "$@"\n'
    return {"man/man1/zetaroute.1": manual(), **made}


def manual() -> str:
    """Return the manual page in roff: what each command does; its options are for `--help` to say."""
    (_, root), *commands = command_tree()
    about, *_ = (root.help or "").split("\n\n")
    options = [
        (", ".join(option.opts), option.help or "")
        for option in root.params
        if isinstance(option, click.Option) and not option.hidden
    ]
    told = [(path, " ".join((one.help or "").partition("\n\n")[0].split())) for path, one in commands]
    lines = [
        f'.TH ZETAROUTE 1 "" "zetaroute {__version__}" "User Commands"',
        *(
            ".SH NAME",
            r"zetaroute \- a command-line router for language models that learns from its own outcomes",
        ),
        *(".SH SYNOPSIS", ".B zetaroute", r"[\-\-home DIR] [\-\-config FILE] [\-\-quiet] [COMMAND ...]"),
        *(".SH DESCRIPTION", _roff(about), "Without a command it says where you stand and what to do next."),
        *_list("COMMANDS", told),
        _roff("`zetaroute COMMAND --help` lists the options of a command, with examples."),
        *_list("OPTIONS", options),
        *_list(
            "ENVIRONMENT",
            [("ZETAROUTE_HOME", "the home, where --home names none"), ("NO_COLOR", "no colours")],
        ),
        *_list("FILES", [(f"HOME/{name}", says) for name, says in _FILES]),
        *_list("EXIT STATUS", _CODES),
    ]
    return "\n".join(lines) + "\n"


def _list(title: str, rows: list[tuple[str, str]] | tuple[tuple[str, str], ...]) -> list[str]:
    lines = [f".SH {title}"]
    for name, says in rows:
        lines += [".TP", f".B {_roff(name)}", _roff(says)]
    return [*lines, ".PP"]


def _roff(text: str) -> str:
    flat = " ".join(text.split()).replace("\\", r"\e").replace("-", r"\-").replace("`", "")
    return rf"\&{flat}" if flat.startswith((".", "'")) else flat


if __name__ == "__main__":
    for path, text in shared().items():
        file = SHARE / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8", newline="\n")
