"""Which rows are followed, and the files that keep them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file

from labelprop.core.errors import StorageError
from labelprop.core.types import Snapshot
from labelprop.evaluation.monitor import Monitor
from labelprop.evaluation.snapshots import FollowedRows, VectorWriter, choose_followed
from labelprop.evaluation.truth import HeldBackTruth


def labeled(codes_N: np.ndarray, every: int) -> np.ndarray:
    """Each `every`-th row of the codes as a given label."""
    return np.where(np.arange(len(codes_N)) % every == 0, codes_N, -1)


def test_at_most_a_hundred_of_five_classes_given_rows_among_them() -> None:
    codes = np.arange(4000) % 8
    given = labeled(codes, 27)
    chosen = choose_followed(codes, given, 8, seed=0)
    counts = np.bincount(codes[chosen.of_classes_S], minlength=8)
    assert sorted(counts.tolist()) == [0, 0, 0, 100, 100, 100, 100, 100]
    followed = np.flatnonzero(counts)
    rows = np.flatnonzero((given >= 0) & np.isin(codes, followed))
    assert np.isin(rows, chosen.of_classes_S).all()
    assert len(np.unique(chosen.of_classes_S)) == 500


def test_more_given_rows_than_room_are_a_sample_of_them() -> None:
    codes = np.zeros(900, int)
    chosen = choose_followed(codes, labeled(codes, 2), 1, seed=0)
    assert len(chosen.of_classes_S) == 100
    assert (chosen.of_classes_S % 2 == 0).all()


def test_the_one_class_is_the_most_numerous_and_of_equals_the_first() -> None:
    codes = np.repeat([0, 1, 2, -1, -2], [5, 9, 9, 50, 50])
    chosen = choose_followed(codes, np.full(123, -1), 3, seed=1)
    assert chosen.of_one_S.tolist() == list(range(5, 14))
    assert sorted(np.unique(codes[chosen.of_classes_S])) == [0, 1, 2], "rows without a known class are not chosen"
    assert len(choose_followed(np.zeros(2000, int), np.full(2000, -1), 1, seed=0).of_one_S) == 700


def test_the_seed_decides_the_choice() -> None:
    codes = np.arange(4000) % 20
    same = [choose_followed(codes, labeled(codes, 50), 20, seed) for seed in (3, 3, 4)]
    assert same[0].of_classes_S.tolist() == same[1].of_classes_S.tolist()
    assert same[0].of_classes_S.tolist() != same[2].of_classes_S.tolist()


def test_nothing_known_chooses_nothing() -> None:
    chosen = choose_followed(np.full(9, -1), np.full(9, -1), 2, seed=0)
    assert len(chosen.of_classes_S) == len(chosen.of_one_S) == 0


def test_a_look_is_a_file_named_by_its_step_and_written_again_it_is_the_same(tmp_path) -> None:
    vectors = np.linspace(-1, 1, 40, dtype=np.float32).reshape(10, 4)
    keeper = VectorWriter(tmp_path / "analyses", FollowedRows(np.array([1, 3]), np.array([3, 4, 5])))
    keeper.keep(120, vectors)
    path = tmp_path / "analyses" / "000000120.safetensors"
    before = path.read_bytes()
    found = load_file(path)
    assert found["rows_of_classes"].tolist() == [1, 3]
    assert found["vectors_of_classes"].dtype == np.float16
    assert np.allclose(found["vectors_of_one"], vectors[[3, 4, 5]], atol=1e-3)
    keeper.keep(120, vectors)
    assert path.read_bytes() == before
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


def test_a_folder_that_cannot_be_made_is_named(tmp_path) -> None:
    (tmp_path / "analyses").write_text("in the way")
    with pytest.raises(StorageError, match="analyses"):
        VectorWriter(tmp_path / "analyses", FollowedRows(np.array([0]), np.array([0]))).keep(
            1, np.ones((1, 2), np.float32)
        )


def test_the_monitor_keeps_only_what_it_asked_for(tmp_path) -> None:
    truth = HeldBackTruth.of(["a", "b", "b", "a"], ("a", "b"), np.array([True, False, False, False]))
    keeper = VectorWriter(tmp_path, FollowedRows(np.array([0, 1]), np.array([1, 2])))
    monitor = Monitor(truth, np.array([0, -1, -1, -1]), 2, keeper)
    vectors = torch.eye(4)
    numbers = monitor(1, Snapshot(embeddings=vectors, step=10))
    assert numbers == monitor(2, Snapshot(embeddings=vectors, step=20, wanted=True)), "keeping changes no number"
    monitor(3, Snapshot(step=30, wanted=True))
    assert [path.name for path in tmp_path.iterdir()] == ["000000020.safetensors"]
