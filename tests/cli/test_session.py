"""Errors as one line: whose code failed, and where."""

from __future__ import annotations

import contextlib
import os
import pty
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import EntryPoint
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

import labelprop
from labelprop.cli.main import app
from labelprop.cli.session import explain
from labelprop.core import registry
from labelprop.core.errors import RequestError
from labelprop.core.text import parse_value

PLUGIN = """
from labelprop.core.entry import Entry
from labelprop.core.text import parse_value

entry = Entry("odd_plugin:make", "Odd.", {"x": 1})

def make(x):
    return 1 / x

def by_ours(x):
    return parse_value("x", None, True)
"""


@pytest.fixture
def plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A package that adds a recipe, as pip would leave it."""
    (tmp_path / "odd_plugin.py").write_text(PLUGIN)
    monkeypatch.syspath_prepend(tmp_path)
    points = [EntryPoint("odd", "odd_plugin:entry", "labelprop.recipes")]
    monkeypatch.setattr(registry, "entry_points", lambda group: points if group == "labelprop.recipes" else [])
    registry._installed.cache_clear()
    yield tmp_path / "odd_plugin.py"
    registry._installed.cache_clear()
    sys.modules.pop("odd_plugin", None)


def said_of(call) -> str:
    with pytest.raises(Exception) as raised:
        call()
    return explain(raised.value)


def test_an_error_of_a_package_names_its_file_and_line(plugin: Path) -> None:
    make = registry.lookup("recipes", "odd").load()
    said = said_of(lambda: make(0))
    assert said.startswith(f"recipe 'odd' of an unknown package: {plugin}:8: ZeroDivisionError: ")
    assert "this is a bug" not in said


def test_what_a_package_calls_wrongly_is_its_line_too(plugin: Path) -> None:
    registry.entries("recipes")
    assert f"{plugin}:11: AttributeError: " in said_of(lambda: sys.modules["odd_plugin"].by_ours(0))


def test_an_error_of_ours_is_a_bug(plugin: Path) -> None:
    assert "this is a bug" in said_of(lambda: parse_value("x", None, True))


@pytest.mark.parametrize(
    ("typed", "go_on"),
    [
        (["train", "my data", "--out", "r", "--overwrite"], "labelprop train 'my data' --out r --resume"),
        (["train", "d", "--out", "r", "--resume"], "labelprop train d --out r --resume"),
        (["bench", "small", "--data", "d"], "labelprop bench small --data d"),
        (["predict", "r", "d", "--out", "f.csv"], None),
    ],
)
def test_an_interruption_says_the_command_that_goes_on(
    typed: list[str], go_on: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["labelprop", *typed])
    said = explain(KeyboardInterrupt())
    assert said.endswith(go_on) if go_on else "labelprop" not in said


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["train", "d", "--out", "r", "--label", "l.csv"], "did you mean --labels?"),
        (["propagate", "d", "--out", "r", "--sede", "3"], "did you mean --seed?"),
        (
            ["train", "d", "--out", "r", "--epochs", "many"],
            "Invalid value for '--epochs': 'many' is not a whole number",
        ),
        (["propagate", "d", "--out", "r", "--alpha", "much"], "'--alpha': 'much' is not a number"),
        (["propagate", "d", "--out", "r", "--n-neighbors", "2.5"], "'--n-neighbors': '2.5' is not a whole number"),
    ],
)
def test_a_wrong_flag_is_told_with_the_nearest_and_a_wrong_number_with_its_text(
    arguments: list[str], said: str
) -> None:
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 2
    assert said in done.stderr
    assert not Path("r").exists()


@pytest.mark.parametrize("command", [["report"], ["predict", "new.npy", "--out", "found.csv"]])
def test_a_command_names_flags_where_python_names_parameters(command: list[str], tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text('{"status": "running"}')
    verb, *rest = command
    done = CliRunner().invoke(app, [verb, str(tmp_path), *rest])
    assert done.exit_code == 2
    assert "finish it with --resume" in done.stderr
    with pytest.raises(RequestError, match="finish it with resume=True"):
        labelprop.load(tmp_path)


def test_on_a_terminal_too_results_are_the_whole_of_stdout(tmp_path: Path) -> None:
    np.save(tmp_path / "X.npy", np.random.default_rng(0).normal(size=(30, 4)).astype(np.float32))
    np.save(tmp_path / "y.npy", np.arange(30) % 2)
    for command, said in (
        (["doctor", "X.npy", "--labels", "y.npy"], "30 vectors of 4 dimensions"),
        (
            [
                "propagate",
                "X.npy",
                "--labels",
                "y.npy",
                "--out",
                "run",
                "--method",
                "diffusion",
                "--n-neighbors",
                "5",
            ],
            "report: run/report.html",
        ),
    ):
        terminal, stderr = pty.openpty()
        program = subprocess.Popen(
            [sys.executable, "-m", "labelprop", *command],
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
        )
        os.close(stderr)
        with contextlib.suppress(OSError):  # how a terminal ends
            while os.read(terminal, 4096):
                pass
        os.close(terminal)
        stdout, _ = program.communicate()
        assert program.returncode == 0
        assert said in stdout
        assert "\x1b" not in stdout
