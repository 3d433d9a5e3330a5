"""Mixing with a near neighbor: the right neighbors, never most of the way, the same for the same generator."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from labelprop.core.types import BatchSpec, StreamSpec, Task
from labelprop.data.contents import TensorContent
from labelprop.data.views import mixing
from labelprop.data.views.batches import Loader
from labelprop.data.views.preprocessing import Preprocessing
from labelprop.data.views.views import Views

CPU = torch.device("cpu")
N = 90


class Streamed(TensorContent):
    resident = False


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def vectors(dtype: torch.dtype = torch.float32) -> torch.Tensor:
    """Three bundles of directions: near rows are of the same one."""
    return (4 * torch.eye(8)[torch.arange(N) % 3] + torch.randn(N, 8, generator=generator(1))).to(dtype)


def loader(kind: type[TensorContent] = TensorContent, augment: str = "mix") -> Loader:
    content = kind(vectors(), torch.float32)
    return Loader.over(content, Views(Preprocessing("vector", (8,), (0.5,), (2.0,)), augment), CPU)


def batch_of(loader: Loader, seed: int = 0, views: tuple[str, ...] = ("weak", "strong")):
    task = Task(torch.where(torch.arange(N) < 12, torch.arange(N) % 3, -1), torch.ones(N), 3, seed=0)
    needs = BatchSpec(StreamSpec(6, views[:1]), StreamSpec(20, views))
    drawn = [(np.arange(6), np.arange(40, 60))]
    return next(loader.batches(drawn, needs, task, generator(seed)))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_near_rows_are_the_ten_of_largest_cosine(dtype) -> None:
    stored = vectors(dtype)
    unit_ND = torch.nn.functional.normalize(stored.double(), dim=1)
    cosines_NN = (unit_ND @ unit_ND.T).fill_diagonal_(-2)
    found = mixing.near_rows(TensorContent(stored, torch.float32), CPU)
    assert torch.equal(found.sort(1).values, cosines_NN.topk(10, dim=1).indices.sort(1).values)


def test_a_row_without_neighbors_has_itself() -> None:
    rows = torch.cat([torch.zeros(1, 3), torch.eye(3)])
    found = mixing.near_rows(TensorContent(rows, torch.float32), CPU)
    assert found[0].tolist() == [0, 0, 0]
    assert mixing.near_rows(TensorContent(torch.ones(1, 3), torch.float32), CPU).tolist() == [[0]]


@pytest.mark.parametrize("kind", [TensorContent, Streamed])
def test_a_weak_view_lies_between_its_example_and_a_near_row(kind) -> None:
    made, raw = loader(kind), vectors()
    batch = batch_of(made, views=("weak",))
    shown = batch.joint.views_V[0] * 2 + 0.5
    shares = []
    for index, view in zip(batch.joint.indices_B.tolist(), shown, strict=True):
        ways = raw[made.near_NK[index]] - raw[index]
        moved = view - raw[index]
        along = (ways @ moved) / ways.square().sum(1)
        rest = (moved - along[:, None] * ways).norm(dim=1)
        best = int(rest.argmin())
        assert float(rest[best]) < 1e-4, "on the line to one of its near rows"
        shares.append(float(along[best]))
    assert min(shares) >= 0
    assert max(shares) <= 0.5
    assert np.std(shares) > 0.05, "each by its own share"


def test_views_are_drawn_apart_and_only_by_the_generator() -> None:
    made = loader()
    state = torch.get_rng_state()
    first, again, other = batch_of(made, 3), batch_of(made, 3), batch_of(made, 4)
    assert torch.equal(torch.get_rng_state(), state)
    for a, b, c in zip(first.unlabeled.views_V, again.unlabeled.views_V, other.unlabeled.views_V, strict=True):
        assert torch.equal(a, b)
        assert not torch.equal(a, c)
    two = batch_of(made, views=("weak", "weak")).unlabeled.views_V
    assert not torch.equal(*two)
    assert torch.equal(made.resident, vectors()), "the data stay as they are"


def test_streamed_and_resident_vectors_are_mixed_alike() -> None:
    for a, b in zip(batch_of(loader()).unlabeled.views_V, batch_of(loader(Streamed)).unlabeled.views_V, strict=True):
        assert torch.equal(a, b)


def test_the_eval_view_and_other_augmentations_are_not_mixed() -> None:
    standardized = (vectors() - 0.5) / 2
    batch = batch_of(loader(), views=("eval",))
    torch.testing.assert_close(batch.joint.views_V[0], standardized[batch.joint.indices_B])
    plain = loader(augment="none")
    assert plain.near_NK is None
    batch = batch_of(plain)
    torch.testing.assert_close(batch.labeled.views_V[0], standardized[batch.labeled.indices_B])
