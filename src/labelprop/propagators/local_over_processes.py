"""Local propagation shared out over local processes: O(N M / P), as its paper promises.

Rows are cut into P parts. Every process has all M labeled vectors, finds what its part adds to their densities, takes
in what the others found, and votes on its part. Between processes go M x T densities and N x K votes, never rows.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import distributed

from labelprop.core.distributed import Group, launch
from labelprop.core.errors import LabelpropError, RequestError, WorkError
from labelprop.core.types import UNLABELED, Propagation
from labelprop.graph.neighbors.rows import as_rows
from labelprop.graph.seeds import Seeds
from labelprop.propagators.local_propagation import LocalPropagation, local_bias
from labelprop.propagators.votes.voters import SeededRows, collect_votes, labeled_only
from labelprop.propagators.votes.votes import Votes, count_votes


def propagate_over_processes(
    vectors: str | os.PathLike[str] | np.ndarray,
    seeds: Seeds,
    *,
    n_processes: int = 2,
    threads: int = 1,
    search: str = "exact",
    **parameters: Any,
) -> Propagation:
    """As `LocalPropagation.spread`, by `n_processes` processes on this machine with `threads` threads each.

    Parameters
    ----------
    vectors : (N, D) array, or the path of an .npy file, which every process maps into memory and of which it reads
        its own part and the labeled rows. An array in memory is written to a temporary file first.
    search : "exact" gives the answers of one process; an approximate search may find other
    neighbors in parts than in the whole.
    parameters : of `LocalPropagation`.

    Scripts that call this need the usual `if __name__ == "__main__":`, since processes are spawned.
    Raises DataError naming the row as one process would, WorkError where a process dies.
    """
    if n_processes < 1 or threads < 1:
        raise RequestError(f"n_processes={n_processes}, threads={threads}: both must be at least 1.")
    asked, seeds = LocalPropagation(search=search, **parameters), seeds.to("cpu")
    with tempfile.TemporaryDirectory(prefix="labelprop-") as folder:
        path = Path(folder) / "vectors.npy" if isinstance(vectors, np.ndarray) else Path(vectors).resolve()
        if isinstance(vectors, np.ndarray):
            np.save(path, vectors)
        rows_ND = np.load(path, mmap_mode="r")
        if len(rows_ND) != seeds.n:
            raise RequestError(
                f"there are {len(rows_ND)} vectors and {seeds.n} seeds or unlabeled rows; they must go together."
            )
        size = min(n_processes, seeds.n)
        try:
            columns_NK, exponents_NK = launch(size, _vote, str(path), seeds, threads, asked)
        except (LabelpropError, RuntimeError) as error:
            as_rows(rows_ND)  # names a bad row by its number in the whole
            raise WorkError(f"a process of {size} failed: {error}") from error
    votes = Votes(torch.from_numpy(columns_NK), torch.from_numpy(exponents_NK), int(seeds.mask_N.sum()))
    return count_votes(votes, labeled_only(seeds), seeds)


@torch.no_grad()
def _vote(path: str, seeds: Seeds, threads: int, asked: LocalPropagation, _: Any) -> tuple[np.ndarray, np.ndarray]:
    """One process: its part of the rows, from densities to votes; what all found (N, K)."""
    torch.set_num_threads(threads)
    distributed.init_process_group("gloo")
    group = Group(distributed.get_rank(), distributed.get_world_size())
    vectors, part = np.load(path, mmap_mode="r"), group.part(seeds.n)
    own_N = torch.where(seeds.mask_N, seeds.mask_N.cumsum(0) - 1, UNLABELED)
    labeled = as_rows(np.array(vectors[seeds.mask_N.numpy()]))
    seeded = SeededRows(as_rows(vectors[part]), labeled, labeled_only(seeds), own_N[part], group.parts)
    voting = asked.voting()
    votes, _, _ = collect_votes(seeded, local_bias(seeded, **asked.weighing(), **voting), **voting)
    found = group.rows({"columns": votes.columns_NK, "exponents": votes.exponents_NK}, group.counts(seeds.n))
    return found["columns"].numpy(), found["exponents"].numpy()
