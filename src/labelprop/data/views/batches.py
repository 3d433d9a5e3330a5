"""Which examples a step sees, and turning them into views.

The order is a pure function of (seed, phase, epoch): the labeled stream walks through permutation after
permutation of L without end, the unlabeled one through a fresh permutation of U an epoch, the incomplete last
batch dropped (methods.md 2.1). So there is no sampler state to save, and a resumed run sees what an unbroken
one would have seen.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Protocol

import numpy as np
import torch

from labelprop.core.distributed import Group
from labelprop.core.errors import RequestError
from labelprop.core.types import Batch, BatchSpec, Stream, Task
from labelprop.data.contents import Content
from labelprop.data.views.mixing import draw_partners, mix, near_rows

LABELED, UNLABELED_STREAM = 0, 1  # parts of the seed: each stream has an order of its own


class MakesViews(Protocol):
    @property
    def mixes(self) -> bool: ...

    def make(self, name: str, raw_B: torch.Tensor, generator: torch.Generator) -> torch.Tensor: ...


def steps_per_epoch(task: Task, unlabeled_size: int, labeled_size: int) -> int:
    """floor(|U| / B_U), at least 1; without unlabeled examples floor(|L| / B_L), at least 1."""
    n_unlabeled = int(task.unlabeled_U.shape[0])
    if n_unlabeled and unlabeled_size:
        return max(1, n_unlabeled // unlabeled_size)
    return max(1, int(task.labeled_L.shape[0]) // max(1, labeled_size))


def endless(pool: np.ndarray, start: int, count: int, key: Sequence[int]) -> np.ndarray:
    """Entries `start` .. `start + count` of the endless sequence of permutations of `pool`."""
    first, last = start // len(pool), (start + count - 1) // len(pool)
    shuffled = [np.random.default_rng([*key, lap]).permutation(pool) for lap in range(first, last + 1)]
    offset = start - first * len(pool)
    return np.concatenate(shuffled)[offset : offset + count]


def draw_epoch(
    task: Task,
    needs: BatchSpec,
    *,
    phase: int,
    epoch: int,
    steps: int,
    first_step: int,
    pool_P: torch.Tensor | None = None,
    n_processes: int = 1,
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Dataset indices of each step of one epoch: (B_L,) labeled and (B_U,) unlabeled, the latter possibly empty.

    Where no labeled ones are asked for the others are drawn from all examples alike; where `pool_P` names rows, from
    these. Where there are fewer than a step asks for, it gets all, or as many as can be shared out evenly.
    """
    labeled, unlabeled = task.labeled_L.cpu().numpy(), task.unlabeled_U.cpu().numpy()
    if pool_P is not None:
        unlabeled = pool_P.cpu().numpy()
    elif not needs.labeled.size:
        unlabeled = np.arange(task.n)
    b_l, b_u = needs.labeled.size, min(needs.unlabeled.size, len(unlabeled))
    if b_u < needs.unlabeled.size:
        b_u -= min(b_u, (b_l + b_u) % n_processes)
    from_l = endless(labeled, first_step * b_l, steps * b_l, [task.seed, phase, LABELED]) if b_l else labeled[:0]
    from_u = unlabeled[:0]
    if b_u:
        from_u = endless(unlabeled, 0, steps * b_u, [task.seed, phase, UNLABELED_STREAM, epoch])
    return [(from_l[s * b_l : (s + 1) * b_l], from_u[s * b_u : (s + 1) * b_u]) for s in range(steps)]


def check_shared_out(n: int, n_processes: int) -> None:
    """Raises RequestError where a batch of n cannot be shared out evenly."""
    if n % n_processes:
        raise RequestError(
            f"a batch of {n} cannot be shared out evenly among {n_processes} devices; choose a batch size "
            f"(--set batch_size=...) that {n_processes} divides."
        )


def part_of_step(pair: tuple[np.ndarray, np.ndarray], group: Group) -> tuple[np.ndarray, np.ndarray]:
    """A process's part of one step's examples: as many as every other's, labeled ones as evenly as they divide.

    Raises RequestError where the examples of a step cannot be shared out evenly.
    """
    labeled, unlabeled = pair
    total = len(labeled) + len(unlabeled)
    check_shared_out(total, group.size)
    first = group.bounds(len(labeled))
    second = [rank * (total // group.size) - start for rank, start in enumerate(first)]
    own, following = group.rank, group.rank + 1
    return labeled[first[own] : first[following]], unlabeled[second[own] : second[following]]


@dataclass(frozen=True, slots=True, eq=False)
class Loader:
    """Feeds batches of a data set to the training device.

    Small data lie there as they are (uint8 images, float32 vectors), so that a step copies nothing from the
    host; larger sets are streamed, prefetched by `Content.stream`. `near_NK` are the rows that an example may be
    mixed with, where its views ask for it.
    """

    content: Content
    views: MakesViews
    device: torch.device
    resident: torch.Tensor | None
    near_NK: torch.Tensor | None = None

    @classmethod
    def over(cls, content: Content, views: MakesViews, device: torch.device) -> Loader:
        resident = content.read(np.arange(len(content))).to(device) if content.resident else None
        return cls(content, views, device, resident, near_rows(content, device) if views.mixes else None)

    def raw(self, index_batches: Sequence[np.ndarray]) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """(indices_B, raw_B) of each batch, on the device."""
        if self.resident is None:
            for indices, raw in zip(index_batches, self.content.stream(index_batches), strict=True):
                yield torch.from_numpy(indices).to(self.device), raw.to(self.device, non_blocking=True)
            return
        for indices in index_batches:
            indices_B = torch.from_numpy(indices).to(self.device)
            yield indices_B, self.resident[indices_B]

    def batches(
        self, drawn: Sequence[tuple[np.ndarray, np.ndarray]], needs: BatchSpec, task: Task, generator: torch.Generator
    ) -> Iterator[Batch]:
        """One Batch a step of `drawn`; `generator` supplies all randomness of the views."""
        given = task.labels_N.to(self.device), task.weights_N.to(self.device)
        sizes = [len(labeled) for labeled, _ in drawn]
        for b_l, (indices_B, raw_B) in zip(sizes, self.raw([np.concatenate(pair) for pair in drawn]), strict=True):
            yield self._assemble(indices_B, raw_B, b_l, needs, given, generator)

    def _assemble(
        self,
        indices_B: torch.Tensor,
        raw_B: torch.Tensor,
        b_l: int,
        needs: BatchSpec,
        given: tuple[torch.Tensor, torch.Tensor],
        generator: torch.Generator,
    ) -> Batch:
        of_l = needs.labeled.views
        of_u = needs.unlabeled.views if len(indices_B) > b_l else of_l
        common = [a for a, _ in takewhile(lambda pair: pair[0] == pair[1], zip(of_l, of_u, strict=False))]

        def shown(name: str, part: slice) -> torch.Tensor:
            return self.views.make(name, self._mixed(name, indices_B[part], raw_B[part], generator), generator)

        joint = [shown(name, slice(None)) for name in common]
        labeled = [view[:b_l] for view in joint]
        labeled += [shown(name, slice(b_l)) for name in of_l[len(common) :]]
        unlabeled = [view[b_l:] for view in joint]
        unlabeled += [shown(name, slice(b_l, None)) for name in of_u[len(common) :]]
        return Batch(
            labeled=Stream(indices_B[:b_l], tuple(labeled)),
            labels_B=given[0][indices_B[:b_l]],
            trust_B=given[1][indices_B[:b_l]],
            unlabeled=Stream(indices_B[b_l:], tuple(unlabeled)) if len(indices_B) > b_l else None,
            joint=Stream(indices_B, tuple(joint)),
        )

    def _mixed(
        self, name: str, indices_B: torch.Tensor, raw_B: torch.Tensor, generator: torch.Generator
    ) -> torch.Tensor:
        """The examples that a view is made of: as they are, or mixed with a near neighbor."""
        if self.near_NK is None or name == "eval":
            return raw_B
        partners_B = draw_partners(self.near_NK[indices_B.cpu()], generator)
        if self.resident is None:
            return mix(raw_B, self.content.read(partners_B).to(self.device), generator)
        return mix(raw_B, self.resident[partners_B.to(self.device)], generator)
