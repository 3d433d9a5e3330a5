"""The data sets that benches read: one folder a set under --data."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from labelprop.core.errors import RequestError
from labelprop.core.files import write_array, write_atomically, write_csv, write_parquet
from labelprop.core.types import UNLABELED


def banking77(data: Path) -> tuple[np.ndarray, np.ndarray]:
    """MiniLM embeddings (N, 384) float32 of unit length and classes (N,) of the training texts."""
    folder = data / "banking77"
    vectors_ND = np.load(required(folder / "emb_minilm_train.f16.npy"), allow_pickle=False).astype(np.float32)
    labels_N = np.load(required(folder / "labels_train.npy"), allow_pickle=False).astype(np.int64)
    return vectors_ND / np.linalg.norm(vectors_ND, axis=1, keepdims=True), labels_N


def fashion_mnist_labels(data: Path, split: str) -> np.ndarray:
    """Classes (N,) of the images of fashion_mnist/`split`.parquet."""
    import pyarrow.parquet as pq

    table = pq.read_table(required(data / "fashion_mnist" / f"{split}.parquet"), columns=["label"])
    return np.asarray(table.column("label").to_numpy(), dtype=np.int64)


@dataclass(frozen=True, slots=True, eq=False)
class Split:
    """Files of a training: examples without labels, the labels of a few, the truth of the others, a test set."""

    examples: Path
    labels: Path
    truth: Path
    test: Path
    labels_N: np.ndarray  # class numbers of the given rows, -1 elsewhere


def split_images(data: Path, name: str, out: Path, rows: int | None, per_class: int, seed: int) -> Split:
    """The first `rows` training images of a set (None: all), `per_class` labels a class drawn by `seed`, in `out`."""
    import pyarrow.parquet as pq

    source = required(data / name / "train.parquet")
    labels_N = np.asarray(pq.read_table(source, columns=["label"]).column("label").to_numpy())[:rows].astype(np.int64)
    given_N = draw_nested(labels_N, np.random.default_rng(seed)) < per_class
    split = Split(
        out / "images.parquet",
        out / "labels.csv",
        out / "truth.csv",
        data / name / "test.parquet",
        np.where(given_N, labels_N, UNLABELED),
    )
    out.mkdir(parents=True, exist_ok=True)
    images = pq.read_table(source, columns=["image"]).slice(0, rows)
    write_parquet(split.examples, images)
    names_C = _class_names(source, int(labels_N.max()) + 1)
    for path, chosen in ((split.labels, np.flatnonzero(given_N)), (split.truth, np.flatnonzero(~given_N))):
        write_csv(path, ["id", "label"], ([row, names_C[labels_N[row]]] for row in chosen))
    return split


def split_banking77(data: Path, *, out: Path, per_class: int, seed: int) -> Split:
    """The training texts' MiniLM vectors, `per_class` labels a class drawn by `seed`, as files in `out`."""
    folder, (vectors_ND, labels_N) = data / "banking77", banking77(data)
    given_N = draw_nested(labels_N, np.random.default_rng(seed)) < per_class
    test_ND = np.load(required(folder / "emb_minilm_test.f16.npy"), allow_pickle=False).astype(np.float32)
    test_N = np.load(required(folder / "labels_test.npy"), allow_pickle=False).astype(np.int64)
    split = Split(
        out / "vectors.npy",
        out / "labels.npy",
        out / "truth.npy",
        out / "test.npz",
        np.where(given_N, labels_N, UNLABELED),
    )
    out.mkdir(parents=True, exist_ok=True)
    arrays = ((split.examples, vectors_ND), (split.labels, split.labels_N), (split.truth, labels_N))
    for path, array in arrays:
        write_array(path, array)
    write_atomically(split.test, partial(_save_together, X=test_ND, y=test_N))
    return split


def _save_together(path: Path, **arrays: np.ndarray) -> None:
    with path.open("wb") as handle:
        np.savez(handle, **arrays)  # type: ignore[arg-type]


def _class_names(path: Path, n_classes: int) -> list[str]:
    """The names that the file's schema gives its classes, which readers of the file will use; else numbers."""
    import pyarrow.parquet as pq

    stored = (pq.read_schema(path).metadata or {}).get(b"class_names")
    return list(json.loads(stored)) if stored else [str(label) for label in range(n_classes)]


def required(path: Path) -> Path:
    """The path, if there is such a file. Raises RequestError that says what --data must hold."""
    if not path.is_file():
        raise RequestError(f"{path} is missing; --data must name a folder with {path.parent.name}/{path.name}.")
    return path


def draw_nested(labels_N: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """For each row its place (N,) in a random order within its class: rows of place < m are m seeds a class."""
    places_N = np.empty(len(labels_N), dtype=np.int64)
    for label in np.unique(labels_N):
        rows = np.flatnonzero(labels_N == label)
        places_N[rng.permutation(rows)] = np.arange(len(rows))
    return places_N
