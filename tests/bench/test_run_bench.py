"""What a bench refuses before it makes a folder."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from labelprop.cli.main import app
from labelprop.core import registry


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (["recipes", "--splits", "0"], "--splits 0 must be above 0"),
        (["recipes", "--splits", "two"], "--splits two must be none or a whole number"),
        (["recipes", "--set", "splits=two"], "--set splits=two must be none or a whole number"),
        (["small", "--scale", "0"], "--scale 0.0 must be above 0"),
        (["small", "--scale", "nan"], "--scale nan must be above 0"),
        (["table5", "--subsets", "-1"], "--subsets -1 must be above 0"),
        (["paper-cifar10", "--set", "epochs=0"], "--epochs 0 must be above 0"),
        (["recipes", "--subsets", "3"], "--subsets is no flag of bench recipes; it is one of table5"),
    ],
)
def test_numbers_of_which_no_table_can_come_are_refused(asked: list[str], said: str, tmp_path: Path) -> None:
    out = tmp_path / "out"
    found = CliRunner().invoke(app, ["bench", *asked, "--data", str(tmp_path), "--out", str(out)])
    assert found.exit_code == 2
    assert said in found.output
    assert not out.exists()


def test_a_refused_bench_leaves_no_folder_in_the_way(tmp_path: Path) -> None:
    out = tmp_path / "out"
    command = ["bench", "recipes", "--data", str(tmp_path), "--out", str(out), "--sets", "banking77"]
    found = CliRunner().invoke(app, command)
    assert found.exit_code == 2
    assert "emb_minilm_train.f16.npy is missing" in found.output
    assert not out.exists()


def test_help_says_what_each_bench_measures() -> None:
    shown = " ".join(CliRunner().invoke(app, ["bench", "--help"]).output.split())
    for name, entry in registry.entries("benches").items():
        assert f"{name} {entry.summary}" in shown
