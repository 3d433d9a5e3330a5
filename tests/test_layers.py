"""The rooms of the package: imports only point downward, and nowhere in a circle."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import labelprop

PACKAGE = Path(labelprop.__file__).parent

# A line a floor, the highest first. Rooms on one floor are siblings, without imports between them.
LAYERS = [
    ["__main__"],
    ["cli"],
    ["bench"],
    ["__init__"],
    ["runs", "testing"],
    ["report"],
    ["training"],
    ["methods", "evaluation"],
    ["propagators"],
    ["models", "data"],
    ["graph"],
    ["functional"],
    ["core"],
]
RANK = {name: rank for rank, names in enumerate(LAYERS) for name in names}
FORBIDDEN = {("training", "evaluation")}  # it may not see the truth of unlabeled examples
MOST_ENTRIES, MOST_LINES, MOST_LINES_A_FUNCTION = 20, 300, 60

FILES = sorted(PACKAGE.rglob("*.py"))


def module_of(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_of(path): path for path in FILES}


def room_of(module: str) -> str:
    """The room that a module stands in: the package itself, `labelprop`, is `__init__`."""
    return module.split(".")[1] if "." in module else "__init__"


def imports_of(path: Path) -> set[str]:
    """Modules of the package that a file imports, wherever in it the import stands; those for types count too."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                found.add(whole if whole in MODULES else node.module)
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return {name for name in found if name.split(".")[0] == "labelprop"} - {module_of(path)}


IMPORTS = {module: imports_of(path) for module, path in MODULES.items()}


@pytest.mark.parametrize("module", MODULES)
def test_imports_point_downward(module: str) -> None:
    own = room_of(module)
    assert own in RANK, f"{module} stands in no room; add its room to LAYERS"
    for other in {room_of(name) for name in IMPORTS[module]} - {own}:
        assert RANK[other] > RANK[own] or own == "__init__", f"{module} imports {other}, which does not lie below it"
        assert (own, other) not in FORBIDDEN


def test_no_module_imports_itself_by_way_of_others() -> None:
    done: set[str] = set()

    def visit(module: str, path: tuple[str, ...]) -> None:
        assert module not in path, f"a circle: {' -> '.join([*path[path.index(module) :], module])}"
        if module in done:
            return
        for other in IMPORTS.get(module, ()):
            visit(other, (*path, module))
        done.add(module)

    for module in MODULES:
        visit(module, ())


def test_rooms_are_few() -> None:
    entries = {path.name for path in PACKAGE.iterdir() if path.name != "__pycache__"}
    assert len(entries) <= MOST_ENTRIES


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_files_and_functions_are_short(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.count("\n") <= MOST_LINES
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert (node.end_lineno or 0) - node.lineno < MOST_LINES_A_FUNCTION, f"{node.name} is too long"


def test_relative_imports_are_not_used() -> None:
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            assert not (isinstance(node, ast.ImportFrom) and node.level), f"{path}: relative import"


def test_no_module_hides_a_public_function() -> None:
    modules = {path.stem for path in PACKAGE.glob("*.py")} | {
        path.name for path in PACKAGE.iterdir() if path.is_dir()
    }
    assert not modules & set(labelprop.__all__)
