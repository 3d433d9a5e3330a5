"""Drawing the labeled examples of an experiment."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from labelprop.core.errors import DataError
from labelprop.data.tables.values import sort_classes


def draw_per_class(labels: Sequence[str], per_class: int, seed: int) -> np.ndarray:
    """Indices of `per_class` examples of each class, drawn without replacement; sorted int64.

    Raises DataError naming the class that has fewer.
    """
    generator = np.random.default_rng(seed)
    texts = np.asarray(labels)
    drawn = []
    for name in sort_classes(labels):
        members = np.flatnonzero(texts == name)
        if len(members) < per_class:
            raise DataError(f"class '{name}' has {len(members)} examples, {per_class} were asked for; ask for fewer.")
        drawn.append(generator.choice(members, per_class, replace=False))
    return np.sort(np.concatenate(drawn)).astype(np.int64)
