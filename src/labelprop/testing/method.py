"""`check_method`: what every trained method must keep, tried on a small problem of its own making."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from labelprop.core.distributed import SOLO, Group
from labelprop.core.types import Batch, BatchSpec, Progress, StreamSpec, Task
from labelprop.data.contents import TensorContent
from labelprop.data.views.batches import Loader, draw_epoch
from labelprop.data.views.preprocessing import Preprocessing
from labelprop.data.views.views import Views
from labelprop.methods.base import LossTerms, Method, Outputs
from labelprop.models.network import ModelSpec, build
from labelprop.training.phase_run import of_all

N, D, C = 48, 6, 3
IMAGE = (1, 8, 8)


@dataclass(frozen=True, slots=True, eq=False)
class SmallTraining:
    """Three overlapping blobs, four labels each; a network with every head the method asks for.

    They are vectors, or gray images where the method refuses these.
    """

    make: Callable[[], Method]
    net: nn.Module
    method: Method
    task: Task
    loader: Loader

    @classmethod
    def of(cls, make: Callable[[], Method]) -> SmallTraining:
        generator, method = torch.Generator().manual_seed(0), make()
        vectors = method.refuses((D,)) is None
        shape = (D,) if vectors else IMAGE
        classes_N = torch.arange(N) % C
        examples_N = (2 * torch.randn(C, *shape, generator=generator))[classes_N]
        examples_N = examples_N + torch.randn(N, *shape, generator=generator)
        labels_N = torch.where(torch.arange(N) < 4 * C, classes_N, -1)
        gray_N = (128 + 30 * examples_N).clamp(0, 255).to(torch.uint8)
        content = TensorContent(examples_N, torch.float32) if vectors else TensorContent(gray_N, torch.uint8)
        heads = {name: size or C for name, size in method.heads.items()}
        net = build(ModelSpec("mlp" if vectors else "small_cnn", shape, heads), seed=0)
        task = Task(labels_N, torch.ones(N), C, seed=0)
        method.setup(net, task)
        loader = Loader.over(content, Views(Preprocessing.measure(content), "none"), torch.device("cpu"))
        return cls(make, net, method, task, loader)

    def batch(self, epoch: int = 0) -> Batch:
        """The first batch of an epoch, in the composition the method asks for, with at most 8 rows a stream."""
        asked = self.method.needs
        needs = BatchSpec(
            StreamSpec(min(8, asked.labeled.size), asked.labeled.views),
            StreamSpec(min(8, asked.unlabeled.size), asked.unlabeled.views),
        )
        pool_P = self.method.drawn_from()
        drawn = draw_epoch(self.task, needs, phase=0, epoch=epoch, steps=1, first_step=epoch, pool_P=pool_P)
        return next(self.loader.batches(drawn, needs, self.task, torch.Generator().manual_seed(epoch)))

    def outputs(self, view: str = "eval") -> Outputs:
        """Tools: the outputs on a view of all rows."""
        self.net.eval()
        with torch.no_grad():
            indices = [np.arange(N)]
            found: Outputs = self.net(
                self.loader.views.make(view, next(iter(self.loader.raw(indices)))[1], torch.Generator())
            )
        self.net.train()
        return found

    def outputs_of(self, rows_B: torch.Tensor) -> Outputs:
        """Tools: the same of some rows."""
        return {name: output[rows_B] for name, output in self.outputs().items()}

    def examples(self) -> torch.Tensor:
        """Tools: all rows as they are."""
        return self.loader.content.read(np.arange(N)).float().flatten(1)

    @property
    def group(self) -> Group:
        """Tools: a single process."""
        return SOLO

    def after_step(self, batch: Batch, progress: Progress) -> None:
        found = self.loss(batch)
        with torch.no_grad():
            self.method.after_step(self.net, *of_all(batch, found, SOLO), progress)

    def refresh(self, epoch: int = 0) -> None:
        with torch.no_grad():
            self.method.refresh(self.net, self, epoch)

    def loss(self, batch: Batch) -> LossTerms:
        torch.manual_seed(0)
        self.net.train()
        return self.method.loss(self.net, batch, Progress(5, 10, 0, 10))


def check_method(make: Callable[[], Method], verbose: bool = False) -> None:
    """Raises AssertionError, saying which rule is broken, where the method that `make` builds breaks one.

    `verbose` prints a line where it breaks none.
    """
    for check in CHECKS:
        check(SmallTraining.of(make))
    if verbose:
        print(f"{type(make()).__name__} passes {len(CHECKS)} checks of a method")


def _check_terms(problem: SmallTraining) -> None:
    """Checked in the second epoch: methods that remember an epoch have no terms in the first."""
    problem.refresh()
    batch = problem.batch()
    problem.after_step(batch, Progress(5, 10, 0, 10))
    problem.refresh(1)
    found = problem.loss(batch)
    assert found.terms, "loss() returns no term"
    assert set(found.terms) == set(found.weights), "terms and weights have different names"
    for name, term in found.terms.items():
        assert term.dim() == 0, f"term '{name}' is not a scalar"
        assert torch.isfinite(term), f"term '{name}' is not finite"
        assert term.requires_grad, f"term '{name}' has no gradient: it trains nothing"
        problem.net.zero_grad()
        torch.autograd.backward([term], retain_graph=True)
        largest = max(
            (float(p.grad.abs().max()) for p in problem.net.parameters() if p.grad is not None), default=0.0
        )
        assert largest > 0, f"term '{name}' has no gradient: it trains nothing"
    for name, output in {**found.outputs, **found.own}.items():
        assert not output.requires_grad, f"output '{name}' must be detached"
    n = len(batch.joint.indices_B)
    for name, output in found.outputs.items():
        of_examples = output.dim() == 0 or len(output) == n
        assert of_examples, f"output '{name}' has {len(output)} rows for {n} examples: what is not theirs is `own`"


def _check_reading_changes_nothing(problem: SmallTraining) -> None:
    problem.refresh()
    before, weights = _copy(problem.method.state_dict()), _copy(dict(problem.net.named_parameters()))
    torch.autograd.backward([problem.loss(problem.batch()).total()])
    assert _equal(before, problem.method.state_dict()), "loss() or backward() wrote to the method's state"
    assert _equal(weights, dict(problem.net.named_parameters())), "loss() or backward() moved the network's weights"


def _check_same_answer_twice(problem: SmallTraining) -> None:
    problem.refresh()
    buffers = _copy(dict(problem.net.named_buffers()))
    first = problem.loss(problem.batch())
    for name, value in problem.net.named_buffers():
        value.copy_(buffers[name])
    second = problem.loss(problem.batch())
    for name, term in first.terms.items():
        assert torch.equal(term, second.terms[name]), f"term '{name}' differs between two equal calls"


def _check_state_round_trip(problem: SmallTraining) -> None:
    problem.refresh()
    batch = problem.batch()
    problem.after_step(batch, Progress(5, 10, 0, 10))
    other = SmallTraining.of(problem.make)
    other.net.load_state_dict(problem.net.state_dict())
    other.method.load_state_dict(problem.method.state_dict())
    assert _equal(problem.method.state_dict(), other.method.state_dict()), "state_dict does not round-trip"
    a, b = problem.loss(problem.batch(1)).total(), other.loss(other.batch(1)).total()
    assert torch.equal(a, b), "a restored method computes another loss: some state is not in its buffers"


def _check_given_labels_are_kept(problem: SmallTraining) -> None:
    problem.refresh()
    pseudo = problem.method.pseudo_labels()
    if pseudo is None:
        return
    given = problem.task.labels_N >= 0
    assert torch.equal(pseudo.labels_N[given], problem.task.labels_N[given]), "a given label was overwritten"
    for name in ("certainty_N", "weight_N"):
        values = getattr(pseudo, name)
        assert torch.isfinite(values).all(), f"{name} is not finite"
        assert (values >= 0).all(), f"{name} is negative"
    assert (pseudo.certainty_N <= 1 + 1e-6).all(), "a certainty above 1"


def _check_deployed(problem: SmallTraining) -> None:
    deployed = problem.method.deployed(problem.net).eval()
    with torch.no_grad():
        found = deployed(torch.zeros(2, *problem.loader.content.shape))
    assert found["class"].shape == (2, C), "deployed() must give 'class' logits of shape (B, C)"


def _check_nothing_is_shared(problem: SmallTraining) -> None:
    """A teacher that shares the student's weights always agrees with it: its term trains nothing."""
    batch = problem.batch()
    problem.after_step(batch, Progress(5, 10, 0, 10))
    own = {tensor.data_ptr() for tensor in problem.net.state_dict().values()}
    for name, tensor in problem.method.state_dict().items():
        assert tensor.data_ptr() not in own or not tensor.numel(), f"state '{name}' shares memory with the network"


CHECKS = (
    _check_terms,
    _check_reading_changes_nothing,
    _check_same_answer_twice,
    _check_state_round_trip,
    _check_given_labels_are_kept,
    _check_deployed,
    _check_nothing_is_shared,
)


def _copy(state: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {name: value.detach().clone() for name, value in state.items()}


def _equal(a: Mapping[str, torch.Tensor], b: Mapping[str, torch.Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(value, b[name]) for name, value in a.items())
