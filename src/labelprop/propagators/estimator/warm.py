"""What a propagator with warm_start keeps of its last fit, and which parts of it are still valid."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from labelprop.core.files import Digest
from labelprop.functional.solve import ColumnSolve
from labelprop.graph.affinity import AffinityGraph
from labelprop.graph.seeds import Seeds

HASH_BYTES = 1 << 26  # read at once


@dataclass(frozen=True, slots=True, eq=False)
class LastFit:
    """The graph of the last fit and what it was made of; the solved columns and what each was solved for."""

    graph_key: tuple[Any, ...]
    graph: AffinityGraph
    recall: float | None
    system: Any = None  # what was prepared to propagate on it
    system_key: tuple[Any, ...] = ()
    solve_key: tuple[Any, ...] | None = None
    columns: dict[Any, tuple[bytes, int]] | None = None  # class label: its seeds, its column
    solved: ColumnSolve | None = None


def fingerprint(X: Any) -> str:
    """A hash of the content of what was handed to fit: equal for equal content, whatever the object."""
    digest = Digest()
    for array in _arrays(X):
        digest.add(f"{array.dtype.str}{array.shape}")
        flat = array.reshape(array.shape[0], -1) if array.ndim else array.reshape(1, 1)
        step = max(1, HASH_BYTES // max(1, flat[:1].nbytes))
        for start in range(0, flat.shape[0], step):
            digest.add(np.ascontiguousarray(flat[start : start + step]).data)
    return digest.hex()


def seed_keys(seeds: Seeds, classes: np.ndarray) -> dict[Any, tuple[bytes, int]]:
    """For each class label: the bytes of its column of Y (rows and weights of its seeds), and its place."""
    seeded = seeds.mask_N.nonzero().squeeze(1)
    keys = {}
    for place, label in enumerate(classes.tolist()):
        if seeds.soft_NC is not None:
            rows = seeds.soft_NC[:, place].nonzero().squeeze(1)
            values = seeds.soft_NC[rows, place] * seeds.weights_N[rows]
        else:
            rows = seeded[seeds.labels_N[seeded] == place]
            values = seeds.weights_N[rows]
        keys[label] = (rows.cpu().numpy().tobytes() + b"/" + values.cpu().numpy().tobytes(), place)
    return keys


def solve_changed(
    memory: LastFit, system: Any, seeds: Seeds, classes: np.ndarray, settings: Mapping[str, Any]
) -> tuple[ColumnSolve, LastFit]:
    """The columns of all classes, solving those whose seeds or settings changed; and the memory for the next fit."""
    columns, key = seed_keys(seeds, classes), tuple(settings.items())
    old = (memory.columns or {}) if memory.solve_key == key else {}
    same = [label for label, (made_of, _) in columns.items() if label in old and old[label][0] == made_of]
    kept = {columns[label][1]: old[label][1] for label in same}
    missing = [place for _, place in columns.values() if place not in kept]
    solved = fresh = system.solve(seeds, missing, **settings)
    if kept and memory.solved is not None:
        solved = ColumnSolve.empty(seeds.n, len(columns), fresh.solution_NC.dtype, fresh.solution_NC.device)
        sources: Any = ((memory.solved, list(kept.values()), list(kept)), (fresh, slice(None), missing))
        for part, source, place in sources:
            solved.solution_NC[:, place] = part.solution_NC[:, source]
            solved.steps_C[place], solved.residual_C[place] = part.steps_C[source], part.residual_C[source]
    return solved, replace(memory, solve_key=key, columns=columns, solved=solved)


def _arrays(X: Any) -> Iterator[np.ndarray]:
    if isinstance(X, torch.Tensor):
        X = X.detach().cpu()
        yield (X.view(torch.int16) if X.dtype == torch.bfloat16 else X).numpy()
    elif hasattr(X, "tocsr"):
        graph = X.tocsr()
        yield np.asarray(graph.shape)
        yield from (graph.indptr, graph.indices, graph.data)
    elif isinstance(X, tuple):
        for part in X:
            yield from _arrays(part)
    else:
        yield X if isinstance(X, np.ndarray) else np.asarray(X)
