"""A method of somebody else's package: an entry point is all it takes."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np

PACKAGE = Path(__file__).parents[2] / "examples" / "plugin"


def install(package: Path, target: Path) -> None:
    """What pip would leave of a package of single modules: these, its name and its entry points."""
    for module in package.glob("*.py"):
        (target / module.name).write_bytes(module.read_bytes())
    project = tomllib.loads((package / "pyproject.toml").read_text())["project"]
    described = target / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
    described.mkdir()
    named = f"Name: {project['name']}\nVersion: {project['version']}\n"
    (described / "METADATA").write_text(f"Metadata-Version: 2.1\n{named}")
    lines = []
    for group, points in project["entry-points"].items():
        lines += [f"[{group}]", *(f"{name} = {value}" for name, value in points.items())]
    (described / "entry_points.txt").write_text("\n".join(lines) + "\n")


def test_a_recipe_of_another_package_is_listed_checked_and_trained(tmp_path) -> None:
    install(PACKAGE, tmp_path)
    generator, classes = np.random.default_rng(0), np.arange(90) % 3
    np.save(tmp_path / "vectors.npy", (3 * np.eye(6)[classes] + generator.normal(size=(90, 6))).astype(np.float32))
    np.save(tmp_path / "labels.npy", np.where(np.arange(90) < 15, classes, -1))
    np.save(tmp_path / "truth.npy", classes)

    paths = os.pathsep.join([str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])])
    environment = os.environ | {"PYTHONPATH": paths}

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", "from labelprop.cli.main import main; main()", *arguments],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )

    assert "smoothed  Labels, smoothed." in run("methods").stdout.splitlines()
    asked = ("train", "vectors.npy", "--labels", "labels.npy", "--truth", "truth.npy", "--epochs", "5")
    done = run(*asked, "--recipe", "smoothed", "--set", "smoothing=0.2", "--out", "run")
    assert done.returncode == 0, done.stderr
    assert "smoothed 9" in done.stderr or "smoothed 8" in done.stderr, "its accuracy is told"
    misspelled = run(*asked, "--recipe", "smothed", "--out", "other")
    assert misspelled.returncode == 2
    assert "did you mean 'smoothed'?" in misspelled.stderr
    wrong = run(*asked, "--recipe", "smoothed", "--set", "smooth=1", "--out", "other")
    assert wrong.returncode == 2
    assert "did you mean 'smoothing'?" in wrong.stderr
    check = "import smoothed_labels as s, labelprop.testing as t; t.check_method(s.Smoothed)"
    checked = subprocess.run(
        [sys.executable, "-c", check],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stderr
