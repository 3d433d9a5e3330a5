"""Weighted k-nearest-neighbor vote of the labeled rows.

Wu, Xiong, Yu, Lin, "Unsupervised Feature Learning via Non-Parametric Instance Discrimination", CVPR 2018,
section 3.4.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import torch

from labelprop.core.types import Propagation
from labelprop.graph.seeds import Seeds
from labelprop.propagators.estimator.edges import Edges
from labelprop.propagators.estimator.parameters import Number, Rule
from labelprop.propagators.votes.ballots import elect
from labelprop.propagators.votes.electorate import Constituency, poll
from labelprop.propagators.votes.voter import Voter


@torch.no_grad()
def weighted_knn(
    vectors: Any,
    seeds: Seeds,
    *,
    n_neighbors: int = 10,
    temperature: float = 0.07,
    search: str = "auto",
    seed: int = 0,
) -> Propagation:
    """w_j = sum of exp(v . v_i / temperature) over the K nearest labeled i of class j (Wu et al., section 3.4).

    `vectors` (N, D) need no scaling. Departs from the paper: a labeled row is left out of its own vote, by index.
    """
    seats = Constituency.whole(vectors, seeds, vectors.device if isinstance(vectors, torch.Tensor) else "cpu")
    ballots, _, _ = poll(seats, None, n_neighbors=n_neighbors, temperature=temperature, search=search, seed=seed)
    return elect(ballots, seats.voters, seeds.to(seats.rows.device))


class WeightedKNN(Voter):
    """The labeled nearest neighbors vote, the nearer ones more (Wu et al., CVPR 2018).

    A labeled row at cosine s votes with weight exp(s / temperature); the label of a row is the class with the largest
    sum over its nearest labeled rows, the certainty that class's share of the votes. `n_neighbors=1` is the nearest
    neighbor. No graph of all rows: the cost is that of comparing all rows with the labeled ones.

    Parameters
    ----------
    n_neighbors : labeled rows that vote; cut to the number there is.
    temperature : small values let the nearest decide, large ones count heads.
    metric : "cosine"; "precomputed" takes similarities, "precomputed_distances" distances d (cos = 1 - d^2 / 2). Of
        the stored columns the labeled ones vote, the best `n_neighbors` of a row.
    search : "auto", "exact" or "approximate".
    device : "auto", "cpu" or "cuda".
    warm_start : accepted like everywhere; nothing here outlasts a change of seeds.
    top_classes : keep this many classes a row, as SciPy CSR; None keeps all up to n x C = 2^28, 16 beyond.
    random_state : for the approximate search; None gives the same answer every time.
    verbose : say on stderr how long the stages take.

    Attributes: see `Propagator`; `graph_` (n, M) holds the vote weights, a column for each seed in row order.

    Examples
    --------
    >>> import numpy as np
    >>> from labelprop.propagators.weighted_knn import WeightedKNN
    >>> X = np.array([[1.0, 0.0], [0.9, 0.1], [0.0, 1.0], [0.1, 0.9]])
    >>> WeightedKNN(n_neighbors=1).fit(X, [0, -1, 1, -1]).transduction_
    array([0, 0, 1, 1])
    """

    rules: ClassVar[Mapping[str, Rule]] = {
        "n_neighbors": Number(1, whole=True),
        "temperature": Number(0, low_open=True),
    }

    def __init__(
        self,
        *,
        n_neighbors: int = 10,
        temperature: float = 0.07,
        metric: str = "cosine",
        search: str = "auto",
        device: str = "auto",
        warm_start: bool = False,
        top_classes: int | None = None,
        random_state: Any = None,
        verbose: bool = False,
    ) -> None:
        self.n_neighbors = n_neighbors
        self.temperature = temperature
        self.metric = metric
        self.search = search
        self.device = device
        self.warm_start = warm_start
        self.top_classes = top_classes
        self.random_state = random_state
        self.verbose = verbose

    def _bias(self, given: Constituency | Edges, seeds: Seeds) -> None:
        return None
