"""What the documentation site has beyond `docs/`: the page of commands, and the files that pages link to.

mkdocs calls the functions by their names. Links out of `docs/` lead to copies in the site, those to folders to
nothing: the site stands by itself, wherever the sources are kept.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))
_OUTSIDE = re.compile(r"\[([^\]]*)\]\(\.\./([^)#\s]+)(#[^)\s]*)?\)")


def on_files(files: Files, *, config: Any) -> Files:
    """Add the page of commands, and every file outside of `docs/` that a page links to."""
    from scripts.reference import reference

    files.append(File.generated(config, "commands.md", content=reference()))
    texts = [
        Path(file.abs_src_path).read_text("utf-8")
        for file in files.documentation_pages()
        if file.abs_src_path
    ]
    for name in sorted({path for text in texts for _, path, _ in _OUTSIDE.findall(text)}):
        if (ROOT / name).is_file():
            files.append(File.generated(config, name, abs_src_path=str(ROOT / name)))
    return files


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Lead links out of `docs/` to the copies; those to folders become their words alone."""
    return _OUTSIDE.sub(_inside, markdown)


def _inside(link: re.Match[str]) -> str:
    words, path, anchor = link.groups()
    return f"[{words}]({path}{anchor or ''})" if (ROOT / path).is_file() else words
