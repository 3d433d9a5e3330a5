"""Members: what `AutoPropagation` joined, for the fitted rows and for new ones."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from labelprop.core.types import Propagation
from labelprop.graph.neighbors.rounding import spans
from labelprop.graph.neighbors.rows import as_rows
from labelprop.propagators.choice.candidates import Candidate
from labelprop.propagators.choice.heads import Head
from labelprop.propagators.choice.join import join_rows
from labelprop.propagators.estimator.base import Propagator, _numpy
from labelprop.propagators.estimator.edges import Edges

BLOCK_ELEMENTS = 1 << 22


@dataclass(eq=False)
class Member:
    """A fitted candidate and its weight in the sum of z-scored log-distributions."""

    candidate: Candidate
    weight: float
    fitted: Any  # a propagator, or a Head

    def take_labels(self, whole: Propagator, found: Propagation) -> None:
        """Gives a propagator its own labels of the fitted rows, to predict from them; `whole` has the seeds."""
        if not isinstance(self.fitted, Head):
            self.fitted.take_labels_of(whole)
            self.fitted.label_distributions_ = _numpy(found.distributions_NC)
            self.fitted.reached_ = _numpy(found.reached_N)

    def votes(self, given: Any) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Distributions (B, C) of new rows and which of them are reached (B,), in blocks."""
        if not isinstance(self.fitted, Head):
            yield from self.fitted.votes(given)
            return
        rows, start = as_rows(given, self.fitted.bias_C.device), 0
        for shares_BC in self.fitted.predict(rows):
            yield shares_BC.cpu().numpy(), ~rows.zero_N[start : start + len(shares_BC)].cpu().numpy()
            start += len(shares_BC)


def joined_votes(members: list[Member], given: Any, n_classes: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Distributions (B, C) of new rows, joined as those of the fitted rows were; and which rows a member reaches."""
    if len(members) == 1:
        yield from members[0].votes(given)
        return
    weights_M = [member.weight for member in members]
    for start, stop in spans(int(given.shape[0]), n_classes * len(members), BLOCK_ELEMENTS):
        block = Edges(given.values[start:stop], given.measure) if isinstance(given, Edges) else given[start:stop]
        parts_M = [[np.concatenate(part) for part in zip(*one.votes(block), strict=True)] for one in members]
        reached_MB = [torch.from_numpy(reached_B) for _, reached_B in parts_M]
        scores_BC = join_rows(weights_M, [torch.from_numpy(shares_BC) for shares_BC, _ in parts_M], reached_MB)
        yield scores_BC.softmax(dim=1).numpy(), torch.stack(reached_MB).any(dim=0).numpy()
