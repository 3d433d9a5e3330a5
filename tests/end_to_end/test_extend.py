"""The four examples of docs/extend.md, installed as a package: listed, checked, and each used by a command."""

from __future__ import annotations

import json
from pathlib import Path
from zipfile import ZipFile

import numpy as np
import pytest

from installed import install, run_beside

PACKAGE = Path(__file__).parents[2] / "examples" / "extend"
EACH = """
import json, sys
from labelprop.cli.main import main
codes = []
for words in json.loads(sys.argv[1]):
    sys.argv = ["labelprop", *words]
    try:
        main()
        codes.append(0)
    except SystemExit as done:
        codes.append(done.code or 0)
print(json.dumps(codes))
"""
SHORT = ("--epochs", "1", "--no-baselines", "--no-report", "--quiet")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the package and some data of three classes."""
    folder = tmp_path_factory.mktemp("extend")
    install(PACKAGE, folder)
    generator, classes = np.random.default_rng(0), np.arange(90) % 3
    np.save(folder / "vectors.npy", (3 * np.eye(6)[classes] + generator.normal(size=(90, 6))).astype(np.float32))
    np.save(folder / "images.npy", generator.integers(0, 255, (90, 8, 8), dtype=np.uint8))
    np.save(folder / "y.npy", np.where(np.arange(90) < 15, classes, -1))
    words = ("good kind warm", "cold dark wet", "red round sweet")
    with ZipFile(folder / "notes.zip", "w") as archive:
        for row, label in enumerate(classes):
            where = f"{'abc'[label]}/" if row < 15 else ""
            archive.writestr(f"{where}{row}.txt", f"{words[label]} number {row}")
    return folder


def test_all_four_are_listed_and_pass_their_checks(folder: Path) -> None:
    listed = run_beside(folder, "methods").stdout
    assert "rounds (Rounds)  " in listed
    assert "rim  " in listed
    check = "import method as m, propagator as p, labelprop.testing as t\n"
    check += "t.check_method(m.InformationMaximization); t.check_propagator(p.Rounds)"
    checked = run_beside(folder, code=check)
    assert checked.returncode == 0, checked.stderr


VECTORS = ("vectors.npy", "--labels", "y.npy")
IMAGES = ("images.npy", "--labels", "y.npy")


def test_each_does_its_part_of_a_run(folder: Path) -> None:
    asked = {
        "rounds": ("propagate", *VECTORS, "--method", "rounds", "--rounds", "5", "--quiet"),
        "rim": ("train", *VECTORS, "--recipe", "rim", "--set", "weight=0.2", *SHORT),
        "zip": ("train", "notes.zip", *SHORT),
        "conv_mixer": ("train", *IMAGES, "--model", "conv_mixer(width=8, depth=1)", *SHORT),
    }
    codes, said = run_each(folder, [[*words, "--out", name] for name, words in asked.items()])
    assert codes == [0] * 4, said
    kept = {"rounds": '"rounds": 5', "rim": '"weight": 0.2', "zip": '"noun": "text"', "conv_mixer": '"width": 8'}
    for name, line in kept.items():
        assert line in (folder / name / "run.json").read_text()
        assert json.loads((folder / name / "metrics.json").read_text())["unlabeled"]["n"] == 75


def test_a_wrong_value_is_the_users_and_is_named(folder: Path) -> None:
    asked = [
        ("propagate", *VECTORS, "--method", "rounds", "--rounds", "0"),
        ("train", *VECTORS, "--recipe", "rim", "--set", "wieght=1"),
        ("train", "none.zip"),
        ("train", *IMAGES, "--model", "conv_mixer(widht=8)"),
    ]
    codes, said = run_each(folder, [[*words, "--out", "wrong"] for words in asked])
    assert codes == [2] * 4, said
    for part in ("rounds=0: must be a whole number >= 1", "'weight'", "none.zip", "'width'"):
        assert part in said


def run_each(folder: Path, commands: list[list[str]]) -> tuple[list[int], str]:
    """Exit statuses of commands that run one after the other in one process, and what they said on stderr."""
    done = run_beside(folder, json.dumps(commands), code=EACH)
    return json.loads(done.stdout.splitlines()[-1]), done.stderr
