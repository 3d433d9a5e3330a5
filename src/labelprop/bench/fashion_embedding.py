"""The embedding of a `dlp` run on fashion_mnist, at images that the run held no label of."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch.nn import functional as F

from labelprop.api import load, train
from labelprop.bench.sets import fashion_mnist_labels, required
from labelprop.data.samples import open_samples
from labelprop.progress import Reporter

ROWS, PER_CLASS, SEED = 10_000, 20, 0  # of the run: the first training images, labels a class
BATCH = 500


def unlabeled_embedding(
    data: Path, out: Path, epochs: int | None, reporter: Reporter
) -> tuple[np.ndarray, np.ndarray]:
    """Unit feature vectors (N, D) and classes (N,) of the images that the run in `out` knew no label of.

    Trains the run, or continues it, if it is not finished. The classes are for drawing and scoring only.
    """
    out.mkdir(parents=True, exist_ok=True)
    images, given_L = _write_data(data, out)
    run = train(
        images,
        out / "labels.csv",
        recipe="dlp",
        model="small_cnn",
        out=out / "run",
        seed=SEED,
        resume=True,
        epochs=epochs,
        baselines=False,
        reporter=reporter,
    )
    saved = out / "embedding.npy"
    if not saved.exists():
        np.save(saved, _features(run.path, images))
    labels_N = fashion_mnist_labels(data, "train")[:ROWS]
    open_N = ~np.isin(np.arange(ROWS), given_L)
    return np.load(saved, allow_pickle=False)[open_N], labels_N[open_N]


def _write_data(data: Path, out: Path) -> tuple[Path, np.ndarray]:
    """images.parquet without labels and labels.csv for the run; returns the former and the rows given labels."""
    import pyarrow as pa
    import pyarrow.csv
    import pyarrow.parquet as pq

    source, images = required(data / "fashion_mnist" / "train.parquet"), out / "images.parquet"
    labels_N = fashion_mnist_labels(data, "train")[:ROWS]
    rng = np.random.default_rng(SEED)
    given_L = np.concatenate(
        [rng.choice(np.flatnonzero(labels_N == c), PER_CLASS, replace=False) for c in np.unique(labels_N)]
    )
    if not images.exists():
        partial = out / "images.partial"
        pq.write_table(pq.read_table(source, columns=["image"]).slice(0, ROWS), partial)
        partial.replace(images)
        pyarrow.csv.write_csv(pa.table({"id": given_L, "label": labels_N[given_L]}), out / "labels.csv")
    return images, given_L


@torch.no_grad()
def _features(run: Path, images: Path) -> np.ndarray:
    classifier, content = load(run).model, open_samples(images).content
    assert content is not None
    batches = [np.arange(start, min(start + BATCH, len(content))) for start in range(0, len(content), BATCH)]
    found = [
        classifier.network(classifier.preprocessing.apply(raw_B))["feature"] for raw_B in content.stream(batches)
    ]
    return F.normalize(torch.cat(found).float(), dim=1).numpy()
