"""Messages for calls from Python speak of parameters, not of flags."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

import labelprop
from labelprop.core.errors import RequestError, UnknownNameError
from labelprop.runs.parameter_names import as_parameters

SOURCE = Path(labelprop.__file__).parent


@pytest.mark.parametrize(
    ("flags", "parameters"),
    [
        ("continue it with --resume, or --overwrite.", "continue it with resume=True, or overwrite=True."),
        ("--out runs/x exists already.", "out='runs/x' exists already."),
        ("--image-size 64, or --no-baselines", "image_size=64, or baselines=False"),
        ("(--set lr=...). --set view=strong.", "(settings={'lr': ...}). settings={'view': 'strong'}."),
        ("--set batch_size=64, say", "settings={'batch_size': 64}, say"),
        ("--recipe auto tries some; --budget 10min.", "recipe='auto' tries some; budget='10min'."),
        ("--epochs and --steps exclude each other", "epochs= and steps= exclude each other"),
        ("--test holds images; give --labels with a table.", "test= holds images; give labels= with a table."),
        ("--no-balance-seeds or --n-neighbors 10 (3 GB)", "balance_seeds=False or n_neighbors=10 (3 GB)"),
        ("--device gpux is not known; use --device cpu.", "device='gpux' is not known; use device='cpu'."),
        ("--init must name a run; --model excludes it", "init= must name a run; model= excludes it"),
        ("`labelprop train DATA --out r` makes one", "`labelprop train DATA --out r` makes one"),
        ("use `labelprop train`.", "use `labelprop.train(...)`."),
        ("`labelprop train ... --out r/x` makes one", "`labelprop.train(..., out='r/x')` makes one"),
        ("columns `a--b` -- and so on", "columns `a--b` -- and so on"),
    ],
)
def test_flags_become_parameters(flags: str, parameters: str) -> None:
    assert as_parameters(flags) == parameters
    assert as_parameters(parameters) == parameters


def test_no_message_of_the_package_keeps_a_flag() -> None:
    """Texts as they stand in the source, outside commands in backticks."""
    for path in SOURCE.rglob("*.py"):
        for text in re.findall(r'"([^"\n]*--[a-z][^"\n]*)"', path.read_text(encoding="utf-8")):
            said = re.sub(r"`labelprop [^`]*`", "", as_parameters(text))
            assert not re.search(r"(^|[ (])--[a-z]", said), f"{path.name}: {text}"


def test_errors_of_verbs_and_of_runs_keep_their_type_and_name_parameters(tmp_path: Path) -> None:
    X, y = np.eye(6, dtype=np.float32), [0, 1, -1, -1, -1, -1]
    with pytest.raises(UnknownNameError, match="did you mean 'lr'"):
        labelprop.train(X, y, out=tmp_path / "run", settings={"rate": 1}, quiet=True)
    (tmp_path / "run.json").write_text("{}")
    with pytest.raises(RequestError, match=r"resume=True, or replace it with overwrite=True"):
        labelprop.train(X, y, out=tmp_path, quiet=True)
    run = labelprop.propagate(X, y, out=tmp_path / "run", baselines=False, quiet=True)
    with pytest.raises(RequestError, match="holds no model"):
        run.predict(X, quiet=True)
    (tmp_path / "t.csv").write_text("id,text\na,x\na,y\n")
    assert any("id_col=" in finding.text for finding in labelprop.doctor(tmp_path / "t.csv"))
    assert not any("--" in finding.text for finding in labelprop.doctor(tmp_path / "t.csv"))
    assert labelprop.doctor(X, quiet=True) == labelprop.doctor(X)


def test_calls_print_what_the_command_does_unless_quiet(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    X, y = np.eye(6, dtype=np.float32), [0, 1, -1, -1, -1, -1]
    run = labelprop.propagate(X, y, out=tmp_path / "run", baselines=False)
    printed = capsys.readouterr()
    assert printed.out == ""
    lines = printed.err.splitlines()
    assert sum(line.startswith("plan: ") for line in lines) == 3
    assert lines[-1] == f"report: {run.report}"
    labelprop.propagate(X, y, out=tmp_path / "run", baselines=False, overwrite=True, quiet=True)
    assert capsys.readouterr() == ("", "")
