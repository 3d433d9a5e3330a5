"""Trained methods on data that are smaller, poorer or odder than their settings expect."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import labelprop
from labelprop.core import registry
from labelprop.core.errors import NonFiniteLossError, RequestError, WorkError
from labelprop.core.progress import Silent
from served import examples_for, pictures

NEEDS_A_RUN = {"linear-readout"}
RECIPES = sorted(set(registry.entries("recipes")) - NEEDS_A_RUN)


def blobs(n: int, n_given: int, n_classes: int = 3) -> tuple[np.ndarray, np.ndarray]:
    classes = np.arange(n) % n_classes
    vectors = 3 * np.eye(6)[classes] + np.random.default_rng(0).normal(size=(n, 6))
    return vectors.astype(np.float32), np.where(np.arange(n) < n_given, classes, -1)


@pytest.mark.parametrize("recipe", RECIPES)
def test_fewer_rows_and_labels_than_any_setting_asks_for(recipe: str, tmp_path) -> None:
    """4 labels for a labeled batch of 50, 20 rows for K = 50, T = 25 and 4,096 neighbors, with default settings."""
    vectors_ND, y_N = blobs(20, 4)
    data = examples_for(recipe, vectors_ND)
    run = labelprop.train(data, y_N, out=tmp_path / "run", recipe=recipe, epochs=2, baselines=False, report=False)
    certainty_N = run.labels.column("certainty").to_numpy()
    assert np.isfinite(certainty_N).all()
    assert run.labels.column("label").null_count == 0
    assert np.isfinite(run.labels.column("margin").to_numpy()).all()


def test_a_row_that_was_never_drawn_has_no_pseudo_label_and_no_weight(tmp_path) -> None:
    vectors_ND, y_N = blobs(400, 12)
    settings = {"batch_size": 300, "labeled_batch_size": 12, "dim": 8}  # one step: 300 of 400 rows are seen
    run = labelprop.train(
        vectors_ND,
        y_N,
        out=tmp_path / "run",
        recipe="llp",
        epochs=1,
        baselines=False,
        report=False,
        settings=settings,
    )
    pseudo = labelprop.core.run_folder.RunFolder(run.path).read_table("pseudo_labels.parquet").to_pydict()
    missing = [row for row, label in enumerate(pseudo["label"]) if label is None]
    assert 0 < len(missing) <= 100
    assert all(y_N[row] < 0 and pseudo["weight"][row] == 0 and pseudo["certainty"][row] == 0 for row in missing)
    assert run.labels.column("label").null_count == 0, "the classifier labels them all the same"


def test_a_class_without_any_pseudo_label_keeps_weights_finite(tmp_path) -> None:
    vectors_ND, y_N = blobs(60, 12)
    y_N = np.where(y_N == 2, -1, y_N)
    y_N[2] = 2
    vectors_ND[2] = 1e3  # far from everything: nothing is labeled like it
    settings = {"batch_size": 12, "labeled_batch_size": 6, "n_neighbors": 5}
    for recipe in ("dlp", "network-prediction", "mt+dlp"):
        known = registry.parameters("recipes", recipe)
        own = {name: value for name, value in settings.items() if name in known}
        run = labelprop.train(
            vectors_ND,
            y_N,
            out=tmp_path / recipe,
            recipe=recipe,
            epochs=2,
            baselines=False,
            report=False,
            settings=own,
        )
        table = labelprop.core.run_folder.RunFolder(run.path).read_table("pseudo_labels.parquet")
        assert np.isfinite(table.column("weight").to_numpy()).all()


@pytest.mark.parametrize("recipe", ["llp", "mt+dlp", "la"])
def test_a_loss_that_is_not_finite_says_so_and_leaves_the_run_resumable(recipe: str, tmp_path) -> None:
    vectors_ND, y_N = blobs(60, 12)
    with pytest.raises(NonFiniteLossError, match=r"is not finite.*settings={'lr'"):
        labelprop.train(
            vectors_ND * np.float32(1e3),
            y_N,
            out=tmp_path / "run",
            recipe=recipe,
            epochs=20,
            baselines=False,
            report=False,
            settings={"lr": 1e30},
        )
    assert not labelprop.core.run_folder.RunFolder(tmp_path / "run").finished


def test_dmt_finds_its_labels_by_a_cut_or_by_a_vote(tmp_path) -> None:
    vectors_ND, y_N = blobs(90, 12)
    found = []
    for source in ("spectral-cut", "knn"):
        settings = {"source": source, "batch_size": 30, "weighted": True}
        run = labelprop.train(
            vectors_ND,
            y_N,
            out=tmp_path / source,
            recipe="dmt",
            epochs=30,
            baselines=False,
            report=False,
            settings=settings,
        )
        found.append(labelprop.core.run_folder.RunFolder(run.path).read_table("pseudo_labels.parquet").to_pydict())
        labels_N = run.labels.column("label").to_pylist()
        assert np.mean([int(label) == row % 3 for row, label in enumerate(labels_N)]) > 0.7
    assert found[0]["certainty"] != found[1]["certainty"]
    with pytest.raises(RequestError, match=r"unknown source .vote.\. Known: knn, spectral-cut"):
        labelprop.train(vectors_ND, y_N, out=tmp_path / "no", recipe="dmt", settings={"source": "vote"})


@pytest.mark.parametrize("recipe", ["supervised", "ir", "dmt", "pseudo-label"])
def test_a_batch_of_one_vector_says_what_to_change(recipe: str, tmp_path) -> None:
    """Batch normalization measures a batch; torch's own message names a tensor's size."""
    vectors_ND, y_N = blobs(20, 4)
    with pytest.raises(RequestError, match="batch_size"):
        labelprop.train(vectors_ND, y_N, out=tmp_path / "run", recipe=recipe, epochs=1, settings={"batch_size": 1})


def test_a_batch_of_one_image_trains(tmp_path) -> None:
    """Of an image batch normalization sees many pixels."""
    vectors_ND, y_N = blobs(20, 4)
    run = labelprop.train(
        pictures(vectors_ND),
        y_N,
        out=tmp_path / "run",
        recipe="supervised",
        epochs=1,
        settings={"batch_size": 1},
    )
    assert run.labels.column("label").null_count == 0


def test_without_unlabeled_examples_any_recipe_is_supervised_and_says_so(tmp_path) -> None:
    vectors_ND, y_N = blobs(20, 20)
    said = []

    class Heard(Silent):
        def say(self, text: str) -> None:
            said.append(text)

    run = labelprop.train(vectors_ND, y_N, out=tmp_path / "run", recipe="fixmatch", epochs=1, reporter=Heard())
    assert run.metrics["recipe"] == "supervised"
    assert any("nothing to propagate to, so this trains recipe supervised" in text for text in said)


@pytest.mark.parametrize("recipe", ["supervised", "mean-teacher", "dlp", "ir"])
def test_divergence_in_the_last_step_is_that_and_nothing_is_written(recipe: str, tmp_path) -> None:
    """The loss before the step is fine; what the step makes of the network is not."""
    vectors_ND, y_N = blobs(60, 12)
    with pytest.raises(NonFiniteLossError, match=r"is not finite.*settings={'lr'"):
        labelprop.train(
            vectors_ND,
            y_N,
            out=tmp_path / "run",
            recipe=recipe,
            steps=1,
            baselines=False,
            report=False,
            settings={"lr": 1e38},
        )
    assert not (tmp_path / "run" / "labels.parquet").exists()


def test_a_loss_that_climbs_without_end_stops_the_training(tmp_path) -> None:
    vectors_ND, y_N = blobs(60, 12)
    with pytest.raises(NonFiniteLossError, match=r"the loss is above 100,000 at step \d+.*settings={'lr'"):
        labelprop.train(
            vectors_ND,
            y_N,
            out=tmp_path / "run",
            recipe="supervised",
            epochs=20,
            baselines=False,
            report=False,
            settings={"lr": 1e6, "weight_decay": 0, "l2_feature": False},
        )


def test_a_gpu_out_of_memory_names_what_to_lower(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    from labelprop.training.phase_run import PhaseRun

    def step(*_: object) -> float:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")

    monkeypatch.setattr(PhaseRun, "_step", step)
    vectors_ND, y_N = blobs(60, 12)
    with pytest.raises(WorkError, match=r"GPU is out of memory: lower the batch \(settings={'batch_size'"):
        labelprop.train(vectors_ND, y_N, out=tmp_path / "run", epochs=1)


def test_impossible_settings_are_refused_before_anything_is_read(tmp_path) -> None:
    (unreadable := tmp_path / "x.npy").write_bytes(b"no array")
    for recipe, name in (("dlp", "alpha"), ("mt+dlp", "alpha"), ("llp", "n_density")):
        with pytest.raises(RequestError, match=f"{name}=-1"):
            labelprop.train(unreadable, out=tmp_path / "run", recipe=recipe, settings={name: -1})
    assert not (tmp_path / "run").exists()


def test_what_is_missing_is_said_before_the_data_are_read(tmp_path) -> None:
    """A large folder takes minutes to read."""
    unread, out = tmp_path / "unread.npy", tmp_path / "run"
    unread.write_bytes(b"no array")
    for options, said in (
        ({"labels": tmp_path / "no.csv"}, r"no file '.*no\.csv'. Check the path of the labels"),
        ({"truth": tmp_path / "no.csv"}, r"no file '.*no\.csv'. Check the path of the truth"),
        ({"init": tmp_path / "run0"}, "run0 holds no model; init= must name a finished run"),
    ):
        with pytest.raises(RequestError, match=said):
            labelprop.train(unread, out=out, **options)


def test_a_test_set_without_labels_says_where_they_go(tmp_path) -> None:
    vectors_ND, y_N = blobs(30, 12)
    np.save(tmp_path / "more.npy", vectors_ND)
    with pytest.raises(RequestError, match=r"^test= has no labels to score by"):
        labelprop.train(vectors_ND, y_N, test=tmp_path / "more.npy", out=tmp_path / "run")


def test_a_truth_of_some_rows_is_said_to_be_of_some(tmp_path) -> None:
    vectors_ND, y_N = blobs(60, 12)
    said = []

    class Heard(Silent):
        def say(self, text: str) -> None:
            said.append(text)

    truth = np.where(np.arange(60) < 22, np.arange(60) % 3, -1)
    options = {"recipe": "supervised", "epochs": 1, "settings": {"batch_size": 12}, "reporter": Heard()}
    run = labelprop.train(vectors_ND, y_N, truth=truth, out=tmp_path / "run", **options)
    assert any("accuracy on the 10 unlabeled examples (of 48) with a truth: supervised" in text for text in said)
    assert run.metrics["unlabeled"]["scored"] == 10
