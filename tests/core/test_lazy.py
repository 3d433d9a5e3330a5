"""Packages that hand on the names a plug-in needs: all there, and nothing heavy before it is used."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module

import pytest

HANDING_ON = ["labelprop.models", "labelprop.data.sources", "labelprop.methods", "labelprop.propagators"]


@pytest.mark.parametrize("package", [*HANDING_ON, "labelprop"])
def test_every_name_can_be_imported(package: str) -> None:
    module = import_module(package)
    assert dir(module) == sorted(module.__all__)
    for name in module.__all__:
        assert getattr(module, name) is not None
    with pytest.raises(AttributeError, match=f"module '{package}' has no attribute 'nothing'"):
        module.nothing  # noqa: B018


def test_a_file_that_makes_an_entry_imports_neither_torch_nor_numpy() -> None:
    code = f"import sys\n{''.join(f'from {package} import Entry; ' for package in HANDING_ON)}\n"
    code += "assert not {'torch', 'numpy'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
