"""The network of a trained run gives vectors: of images, texts and vectors, by Python and by the command."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

import labelprop
from labelprop.cli.main import app
from labelprop.core.errors import RequestError
from labelprop.models.deployed import NearestVote
from patterns import write_patterns

QUICK: dict[str, Any] = {"recipe": "supervised", "steps": 3, "baselines": False, "quiet": True}
RNG = np.random.default_rng(0)
X = (3 * np.eye(5)[np.arange(40) % 2] + RNG.normal(size=(40, 5))).astype(np.float32)
Y = np.where(np.arange(40) < 8, np.arange(40) % 2, -1)


def unit(vectors_ND: np.ndarray) -> np.ndarray:
    return vectors_ND / np.linalg.norm(vectors_ND, axis=1, keepdims=True)


def outputs(run: labelprop.Run, raw: np.ndarray, name: str) -> np.ndarray:
    classifier = run.model
    with torch.no_grad():
        found = classifier.network(classifier.preprocessing.apply(torch.from_numpy(raw)))[name]
    return found.numpy()


def test_vectors_are_the_features_that_the_classifier_decides_by(tmp_path: Path) -> None:
    run = labelprop.train(X, Y, out=tmp_path / "run", report=False, **QUICK)
    found = run.embed(X, quiet=True)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, unit(outputs(run, X, "feature")), rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(labelprop.embed(X, backbone=run.path, quiet=True), found)
    np.testing.assert_array_equal(run.embed(X[:7], quiet=True), found[:7])
    with pytest.raises(RequestError, match=r"takes examples of shape \(5,\), these have \(4,\)"):
        run.embed(X[:, :4], quiet=True)
    with pytest.raises(RequestError, match="takes vectors"):
        run.embed(RNG.integers(0, 255, (4, 8, 8), dtype=np.uint8), quiet=True)


def test_a_vote_decides_by_the_embedding_of_its_head(tmp_path: Path) -> None:
    settings = {"batch_size": 12, "n_voters": 3, "dim": 4}
    run = labelprop.train(X, Y, out=tmp_path / "run", report=False, **QUICK | {"recipe": "ir"}, settings=settings)
    assert isinstance(run.model.network, NearestVote)
    np.testing.assert_allclose(run.embed(X, quiet=True), outputs(run, X, "embedding"), rtol=1e-5, atol=1e-6)


def test_images_are_read_in_the_size_of_the_run(tmp_path: Path) -> None:
    write_patterns(tmp_path / "patterns")
    run = labelprop.train(tmp_path / "patterns", out=tmp_path / "run", report=False, image_size=8, **QUICK)
    found = run.embed(tmp_path / "patterns", quiet=True)
    spread = labelprop.propagate(
        tmp_path / "patterns", out=tmp_path / "spread", report=False, backbone=run.path, baselines=False, quiet=True
    )
    assert spread.labels["id"] == run.labels["id"]
    with pytest.raises(RequestError, match="takes examples of shape"):
        labelprop.embed(tmp_path / "patterns", backbone=run.path, image_size=16, quiet=True)
    asked = ["embed", tmp_path / "patterns", "--backbone", run.path, "--out", tmp_path / "e.npy"]
    done = CliRunner().invoke(app, [*map(str, asked), "--ids", str(tmp_path / "ids.csv"), "--quiet"])
    assert done.exit_code == 0, done.stderr
    np.testing.assert_array_equal(np.load(tmp_path / "e.npy"), found)
    assert (tmp_path / "ids.csv").read_text().split()[1:] == run.labels["id"].to_pylist()


def test_texts_pass_through_what_the_run_learned_of_texts(tmp_path: Path) -> None:
    lines = [f"{i},the {('good', 'bad')[i % 2]} day {i},{('up', 'down')[i % 2] if i < 8 else ''}" for i in range(40)]
    (tmp_path / "t.csv").write_text("\n".join(["name,text,label", *lines]) + "\n")
    run = labelprop.train(
        tmp_path / "t.csv", out=tmp_path / "run", report=False, id_col="name", backbone="tf-idf", **QUICK
    )
    found = run.embed(tmp_path / "t.csv", quiet=True)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, rtol=1e-5)
    (tmp_path / "two.csv").write_text("\n".join(["name,text", "a,the good day 2", "b,the bad day 1"]) + "\n")
    np.testing.assert_allclose(run.embed(tmp_path / "two.csv", quiet=True), found[[2, 1]], rtol=1e-4, atol=1e-5)
    student = labelprop.train(tmp_path / "t.csv", out=tmp_path / "student", report=False, backbone=run.path, **QUICK)
    again = student.predict(tmp_path / "t.csv", quiet=True)
    predicted = [row["label"] for row in student.labels.to_pylist() if row["source"] == "predicted"]
    assert again["label"].to_pylist()[8:] == predicted


def test_an_object_as_backbone_of_the_run_is_brought_again(tmp_path: Path) -> None:
    run = labelprop.train(X, Y, out=tmp_path / "run", report=False, backbone=torch.nn.Flatten(), **QUICK)
    with pytest.raises(RequestError, match="pass backbone= with it"):
        run.embed(X, quiet=True)
    found = run.embed(X, backbone=torch.nn.Flatten(), quiet=True)
    np.testing.assert_allclose(found, unit(outputs(run, unit(X), "feature")), rtol=1e-4, atol=1e-5)


def test_another_backbone_than_that_of_the_run_is_refused(tmp_path: Path) -> None:
    torch.manual_seed(0)
    own = torch.nn.Linear(5, 4)
    run = labelprop.train(X, Y, out=tmp_path / "run", report=False, backbone=own, **QUICK)
    plain = labelprop.train(X, Y, out=tmp_path / "plain", report=False, **QUICK)
    for verb in ("embed", "predict"):
        assert len(getattr(run, verb)(X, backbone=own, quiet=True)) == 40
        with pytest.raises(RequestError, match="is not the backbone"):
            getattr(run, verb)(X, backbone=torch.nn.Linear(5, 4), quiet=True)
        with pytest.raises(RequestError, match="leave backbone= out"):
            getattr(plain, verb)(X, backbone=own, quiet=True)


def test_a_propagation_has_no_network(tmp_path: Path) -> None:
    run = labelprop.propagate(X, Y, out=tmp_path / "run", report=False, baselines=False, quiet=True)
    for use in (lambda: run.embed(X), lambda: labelprop.embed(X, backbone=run.path, quiet=True)):
        with pytest.raises(RequestError, match="holds no model"):
            use()
