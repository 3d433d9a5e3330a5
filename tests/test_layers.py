"""Imports only point downward: each layer may import those below it and its siblings, without a cycle."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import labelprop

PACKAGE = Path(labelprop.__file__).parent

# Highest first; names on one line are siblings. A name stands for a module or for a folder.
LAYERS = [
    ["__main__"],
    ["cli"],
    ["cli_flags", "cli_session", "cli_methods"],
    ["demo", "bench"],
    ["api"],
    ["api_run", "api_train", "api_propagate"],
    ["api_race"],
    ["api_propagated", "api_plan", "api_record"],
    ["api_results", "api_prepare"],
    ["design", "inputs", "baselines", "forecast"],
    ["pace"],
    ["report", "export", "outputs", "selection", "testing"],
    ["evaluation"],
    ["training"],
    ["methods"],
    ["propagators"],
    ["embedding"],
    ["models", "data"],
    ["graph", "neighbors"],
    ["seeds"],
    ["distributed"],
    ["run_folder", "cache", "table_files", "memory", "progress"],
    ["clock"],
    ["functional"],
    ["registry", "registry_recipes", "registry_entry", "types", "errors"],
]
RANK = {name: rank for rank, names in enumerate(LAYERS) for name in names}
FORBIDDEN = {
    ("training", "evaluation"),
    ("methods", "evaluation"),
    ("data", "evaluation"),
    ("propagators", "evaluation"),
}


def part_of(path: Path) -> str:
    """The layer's name that a file belongs to."""
    name = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    return "testing" if name.startswith("_check_") else name


def imports_of(path: Path) -> set[str]:
    """Layers that a file imports, wherever in it the import stands; type-checking imports count too."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            names = (
                [f"{node.module}.{alias.name}" for alias in node.names]
                if node.module == "labelprop"
                else [node.module]
            )
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        else:
            continue
        found |= {name.split(".")[1] for name in names if name.startswith("labelprop.")}
    return {"testing" if name.startswith("_check_") else name for name in found}


FILES = sorted(path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py")


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_point_downward(path: Path) -> None:
    own = part_of(path)
    assert own in RANK, f"{path.name} belongs to no layer; add it to LAYERS"
    for other in imports_of(path) - {own, "__version__"}:
        assert RANK[other] >= RANK[own], f"{own} imports {other}, which lies above it"
        assert (own, other) not in FORBIDDEN


def test_siblings_have_no_cycle() -> None:
    edges = {(part_of(path), other) for path in FILES for other in imports_of(path) if other != part_of(path)}
    for names in LAYERS:
        for a in names:
            for b in names:
                assert not ({(a, b), (b, a)} <= edges), f"{a} and {b} import each other"


def test_relative_imports_are_not_used() -> None:
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            assert not (isinstance(node, ast.ImportFrom) and node.level), f"{path}: relative import"


def test_no_module_hides_a_public_function() -> None:
    modules = {path.stem for path in PACKAGE.glob("*.py")} | {
        path.name for path in PACKAGE.iterdir() if path.is_dir()
    }
    assert not modules & set(labelprop.__all__)
