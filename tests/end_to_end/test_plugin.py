"""A method of somebody else's package: an entry point is all it takes."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from installed import install, run_beside

PACKAGE = Path(__file__).parents[2] / "examples" / "plugin"


def test_a_recipe_of_another_package_is_listed_checked_and_trained(tmp_path) -> None:
    install(PACKAGE, tmp_path)
    generator, classes = np.random.default_rng(0), np.arange(90) % 3
    np.save(tmp_path / "vectors.npy", (3 * np.eye(6)[classes] + generator.normal(size=(90, 6))).astype(np.float32))
    np.save(tmp_path / "labels.npy", np.where(np.arange(90) < 15, classes, -1))
    np.save(tmp_path / "truth.npy", classes)

    assert "smoothed  Labels, smoothed." in run_beside(tmp_path, "methods").stdout.splitlines()
    asked = ("train", "vectors.npy", "--labels", "labels.npy", "--truth", "truth.npy", "--epochs", "5")
    done = run_beside(tmp_path, *asked, "--recipe", "smoothed", "--set", "smoothing=0.2", "--out", "run")
    assert done.returncode == 0, done.stderr
    assert "smoothed 9" in done.stderr or "smoothed 8" in done.stderr, "its accuracy is told"
    misspelled = run_beside(tmp_path, *asked, "--recipe", "smothed", "--out", "other")
    assert misspelled.returncode == 2
    assert "did you mean 'smoothed'?" in misspelled.stderr
    wrong = run_beside(tmp_path, *asked, "--recipe", "smoothed", "--set", "smooth=1", "--out", "other")
    assert wrong.returncode == 2
    assert "did you mean 'smoothing'?" in wrong.stderr
    check = "import smoothed_labels as s, labelprop.testing as t; t.check_method(s.Smoothed)"
    checked = run_beside(tmp_path, code=check)
    assert checked.returncode == 0, checked.stderr
