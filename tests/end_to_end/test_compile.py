"""`--compile`: the same training, its passes compiled."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

import labelprop


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning:torch")  # torch's compiler uses what torch deprecates
@pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile needs a C++ compiler on a CPU")
def test_a_compiled_run_learns_the_same_and_loads_as_any_other(tmp_path) -> None:
    classes = np.arange(90) % 3
    vectors = 3 * np.eye(6)[classes] + np.random.default_rng(0).normal(size=(90, 6))
    data = vectors.astype(np.float32), np.where(np.arange(90) < 12, classes, -1)
    settings = {"batch_size": 12, "labeled_batch_size": 6, "n_neighbors": 5}
    # Compiled dropout draws other numbers: without it both runs see the same.
    options = {"epochs": 1, "baselines": False, "settings": settings, "model": "mlp(dropout=0)"}
    plain = labelprop.train(*data, out=tmp_path / "plain", report=False, **options)
    compiled = labelprop.train(*data, out=tmp_path / "compiled", report=False, compile=True, **options)
    history = [labelprop.core.run_folder.RunFolder(run.path).history() for run in (plain, compiled)]
    first = [[line["loss"] for line in lines][:3] for lines in history]
    assert first[1] == pytest.approx(first[0], rel=1e-3)
    assert labelprop.load(compiled.path).predict(data[0]).num_rows == 90
