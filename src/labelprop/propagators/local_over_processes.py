"""Local propagation shared out over local processes: O(N M / P), as its paper promises.

Rows are cut into P parts. Every process has all M labeled vectors, finds what its part adds to their densities, takes
in what the others found, and votes on its part. Between processes go M x T numbers each, never rows.
"""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import distributed
from torch.multiprocessing.spawn import ProcessExitedException, ProcessRaisedException, spawn

from labelprop.core.distributed import Group
from labelprop.core.errors import RequestError, WorkError
from labelprop.core.types import UNLABELED, Propagation
from labelprop.graph.neighbors.rows import as_rows
from labelprop.graph.seeds import Seeds
from labelprop.propagators.local_propagation import local_bias
from labelprop.propagators.votes.ballots import Ballots, elect
from labelprop.propagators.votes.electorate import Constituency, poll, voters_of


def propagate_over_processes(
    vectors: str | os.PathLike[str] | np.ndarray,
    seeds: Seeds,
    *,
    n_processes: int = 2,
    threads: int = 1,
    n_neighbors: int = 10,
    n_density: int = 25,
    temperature: float = 0.07,
    density: str | None = "joint",
    pool: str = "unlabeled",
    search: str = "exact",
) -> Propagation:
    """As `propagate_locally`, by `n_processes` processes on this machine with `threads` threads each.

    Parameters
    ----------
    vectors : (N, D) array, or the path of an .npy file, which every process maps into memory and of which it reads
        its own part and the labeled rows. An array in memory is written to a temporary file first.
    search : "exact" gives the answers of one process; an approximate search finds others in parts than in the whole.

    Scripts that call this need the usual `if __name__ == "__main__":`, since processes are spawned.
    Raises DataError naming the row as one process would, WorkError where a process dies.
    """
    if n_processes < 1 or threads < 1:
        raise RequestError(f"n_processes={n_processes}, threads={threads}: both must be at least 1.")
    settings = {
        "density": density,
        "pool": pool,
        "n_density": n_density,
        "n_neighbors": n_neighbors,
        "temperature": temperature,
        "search": search,
        "seed": 0,
    }
    with tempfile.TemporaryDirectory(prefix="labelprop-") as folder:
        work = _Work.of(vectors, seeds, n_processes, threads, Path(folder), settings)
        try:
            spawn(_vote, args=(work,), nprocs=len(work.bounds) - 1)  # type: ignore[no-untyped-call]
        except (ProcessRaisedException, ProcessExitedException) as error:
            as_rows(work.vectors())  # names a bad row by its number in the whole
            raise WorkError(f"a process of {n_processes} failed: {error}") from error
        parts = [np.load(work.answer(rank)) for rank in range(len(work.bounds) - 1)]
        columns = np.concatenate([part["columns"] for part in parts])
        exponents = np.concatenate([part["exponents"] for part in parts])
    ballots = Ballots(torch.from_numpy(columns), torch.from_numpy(exponents), int(seeds.mask_N.sum()))
    return elect(ballots, voters_of(seeds), seeds)


@dataclass(frozen=True, slots=True)
class _Work:
    """What every process is told; small things only."""

    path: str
    folder: str
    bounds: tuple[int, ...]  # first row of each part, and the end
    labels_N: np.ndarray
    weights_M: np.ndarray
    soft_MC: np.ndarray | None
    n_classes: int
    threads: int
    settings: dict[str, Any]

    @classmethod
    def of(
        cls,
        vectors: str | os.PathLike[str] | np.ndarray,
        seeds: Seeds,
        n_processes: int,
        threads: int,
        folder: Path,
        settings: dict[str, Any],
    ) -> _Work:
        path = folder / "vectors.npy"
        if isinstance(vectors, np.ndarray):
            np.save(path, vectors)
        else:
            path = Path(vectors).resolve()
        n = len(np.load(path, mmap_mode="r"))
        if n != seeds.n:
            raise RequestError(f"there are {n} vectors and {seeds.n} seeds or unlabeled rows; they must go together.")
        parts = min(n_processes, n)
        voters = voters_of(seeds.to("cpu"))
        return cls(
            str(path),
            str(folder),
            tuple(n * part // parts for part in range(parts + 1)),
            seeds.labels_N.cpu().numpy(),
            voters.weights_N.numpy(),
            None if voters.soft_NC is None else voters.soft_NC.numpy(),
            seeds.n_classes,
            threads,
            settings,
        )

    def vectors(self) -> np.ndarray:
        """The file, mapped into memory."""
        mapped: np.ndarray = np.load(self.path, mmap_mode="r")
        return mapped

    def answer(self, rank: int) -> Path:
        """Where a process leaves its ballots."""
        return Path(self.folder) / f"ballots-{rank}.npz"

    def part(self, rank: int) -> Constituency:
        """The rows of one process, and all seeds."""
        vectors, rows = self.vectors(), slice(self.bounds[rank], self.bounds[rank + 1])
        labeled_M = np.flatnonzero(self.labels_N >= 0)
        place_N = np.full(len(self.labels_N), UNLABELED)
        place_N[labeled_M] = np.arange(len(labeled_M))
        soft_MC = None if self.soft_MC is None else torch.from_numpy(self.soft_MC)
        labels_M = torch.from_numpy(self.labels_N[labeled_M])
        voters = Seeds(labels_M, torch.from_numpy(self.weights_M), self.n_classes, soft_MC)
        own_B = torch.from_numpy(place_N[rows])
        labeled, group = as_rows(np.array(vectors[labeled_M])), Group(rank, len(self.bounds) - 1)
        return Constituency(as_rows(vectors[rows]), labeled, voters, own_B, group.parts)


def _vote(rank: int, work: _Work) -> None:
    """One process: its part of the rows, from densities to ballots, which it leaves in a file."""
    torch.set_num_threads(work.threads)
    os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")  # all on this machine
    meeting_point = f"file://{work.folder}/meeting-point"
    distributed.init_process_group("gloo", init_method=meeting_point, rank=rank, world_size=len(work.bounds) - 1)
    try:
        with torch.no_grad():
            seats, polling = work.part(rank), dict(work.settings)
            own = {name: polling.pop(name) for name in ("density", "pool", "n_density")}
            ballots, _, _ = poll(seats, local_bias(seats, **own, **polling), **polling)
    finally:
        distributed.destroy_process_group()
    np.savez(work.answer(rank), columns=ballots.columns_NK.numpy(), exponents=ballots.exponents_NK.numpy())
