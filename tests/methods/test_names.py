"""The names that `labelprop.methods` hands on to a file with a method and a recipe of one's own."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import labelprop.methods


def test_every_name_is_there_and_known_to_type_checkers() -> None:
    assert all(getattr(labelprop.methods, name) is not None for name in labelprop.methods.__all__)
    tree = ast.parse(Path(labelprop.methods.__file__).read_text())
    block = next(node for node in tree.body if isinstance(node, ast.If))
    typed = {alias.name: line.module for line in block.body for alias in line.names}
    assert typed == labelprop.methods._HOME


def test_a_file_that_only_makes_an_entry_imports_nothing_heavy() -> None:
    code = "import sys; from labelprop.methods import Entry; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
