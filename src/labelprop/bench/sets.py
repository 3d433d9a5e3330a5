"""The data sets that benches read: one folder a set under --data."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from labelprop.errors import RequestError


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
