"""scikit-learn's label spreading with one import changed, and what the fitted object then also tells.

python examples/drop_in.py
"""

from __future__ import annotations

import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV
from sklearn.semi_supervised import LabelSpreading as TheirLabelSpreading

from labelprop import AutoPropagation, LabelSpreading, Poisson, SeedKFold


def main() -> None:
    X, truth = load_digits(return_X_y=True)
    X = X.astype(np.float32)
    given = np.concatenate([np.flatnonzero(truth == digit)[:3] for digit in range(10)])
    y = np.full(len(truth), -1)
    y[given] = truth[given]
    hidden = y == -1

    theirs = TheirLabelSpreading(kernel="knn", n_neighbors=10, alpha=0.2).fit(X, y)
    ours = LabelSpreading(kernel="knn", n_neighbors=10, alpha=0.2).fit(X, y)
    for name, found in (("scikit-learn", theirs), ("labelprop", ours)):
        print(f"{name}: {(found.transduction_ == truth)[hidden].mean():.1%} of {hidden.sum()} right")
    print(f"reached {ours.reached_.mean():.1%}, converged {ours.converged_}, recall of the search {ours.recall_:.2f}")

    for estimator in (Poisson(), AutoPropagation()):
        found = estimator.fit(X, y)
        print(f"{type(found).__name__}: {(found.transduction_ == truth)[hidden].mean():.1%} right")
    print(found.reason_)

    search = GridSearchCV(LabelSpreading(), {"n_neighbors": [5, 10, 20]}, cv=SeedKFold(3)).fit(X, y)
    print(f"by hidden seeds: {search.best_params_}")


if __name__ == "__main__":
    main()
