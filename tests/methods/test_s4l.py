"""S4L's two tasks: terms by hand, gradients by differences, what is refused and what is deployed."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

import labelprop
from labelprop.core.errors import RequestError
from labelprop.functional.loss import batch_hard
from labelprop.methods.base import Sum
from labelprop.methods.exemplar import Exemplar
from labelprop.methods.rotation import Rotation
from labelprop.methods.supervised import Supervised
from labelprop.models.deployed import MeanOfRotations
from labelprop.training import recipes
from patterns import pattern
from small_batches import START, batch_of, task_of

TASK = task_of([0, 1, -1, -1, -1], weights=[1.0, 0.5, 1.0, 1.0, 1.0])


class Linear(nn.Module):
    """Heads that are linear in the pixels, in float64."""

    def __init__(self, pixels: int = 9, heads: tuple[tuple[str, int], ...] = (("class", 2), ("rotation", 4))) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        drawn = {name: torch.randn(pixels, size, generator=generator, dtype=torch.float64) for name, size in heads}
        self.weights = nn.ParameterDict(drawn)

    def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        found = {name: x.flatten(1) @ weight for name, weight in self.weights.items()}
        return {name: F.normalize(out, dim=1) if name == "embedding" else out for name, out in found.items()}


def set_up(method):
    method.setup(nn.Identity(), TASK)
    return method


def images(seed: int = 0) -> torch.Tensor:
    return torch.randn(5, 1, 3, 3, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_rotation_terms_one_image_at_a_time() -> None:
    net, x = Linear(), images()
    found = set_up(Rotation(batch_size=5, labeled_batch_size=2)).loss(
        net, batch_of(TASK, [0, 1, 2, 3, 4], 2, x), START
    )
    of_class, of_angle = [], {True: [], False: []}
    for row in range(5):
        for turn in range(4):
            turned = torch.from_numpy(np.ascontiguousarray(np.rot90(x[row, 0].numpy(), turn))).reshape(1, 9)
            of_angle[row < 2].append(-(turned @ net.weights["rotation"]).log_softmax(1)[0, turn].item())
            if row < 2:
                log_p = (turned @ net.weights["class"]).log_softmax(1)[0, row].item()
                of_class.append(-log_p * TASK.weights_N[row].item())
    assert found.terms["supervised"].item() == pytest.approx(np.mean(of_class), abs=1e-12)
    assert found.terms["rotation"].item() == pytest.approx(
        (np.mean(of_angle[True]) + np.mean(of_angle[False])) / 2, abs=1e-12
    )


@pytest.mark.parametrize(("rows", "n_labeled"), [([2, 3], 0), ([0, 1], 2)])
def test_a_part_of_a_batch_with_one_stream_alone_is_finite(rows: list[int], n_labeled: int) -> None:
    x, net = images()[rows], Linear(heads=(("class", 2), ("rotation", 4), ("embedding", 3)))
    for method in (Rotation(), Exemplar(copies=2)):
        found = set_up(method).loss(net, batch_of(TASK, rows, n_labeled, x, x + 0.1), START)
        assert torch.isfinite(found.total())
        assert (found.terms["supervised"] > 0) == (n_labeled > 0)


@pytest.mark.parametrize("kind", [Rotation, Exemplar])
def test_gradients_against_finite_differences(kind) -> None:
    net = Linear(heads=(("class", 2), ("rotation", 4), ("embedding", 3)))
    x, other = images(), images(1)

    def loss(x: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
        views = (x, other) if kind is Exemplar else (x,)
        return set_up(kind()).loss(net, batch_of(TASK, [0, 1, 2, 3, 4], 2, *views), START).total()

    inputs = (x.requires_grad_(), other.requires_grad_())
    assert torch.autograd.gradcheck(loss, inputs, eps=1e-6, atol=1e-6)


@pytest.mark.parametrize(("kind", "term"), [(Rotation, "rotation"), (Exemplar, "triplet")])
def test_the_task_beside_the_labels_is_weighed(kind, term: str) -> None:
    net, x = Linear(heads=(("class", 2), ("rotation", 4), ("embedding", 3))), images()
    found = set_up(kind(weight=3.0)).loss(net, batch_of(TASK, [0, 1, 2, 3, 4], 2, x, x + 0.1), START)
    assert found.weights == {"supervised": 1, term: 3}


def test_views_that_are_all_alike_are_refused(tmp_path) -> None:
    generator = np.random.default_rng(0)
    images = np.stack([pattern("disk", 8, generator) for _ in range(24)])
    y = np.where(np.arange(24) < 6, np.arange(24) % 2, -1)
    options = {"epochs": 1, "settings": {"batch_size": 8, "labeled_batch_size": 2}, "baselines": False}
    with pytest.raises(RequestError, match=r"all views of an example are alike.*settings={'view': 'strong'}"):
        labelprop.train(
            images, y, out=tmp_path / "run", report=False, recipe="s4l-exemplar", augment="none", **options
        )


def test_the_hardest_of_a_batch_by_hand() -> None:
    """On a line: example 0 at 0 and 3, example 1 at 4 and 10."""
    vectors = torch.tensor([[0.0], [3.0], [4.0], [10.0]], dtype=torch.float64)
    losses = batch_hard(vectors, torch.tensor([5, 5, 9, 9]))
    expected = [np.log1p(np.exp(d)) for d in (3 - 4, 3 - 1, 6 - 1, 6 - 7)]
    assert losses.tolist() == pytest.approx(expected)


def test_rows_without_a_positive_or_a_negative_cost_nothing() -> None:
    vectors = torch.randn(4, 3, dtype=torch.float64, requires_grad=True)
    for own in ([0, 1, 2, 3], [0, 0, 0, 0]):
        losses = batch_hard(vectors, torch.tensor(own))
        losses.sum().backward()
        assert losses.tolist() == [0, 0, 0, 0]
        assert torch.isfinite(vectors.grad).all()


def test_a_near_negative_counts_at_its_distance() -> None:
    vectors = torch.tensor([[0.0], [0.0], [1e-3]], dtype=torch.float64)
    own_pair = batch_hard(vectors, torch.tensor([0, 0, 1]))[:2]
    assert own_pair.tolist() == pytest.approx([np.log1p(np.exp(1e-6 - 1e-3))] * 2, abs=1e-9)


def test_equal_views_have_a_finite_slope() -> None:
    vectors = torch.ones(4, 3, dtype=torch.float64, requires_grad=True)
    batch_hard(vectors, torch.tensor([0, 0, 1, 1])).sum().backward()
    assert torch.isfinite(vectors.grad).all()


def test_exemplar_compares_views_by_example_and_classifies_all_of_them() -> None:
    net, x, other = Linear(heads=(("class", 2), ("embedding", 3))), images(), images(1)
    method = set_up(Exemplar(batch_size=5, labeled_batch_size=2, copies=2))
    rows = [0, 1, 2, 3, 2]  # example 2 comes twice: all four views of it are its own
    found = method.loss(net, batch_of(TASK, rows, 2, x, other), START)
    both = net(torch.cat([x, other]))
    expected = batch_hard(both["embedding"], torch.tensor([*rows, *rows])).mean()
    assert found.terms["triplet"].item() == pytest.approx(expected.item(), abs=1e-12)
    log_p, trust = both["class"].log_softmax(1), [1, 0.5]
    of_class = [-trust[row] * log_p[row + start, row].item() for row in (0, 1) for start in (0, 5)]
    assert found.terms["supervised"].item() == pytest.approx(np.mean(of_class), abs=1e-12)


def test_vectors_and_oblong_images_are_refused_with_what_can_be_done(tmp_path) -> None:
    vectors, y = np.random.default_rng(0).normal(size=(12, 6)).astype(np.float32), np.array([0, 1] + [-1] * 10)
    with pytest.raises(
        RequestError, match=r"recipe s4l-rotation turns images.*vectors of 6.*Recipes that.* dlp,"
    ) as told:
        labelprop.train(vectors, y, out=tmp_path / "vectors", report=False, recipe="s4l-rotation")
    assert "s4l-rotation" not in str(told.value).partition("Recipes")[2]
    oblong = np.zeros((12, 8, 10), dtype=np.uint8)
    with pytest.raises(RequestError, match=r"8x10 pixels must be square .image_size.*supervised"):
        labelprop.train(oblong, y, out=tmp_path / "oblong", report=False, recipe="s4l-rotation")
    assert not (tmp_path / "vectors").exists()
    with pytest.raises(RequestError, match=r"recipe s4l-exemplar compares views.*settings={'view': 'strong'}"):
        labelprop.train(vectors, y, out=tmp_path / "alike", report=False, recipe="s4l-exemplar")
    options = {
        "epochs": 1,
        "baselines": False,
        "settings": {"view": "strong", "batch_size": 8, "labeled_batch_size": 2},
    }
    run = labelprop.train(vectors, y, out=tmp_path / "strong", report=False, recipe="s4l-exemplar", **options)
    assert run.labels.column("label").null_count == 0
    assert Sum(Supervised(), Rotation()).refuses((6,)) == Rotation().refuses((6,))
    recipes.check_serves(recipes.build("s4l-rotation", {}), (3, 8, 8))


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Rotation(labeled_batch_size=512), "labeled_batch_size=512 must"),
        (lambda: Rotation(weight=-1), "weight=-1: must"),
        (lambda: Exemplar(copies=1), "copies=1: must"),
        (lambda: Exemplar(dim=0), "dim=0: must"),
        (lambda: Exemplar(view="crop"), "unknown view 'crop'"),
    ],
)
def test_bad_parameters_are_refused(make, said: str) -> None:
    with pytest.raises(RequestError, match=said):
        make()


def test_the_mean_over_rotations_does_not_care_how_an_image_lies_and_is_kept_in_the_run(tmp_path) -> None:
    x, net = images(), Linear()
    upright, lying = (MeanOfRotations(net)(view)["class"] for view in (x, torch.rot90(x, 1, (2, 3))))
    torch.testing.assert_close(upright, lying)
    turns = [np.ascontiguousarray(np.rot90(x.numpy(), turn, (2, 3))) for turn in range(4)]
    by_hand = np.mean([net(torch.from_numpy(turned))["class"].detach().numpy() for turned in turns], axis=0)
    np.testing.assert_allclose(upright.detach().numpy(), by_hand, atol=1e-12)
    assert not torch.allclose(net(x)["class"], net(torch.rot90(x, 1, (2, 3)))["class"])
    generator, names = np.random.default_rng(0), ("rows", "columns", "disk")
    data = np.stack([pattern(names[index % 3], 8, generator) for index in range(48)])
    y = np.where(np.arange(48) < 12, np.arange(48) % 3, -1)
    settings = {"batch_size": 12, "labeled_batch_size": 6, "average": True}
    options = {"recipe": "s4l-rotation", "epochs": 2, "baselines": False, "settings": settings}
    run = labelprop.train(data, y, out=tmp_path / "run", report=False, **options)
    assert json.loads((run.path / "model.json").read_text())["mean_of_rotations"] == {}
    logits = [
        run.model(torch.from_numpy(np.ascontiguousarray(view))[:, None]) for view in (data, np.rot90(data, 1, (1, 2)))
    ]
    torch.testing.assert_close(*logits, rtol=1e-3, atol=1e-4)
    again = labelprop.train(
        data,
        y,
        out=tmp_path / "again",
        report=False,
        recipe="linear-readout",
        init=run.path,
        epochs=1,
        baselines=False,
    )
    assert again.labels.num_rows == 48
