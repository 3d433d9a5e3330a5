"""A trained method of your own: entropy minimization, checked by the public conformance suite, then trained.

python examples/own_method.py
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import labelprop as lp
from labelprop.methods import LossTerms, NotNegative, Settings, TwoStreams, recipe, weighted_cross_entropy
from labelprop.testing import check_method


@dataclass(eq=False, repr=False, kw_only=True)
class EntropyMinimization(TwoStreams):
    """Cross-entropy on the labeled, plus the entropy of the prediction on the unlabeled (Grandvalet 2004)."""

    batch_size: int = 24
    labeled_batch_size: int = 8
    weight: NotNegative = 0.1

    def loss(self, net, batch, progress):
        logits_BC = net(batch.joint.views_V[0])["class"]
        n_labeled = len(batch.labels_B)
        log_p_UC = logits_BC[n_labeled:].log_softmax(1)
        terms = {
            "supervised": weighted_cross_entropy(logits_BC[:n_labeled], batch.labels_B, batch.trust_B),
            "entropy": -(log_p_UC.exp() * log_p_UC).sum(1).mean(),
        }
        return LossTerms(terms, {"supervised": 1.0, "entropy": self.weight})


@recipe("entropy", EntropyMinimization)
def entropy(s: Settings):
    return (s.phase("entropy", s.make(EntropyMinimization)),)


def main() -> None:
    check_method(EntropyMinimization)
    print("check_method: passed")

    truth = np.arange(200) % 2
    X = (np.random.default_rng(0).normal(size=(200, 8)) + 1.5 * truth[:, None]).astype(np.float32)
    y = np.where(np.arange(200) < 10, truth, -1)
    with tempfile.TemporaryDirectory() as folder:
        run = lp.train(X, y, truth=truth, recipe=entropy(weight=0.2), out=Path(folder) / "run", epochs=10)
        print(f"{run.metrics['unlabeled']['accuracy']:.1%} of the unlabeled rows right")


if __name__ == "__main__":
    main()
