"""check_method over the methods of all registered recipes, and mutants that it must catch."""

from __future__ import annotations

import pytest
import torch

from labelprop.core import registry
from labelprop.methods.base import LossTerms, Method, Sum
from labelprop.methods.diffusion_labels import DiffusionLabels
from labelprop.methods.local_labels import LocalLabels
from labelprop.methods.mean_teacher import MeanTeacher
from labelprop.methods.supervised import Supervised
from labelprop.testing import check_method, check_propagator
from labelprop.training import recipes

SURE = {"threshold": 0.4}  # of three classes: a network that has learned nothing must pass it to learn from a term


def settings_of(recipe: str) -> dict[str, float]:
    known = registry.parameters("recipes", recipe)
    return {name: value for name, value in SURE.items() if name in known}


FORMS: list[tuple[str, dict[str, object]]] = [  # other methods than those of the defaults
    ("pseudo-label", {"form": "two-stage"}),
    ("uda", {"annealing": "linear", **SURE}),
    ("dmt", {"source": "knn"}),
    ("dmt", {"weighted": True}),
    ("llp", {"label_source": "diffusion"}),
    ("llp", {"label_source": "head"}),
    ("ir", {"noise": 16}),
]
PHASES = [
    pytest.param(phase.new_method, id="/".join([name, *map(str, form.values()), phase.name]))
    for name, form in [*((name, {}) for name in registry.entries("recipes")), *FORMS]
    for phase in recipes.build(name, form or settings_of(name)).phases
]


@pytest.mark.parametrize("make", PHASES)
def test_every_phase_of_every_recipe(make) -> None:
    check_method(make)


def test_a_sum_of_methods() -> None:
    check_method(lambda: Sum(DiffusionLabels(batch_size=16, labeled_batch_size=8), Supervised(batch_size=8)))


class DeadTerm(Supervised):
    def loss(self, net, batch, progress):
        found = super().loss(net, batch, progress)
        return LossTerms({**found.terms, "dead": torch.zeros((), requires_grad=True)}, {**found.weights, "dead": 1.0})


class WritesInLoss(Supervised):
    def loss(self, net, batch, progress):
        self.weights_N.mul_(0.5)
        return super().loss(net, batch, progress)


class _WriteInBackward(torch.autograd.Function):
    @staticmethod
    def forward(ctx, value, state):
        ctx.state = state
        return value.clone()

    @staticmethod
    def backward(ctx, grad):
        ctx.state.add_(1)
        return grad, None


class WritesInBackward(Supervised):
    def loss(self, net, batch, progress):
        found = super().loss(net, batch, progress)
        return LossTerms(
            {n: _WriteInBackward.apply(t, self.weights_N) for n, t in found.terms.items()}, found.weights
        )


class ForgetsState(DiffusionLabels):
    def setup(self, net, task):
        super().setup(net, task)
        self.factor = 1.0

    def after_step(self, net, batch, outputs, progress):
        self.factor = 0.5

    def loss(self, net, batch, progress):
        found = super().loss(net, batch, progress)
        return LossTerms({name: term * self.factor for name, term in found.terms.items()}, found.weights)


class OverwritesGiven(DiffusionLabels):
    def refresh(self, net, tools, epoch):
        super().refresh(net, tools, epoch)
        self.label_N.copy_((self.label_N + 1) % 3)


class SharesWeights(MeanTeacher):
    def setup(self, net, task):
        super().setup(net, task)
        self.teacher.net = net


class AgreesWithItself(MeanTeacher):
    """Compares the teacher's logits with themselves, as a published library does."""

    def loss(self, net, batch, progress):
        found = super().loss(net, batch, progress)
        logits = self.teacher.training_outputs(batch.joint.views_V[1])[0]["class"]
        terms = {**found.terms, "consistency": (logits.softmax(1) - logits.softmax(1)).square().mean()}
        return LossTerms(terms, found.weights, found.outputs, found.own)


class TeachesInLoss(MeanTeacher):
    """Lets the forward pass write the teacher's running statistics."""

    def loss(self, net, batch, progress):
        self.teacher.net.train()(batch.joint.views_V[1])
        self.teacher.steps += 1
        return super().loss(net, batch, progress)


class WritesTheBankFirst(LocalLabels):
    def loss(self, net, batch, progress):
        found = super().loss(net, batch, progress)
        self.bank.write(batch.joint.indices_B, found.outputs["embedding"])
        return found


@pytest.mark.parametrize(
    ("mutant", "said"),
    [
        (SharesWeights, "shares memory with the network|loss.. or backward.. wrote"),
        (AgreesWithItself, "no gradient"),
        (TeachesInLoss, "wrote to the method's state"),
        (WritesTheBankFirst, "wrote to the method's state"),
        (DeadTerm, "no gradient"),
        (WritesInLoss, "wrote to the method's state"),
        (WritesInBackward, "wrote to the method's state"),
        (ForgetsState, "not in its buffers"),
        (OverwritesGiven, "given label was overwritten"),
    ],
)
def test_mutants_are_caught(mutant: type[Method], said: str) -> None:
    with pytest.raises(AssertionError, match=said):
        check_method(mutant)


def test_a_line_is_printed_where_it_is_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    check_method(Supervised)
    check_propagator("weighted-knn")
    assert capsys.readouterr().out == ""
    check_method(Supervised, verbose=True)
    check_propagator("weighted-knn", verbose=True)
    first, second = capsys.readouterr().out.splitlines()
    assert first.startswith("Supervised passes 7 ")
    assert second.startswith("WeightedKNN passes ")
