"""Loader: the right examples under the right indices, whether resident or streamed."""

from __future__ import annotations

import pytest
import torch

from labelprop.core.types import BatchSpec, StreamSpec, Task
from labelprop.data.contents import TensorContent
from labelprop.data.views.batches import Loader, draw_epoch


class Marks:
    """Views that leave a mark of their name on what they show."""

    mixes = False

    def make(self, name: str, raw_B: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        return raw_B.float() + {"weak": 0.25, "strong": 0.5}[name]


class Streamed(TensorContent):
    resident = False


TASK = Task(torch.tensor([0, 1, 0, 1] + [-1] * 16), torch.arange(1, 21) / 20, 2, seed=0)


@pytest.fixture(params=[TensorContent, Streamed])
def loader(request) -> Loader:
    content = request.param(torch.arange(20.0)[:, None], torch.float32)
    return Loader.over(content, Marks(), torch.device("cpu"))


def batches(loader: Loader, needs: BatchSpec):
    drawn = draw_epoch(TASK, needs, phase=0, epoch=0, steps=3, first_step=0)
    return list(loader.batches(drawn, needs, TASK, torch.Generator()))


def test_rows_that_are_named_are_drawn_and_no_others() -> None:
    for labeled in (0, 3):
        needs, place = BatchSpec(StreamSpec(labeled), StreamSpec(4)), {"phase": 0, "epoch": 0, "first_step": 0}
        drawn = draw_epoch(TASK, needs, steps=3, **place, pool_P=torch.tensor([2, 7, 9, 11]))
        assert all(sorted(unlabeled) == [2, 7, 9, 11] for _, unlabeled in drawn)
        assert all(len(from_l) == labeled and set(from_l) <= {0, 1, 2, 3} for from_l, _ in drawn)


def test_both_streams_share_one_tensor(loader) -> None:
    for batch in batches(loader, BatchSpec(StreamSpec(3), StreamSpec(5))):
        joint = batch.joint.views_V[0]
        assert joint.squeeze(1).tolist() == [i + 0.25 for i in batch.joint.indices_B.tolist()]
        assert torch.equal(joint[:3], batch.labeled.views_V[0])
        assert torch.equal(joint[3:], batch.unlabeled.views_V[0])
        assert batch.labels_B.tolist() == TASK.labels_N[batch.labeled.indices_B].tolist()
        assert batch.trust_B.tolist() == TASK.weights_N[batch.labeled.indices_B].tolist()
        assert (TASK.labels_N[batch.unlabeled.indices_B] == -1).all()


def test_views_that_only_one_stream_has_are_made_for_it_alone(loader) -> None:
    batch = batches(loader, BatchSpec(StreamSpec(2), StreamSpec(4, ("weak", "strong"))))[0]
    assert len(batch.labeled.views_V) == 1
    assert len(batch.joint.views_V) == 1
    strong = batch.unlabeled.views_V[1]
    assert strong.squeeze(1).tolist() == [i + 0.5 for i in batch.unlabeled.indices_B.tolist()]


def test_labels_only_has_no_unlabeled_stream(loader) -> None:
    batch = batches(loader, BatchSpec(StreamSpec(8)))[0]
    assert batch.unlabeled is None
    assert len(batch.joint.indices_B) == 8, "more than there are labels: each comes again"


def test_more_unlabeled_asked_for_than_there_are(loader) -> None:
    needs = BatchSpec(StreamSpec(2), StreamSpec(50))
    drawn = draw_epoch(TASK, needs, phase=0, epoch=0, steps=1, first_step=0)
    batch = next(loader.batches(drawn, needs, TASK, torch.Generator()))
    assert sorted(batch.unlabeled.indices_B.tolist()) == list(range(4, 20))
