"""The embedding of a `dlp` run on fashion_mnist, at images that the run held no label of."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch.nn import functional as F

from labelprop.bench.sets import fashion_mnist_labels, split_images
from labelprop.core.progress import Reporter
from labelprop.data.samples import open_samples
from labelprop.runs.verbs import load, train

ROWS, PER_CLASS, SEED = 10_000, 20, 0  # of the run: the first training images, labels a class
BATCH = 500


def unlabeled_embedding(
    data: Path, out: Path, epochs: int | None, reporter: Reporter
) -> tuple[np.ndarray, np.ndarray]:
    """Unit feature vectors (N, D) and classes (N,) of the images that the run in `out` knew no label of.

    Trains the run, or continues it, if it is not finished. The classes are for drawing and scoring only.
    """
    split = split_images(data, "fashion_mnist", out, ROWS, PER_CLASS, SEED)
    run = train(
        split.examples,
        split.labels,
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
        np.save(saved, _features(run.path, split.examples))
    labels_N, open_N = fashion_mnist_labels(data, "train")[:ROWS], split.labels_N < 0
    return np.load(saved, allow_pickle=False)[open_N], labels_N[open_N]


@torch.no_grad()
def _features(run: Path, images: Path) -> np.ndarray:
    classifier, content = load(run).model, open_samples(images).content
    assert content is not None
    batches = [np.arange(start, min(start + BATCH, len(content))) for start in range(0, len(content), BATCH)]
    found = [
        classifier.network(classifier.preprocessing.apply(raw_B))["feature"] for raw_B in content.stream(batches)
    ]
    return F.normalize(torch.cat(found).float(), dim=1).numpy()
