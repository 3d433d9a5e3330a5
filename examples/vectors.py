"""Vectors and a few labels: the propagator as a scikit-learn estimator, then a trained classifier.

python examples/vectors.py
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
from sklearn.datasets import make_blobs

import labelprop as lp


def main() -> None:
    X, truth = make_blobs(n_samples=600, n_features=16, centers=4, cluster_std=4.0, random_state=0)
    X = X.astype(np.float32)
    given = np.concatenate([np.flatnonzero(truth == c)[:3] for c in range(4)])
    y = np.full(600, -1)
    y[given] = truth[given]
    hidden = y == -1

    estimator = lp.Diffusion(n_neighbors=15).fit(X, y)
    print(f"diffusion: {(estimator.transduction_ == truth)[hidden].mean():.1%} of {hidden.sum()} right")
    sure = hidden & (estimator.certainty_ > 0.9)
    print(f"the {sure.sum()} it is sure of: {(estimator.transduction_ == truth)[sure].mean():.1%} right")

    with tempfile.TemporaryDirectory() as folder:
        run = lp.train(X, y, truth=truth, out=Path(folder) / "run", epochs=5)
        print(
            f"dlp: {run.metrics['unlabeled']['accuracy']:.1%}, labels only {run.metrics['baseline']['unlabeled']:.1%}"
        )
        print(run.predict(X[:3]).to_pylist())


if __name__ == "__main__":
    main()
