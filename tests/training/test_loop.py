"""The loop: stops on a loss that is not finite, keeps the caller's generator, follows the schedule."""

from __future__ import annotations

import math
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch

from labelprop.core.clock import StageClock
from labelprop.core.errors import NonFiniteLossError
from labelprop.core.types import Task
from labelprop.data.contents import TensorContent
from labelprop.data.views.batches import Loader
from labelprop.data.views.preprocessing import Preprocessing
from labelprop.data.views.views import Views
from labelprop.functional import schedule
from labelprop.methods.base import LossTerms, Sum
from labelprop.methods.diffusion_labels import DiffusionLabels
from labelprop.methods.phases import Phase, Recipe, Sgd
from labelprop.methods.supervised import Supervised
from labelprop.models.network import ModelSpec, build
from labelprop.training import loop
from labelprop.training.job import Job, Lengths, WorkMeter, make_fabric


class Lines(list):
    """History in memory."""

    def append_history(self, line) -> None:
        self.append(dict(line))

    def cut_history(self, training: str, lines: int) -> None: ...


def job(method, *, steps: int = 40, per_epoch: int = 10, **options) -> Job:
    generator = torch.Generator().manual_seed(0)
    classes_N = torch.arange(60) % 3
    vectors_ND = 2 * torch.eye(5)[classes_N] + torch.randn(60, 5, generator=generator)
    content = TensorContent(vectors_ND, torch.float32)
    recipe = Recipe(name="r", phases=(Phase(name="main", method=method, optimizer=Sgd(lr=0.1)),))
    return Job(
        label="r",
        recipe=recipe,
        lengths=Lengths((steps,), per_epoch),
        task=Task(torch.where(torch.arange(60) < 12, classes_N, -1), torch.ones(60), 3, seed=0),
        loader=Loader.over(content, Views(Preprocessing.measure(content), "none"), torch.device("cpu")),
        build=lambda: build(ModelSpec("mlp", (5,), {"class": 3}), seed=0),
        fabric=make_fabric(torch.device("cpu"), False),
        meter=WorkMeter(steps),
        clock=StageClock(),
        **options,
    )


class WithSecondNetwork(Supervised):
    """Trains a network of its own beside the one it is given."""

    def setup(self, net, task) -> None:
        super().setup(net, task)
        self.second = build(ModelSpec("mlp", (5,), {"class": 3}), seed=1)
        self.start = self.second.trunk.layers[1].weight.detach().clone()

    def loss(self, net, batch, progress):
        first, second = super().loss(net, batch, progress), super().loss(self.second, batch, progress)
        terms = {"first": first.terms["supervised"], "second": second.terms["supervised"]}
        return LossTerms(terms, dict.fromkeys(terms, 1.0))


def test_what_a_method_learns_itself_is_trained_too_and_resumed() -> None:
    history = Lines()
    trained = loop.run(job(lambda: WithSecondNetwork(batch_size=6), history=history, steps=100))
    assert history[-1]["terms"]["second"] < 0.7 * history[0]["terms"]["second"]
    assert not torch.equal(trained.method.second.trunk.layers[1].weight, trained.method.start)


def test_a_phase_from_scratch_starts_from_the_first_weights() -> None:
    def after(from_scratch: bool) -> torch.Tensor:
        made = job(lambda: Supervised(batch_size=6))
        still = Phase(name="still", method=lambda: Supervised(batch_size=6), optimizer=Sgd(lr=1e-12, weight_decay=0))
        phases = (made.recipe.main, replace(still, from_scratch=from_scratch))
        recipe = replace(made.recipe, phases=phases)
        return (
            loop.run(replace(made, recipe=recipe, lengths=Lengths((40, 10), 10))).net.trunk.layers[1].weight.detach()
        )

    first = build(ModelSpec("mlp", (5,), {"class": 3}), seed=0).trunk.layers[1].weight
    torch.testing.assert_close(after(True), first)
    assert not torch.allclose(after(False), first)


class Diverges(Supervised):
    def loss(self, net, batch, progress):
        found = super().loss(net, batch, progress)
        bad = found.terms["supervised"] * (math.nan if progress.step >= 15 else 1.0)
        return LossTerms({"supervised": found.terms["supervised"], "bad": bad}, {"supervised": 1.0, "bad": 1.0})


def test_a_loss_that_is_not_finite_stops_training_and_names_all_terms() -> None:
    history = Lines()
    with pytest.raises(NonFiniteLossError) as error:
        loop.run(job(lambda: Diverges(batch_size=6), history=history))
    assert "bad nan" in str(error.value)
    assert "supervised " in str(error.value)
    assert "--set lr=" in str(error.value)
    assert [line["epoch"] for line in history] == [1], "the epoch in which it diverged is not recorded"


def test_the_callers_generator_is_left_alone() -> None:
    torch.manual_seed(7)
    expected = torch.rand(1)
    torch.manual_seed(7)
    loop.run(job(lambda: Supervised(batch_size=6)))
    assert torch.equal(torch.rand(1), expected)


def test_the_rate_follows_the_schedule_by_step() -> None:
    history = Lines()
    loop.run(job(lambda: Supervised(batch_size=6), history=history))
    expected = [0.1 * schedule.cosine(step / 40) for step in (9, 19, 29, 39)]
    assert [line["lr"] for line in history] == pytest.approx(expected)
    assert schedule.cosine(0) == 1
    assert schedule.cosine(1) == pytest.approx(0.5 * (1 + math.cos(math.pi * 180 / 210)))


def test_a_sum_trains_its_parts_on_one_forward_pass() -> None:
    passes = []

    class Counted(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net = build(ModelSpec("mlp", (5,), {"class": 3}), seed=0)

        def forward(self, x):
            if self.training:
                passes.append(len(x))
            return self.net(x)

    def both() -> Sum:
        parts = [DiffusionLabels(batch_size=12, labeled_batch_size=6, propagation={"n_neighbors": 5}) for _ in "ab"]
        return Sum(*parts)

    history = Lines()
    loop.run(replace(job(both, history=history), build=Counted))
    assert len(passes) == 40, "two parts that ask for the same view share its forward pass"
    assert set(history[0]["terms"]) == {"diffusion_labels", "diffusion_labels.1"}
    assert history[0]["terms"]["diffusion_labels"] == history[0]["terms"]["diffusion_labels.1"]
    assert history[0]["loss"] == pytest.approx(2 * history[0]["terms"]["diffusion_labels"])


def test_what_follows_training_counts_as_work_at_its_pace(monkeypatch) -> None:
    """10 passes a second, so 5 seconds of closing are 50 passes beside the 100 of training."""
    now, told = [0.0], []
    monkeypatch.setattr("labelprop.training.job.time.perf_counter", lambda: now[0])
    reporter = SimpleNamespace(advance=lambda stage, done, total: told.append((done, total)))
    meter = WorkMeter(100, reporter, closing=5, began=0.0)
    meter.skip(40)
    for now[0] in (1.0, 2.0):
        meter.advance("main", 10)
    assert told == [(50, 150), (60, 150)]
