"""The house in order: no file, function or folder that has outgrown a screen, and no class name with two meanings."""

from __future__ import annotations

import ast
from collections import defaultdict
from pathlib import Path

import pytest

import zetaroute

HOUSE = Path(zetaroute.__file__).parent
LONGEST_FILE, LONGEST_FUNCTION, LARGEST_FOLDER = 400, 60, 20


@pytest.fixture(scope="module")
def sources() -> dict[str, str]:
    found = {str(file.relative_to(HOUSE)): file.read_text("utf-8") for file in HOUSE.rglob("*.py")}
    assert len(found) > 200
    return found


@pytest.fixture(scope="module")
def nodes(sources: dict[str, str]) -> list[tuple[str, ast.AST]]:
    return [(name, node) for name, text in sources.items() for node in ast.walk(ast.parse(text))]


def test_no_file_is_too_long(sources: dict[str, str]) -> None:
    lengths = {name: len(text.splitlines()) for name, text in sources.items()}
    assert {name: length for name, length in lengths.items() if length > LONGEST_FILE} == {}


def test_no_function_is_too_long(nodes: list[tuple[str, ast.AST]]) -> None:
    lengths = {
        f"{name}: {node.name}": (node.end_lineno or 0) - node.lineno + 1
        for name, node in nodes
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    assert {name: length for name, length in lengths.items() if length > LONGEST_FUNCTION} == {}


def test_no_folder_is_too_large(sources: dict[str, str]) -> None:
    folders: dict[Path, int] = defaultdict(int)
    for name in sources:
        folders[Path(name).parent] += 1
    assert {folder: files for folder, files in folders.items() if files > LARGEST_FOLDER} == {}


def test_no_class_name_stands_in_two_modules(nodes: list[tuple[str, ast.AST]]) -> None:
    modules: dict[str, set[str]] = defaultdict(set)
    for name, node in nodes:
        if isinstance(node, ast.ClassDef):
            modules[node.name].add(name)
    assert {name: found for name, found in modules.items() if len(found) > 1} == {}
