"""The names that `labelprop.methods` hands on to a file with a method and a recipe of one's own."""

from __future__ import annotations

import subprocess
import sys

import labelprop.methods


def test_every_name_is_there() -> None:
    assert {"Method", "Sum", "LossTerms", "BatchSpec", "Phase", "Recipe", "recipe", "Entry"} <= {
        *dir(labelprop.methods)
    }
    assert all(getattr(labelprop.methods, name) is not None for name in labelprop.methods.__all__)


def test_a_file_that_only_makes_an_entry_imports_nothing_heavy() -> None:
    code = "import sys; from labelprop.methods import Entry; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
