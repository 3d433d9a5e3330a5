"""What is said of examples, and what is refused before anything is: those of a kind that a model does not take."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

import labelprop
from labelprop.cli.main import app
from labelprop.core.errors import RequestError
from labelprop.runs import backbones, design


class Said:
    """A reporter that keeps what is said."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, text: str) -> None:
        self.lines.append(text)

    def advance(self, stage: str, done: float, total: float) -> None:
        """Nothing."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`texts.csv`, `photos/` of 40 pixels, `x.npy`, and `run`, which was trained on vectors."""
    base = tmp_path_factory.mktemp("kinds")
    lines = [f"{row},{'good' if row % 2 else 'bad'} text {row},{'ab'[row % 2]}" for row in range(8)]
    (base / "texts.csv").write_text("\n".join(["id,text,label", *lines, "8,a text,"]))
    (base / "photos" / "cat").mkdir(parents=True)
    rng = np.random.default_rng(0)
    for number in range(4):
        path = base / "photos" / ("cat" if number else "") / f"{number}.png"
        Image.fromarray(rng.integers(0, 256, (40, 40, 3), dtype=np.uint8)).save(path)
    X = rng.normal(size=(20, 3)).astype(np.float32)
    np.save(base / "x.npy", X)
    np.savez(base / "test.npz", X=X, y=np.arange(20) % 2)
    options: dict[str, Any] = {"recipe": "supervised", "steps": 1, "baselines": False, "report": False}
    labelprop.train(X, np.arange(20) % 2, out=base / "run", quiet=True, **options)
    return base


@pytest.mark.parametrize(
    ("verb", "data", "options"),
    [
        ("train", "texts.csv", {"backbone": "photos"}),
        ("train", "photos", {"backbone": "tf-idf"}),
        ("train", "photos", {"backbone": "text"}),
        ("train", "texts.csv", {"init": "run"}),
        ("propagate", "texts.csv", {"backbone": "photos"}),
        ("propagate", "x.npy", {"backbone": "photos"}),
        ("embed", "texts.csv", {"backbone": "photos"}),
        ("embed", "photos", {"backbone": "text"}),
        ("embed", "x.npy", {"backbone": "tf-idf"}),
        ("embed", "texts.csv", {"backbone": "run"}),
        ("predict", "photos", {}),
        ("predict", "texts.csv", {}),
    ],
)
def test_nothing_is_said_or_opened_before_a_wrong_kind_is_refused(
    folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, verb: str, data: str, options: dict[str, Any]
) -> None:
    monkeypatch.chdir(folder)
    monkeypatch.setattr("labelprop.runs.checks.find_weights", lambda name: Path())  # whether or not it is installed
    monkeypatch.setattr(backbones.Named, "backbone", property(lambda self: pytest.fail(f"{self.name} was opened")))
    said = Said()
    first = ("run", data) if verb == "predict" else (data,)
    out = {"out": tmp_path / "out"} if verb in ("train", "propagate") else {}
    with pytest.raises(RequestError, match=r"holds (texts|images|vectors), but .* takes "):
        getattr(labelprop, verb)(*first, **options, **out, reporter=said)
    assert said.lines == []
    assert not (tmp_path / "out").exists()


def test_a_test_set_of_another_kind_is_refused_before_the_examples_are_embedded(
    folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(design, "embed_samples", lambda *_, **__: pytest.fail("embedded"))
    with pytest.raises(RequestError, match=r"test=? holds vectors|holds vectors, but"):
        labelprop.train(
            folder / "texts.csv", backbone="tf-idf", test=folder / "test.npz", out=tmp_path / "out", quiet=True
        )


def test_one_example_is_counted_in_the_singular(folder: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "one.npy", np.ones((1, 3), np.float32))
    np.save(tmp_path / "thin.npy", np.ones((1, 1), np.float32))
    run, one = str(folder / "run"), str(tmp_path / "one.npy")
    for said, command in {
        "1 prediction: ": ["predict", run, one, "--out", str(tmp_path / "found.csv")],
        "1 vector of ": ["embed", one, "--backbone", run, "--out", str(tmp_path / "emb.npy")],
        "1 vector of 1 dimension;": ["doctor", str(tmp_path / "thin.npy")],
    }.items():
        done = CliRunner().invoke(app, command)
        assert said in done.stdout, done.output
        assert not done.exception or "doctor" in command
