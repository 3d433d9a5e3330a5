"""What a propagator with warm_start remembers of its last fit, and what of it still holds."""

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
class Remembered:
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


def reusable(
    old: dict[Any, tuple[bytes, int]], new: dict[Any, tuple[bytes, int]]
) -> tuple[list[int], list[int], list[int]]:
    """Columns of the new fit whose seeds did not change, their places in the old one, and columns to solve."""
    kept = [(place, old[label][1]) for label, (key, place) in new.items() if label in old and old[label][0] == key]
    places, sources = [place for place, _ in kept], [source for _, source in kept]
    return places, sources, sorted({place for _, place in new.values()} - set(places))


def merge(old: ColumnSolve, new: ColumnSolve, kept: tuple[list[int], list[int], list[int]]) -> ColumnSolve:
    """Columns of both fits put together, as `reusable` sorted them."""
    places, sources, solved = kept
    n_classes = len(places) + len(solved)
    n, dtype, device = new.solution_NC.shape[0], new.solution_NC.dtype, new.solution_NC.device
    merged = ColumnSolve.empty(n, n_classes, dtype, device)
    for parts, source, place in ((old, sources, places), (new, slice(None), solved)):
        merged.solution_NC[:, place] = parts.solution_NC[:, source]
        merged.steps_C[place], merged.residual_C[place] = parts.steps_C[source], parts.residual_C[source]
    return merged


def solve_changed(
    memory: Remembered, system: Any, seeds: Seeds, classes: np.ndarray, settings: Mapping[str, Any]
) -> tuple[ColumnSolve, Remembered]:
    """The columns of all classes, solving those whose seeds or settings changed; and what to remember now."""
    columns, key = seed_keys(seeds, classes), tuple(settings.items())
    usable = memory.columns if memory.solve_key == key else None
    kept = reusable(usable or {}, columns)
    solved = system.solve(seeds, kept[2], **settings)
    if usable is not None and memory.solved is not None:
        solved = merge(memory.solved, solved, kept)
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
