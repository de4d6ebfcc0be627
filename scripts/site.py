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
    linked = {path.removeprefix("../") for text in texts for _, path, _ in _OUTSIDE.findall(text)}
    for name in sorted(linked | {"CHANGELOG.md", "CONTRIBUTING.md"}):
        if (ROOT / name).is_file():
            files.append(File.generated(config, name, abs_src_path=str(ROOT / name)))
    return files


def on_page_markdown(markdown: str, *, page: Any, **_: Any) -> str:
    """Lead links out of `docs/` to the copies; those to folders become their words alone."""
    if page.file.src_uri in {"CHANGELOG.md", "CONTRIBUTING.md"}:
        return markdown.replace("](docs/", "](")
    folder = (ROOT / "docs" / page.file.src_uri).parent

    def inside(link: re.Match[str]) -> str:
        words, path, anchor = link.groups()
        target = (folder / ".." / path).resolve()
        if target.is_relative_to(ROOT / "docs"):
            return link[0]
        if not target.is_file():
            return words
        up = "../" * (len(folder.parts) - len((ROOT / "docs").parts))
        return f"[{words}]({up}{target.relative_to(ROOT)}{anchor or ''})"

    return _OUTSIDE.sub(inside, markdown)
