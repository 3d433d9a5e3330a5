"""Weighted k-nearest-neighbor vote of the labeled rows.

Wu, Xiong, Yu, Lin, "Unsupervised Feature Learning via Non-Parametric Instance Discrimination", CVPR 2018,
section 3.4.
"""

from __future__ import annotations

from dataclasses import dataclass

from labelprop.graph.seeds import Seeds
from labelprop.propagators.estimator.edges import Edges
from labelprop.propagators.votes.vote_propagator import VotePropagator
from labelprop.propagators.votes.voters import SeededRows


@dataclass(eq=False, repr=False, kw_only=True)
class WeightedKNN(VotePropagator):
    """The labeled nearest neighbors vote, the nearer ones more (Wu et al., CVPR 2018).

    A labeled row at cosine s votes with weight exp(s / temperature); the label of a row is the class with the
    largest sum over its nearest labeled rows, the certainty that class's share of the votes. `n_neighbors=1` is the
    nearest neighbor. Departs from the paper: a labeled row is left out of its own vote, by index. No graph of all
    rows: the cost is that of comparing all rows with the labeled ones.

    Parameters and attributes: see the base classes.

    Examples
    --------
    >>> import numpy as np
    >>> from labelprop.propagators.weighted_knn import WeightedKNN
    >>> X = np.array([[1.0, 0.0], [0.9, 0.1], [0.0, 1.0], [0.1, 0.9]])
    >>> WeightedKNN(n_neighbors=1).fit(X, [0, -1, 1, -1]).transduction_
    array([0, 0, 1, 1])
    """

    def bias(self, given: SeededRows | Edges, seeds: Seeds) -> None:
        return None
