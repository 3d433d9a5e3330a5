"""The base of every trained method.

A method reads in `loss` and writes elsewhere: `loss` may advance the random generator and the network's own
normalization statistics, nothing else. All terms see the state from before the step; `after_step` then gets
the outputs of that same forward pass. Buffers are the method's state: they are saved and resumed.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

import torch
from torch import nn

from labelprop.core.distributed import Group
from labelprop.core.types import Batch, BatchSpec, Progress, PseudoLabels, StreamSpec, Task
from labelprop.propagators.estimator.parameters import check_parameters, rules_of

Outputs = Mapping[str, torch.Tensor]
Net = Callable[[torch.Tensor], Outputs]


class Tools(Protocol):
    """The tools that a method may use in `refresh`.

    In the first refresh of a phase that starts from scratch the network is still that of the phase before.
    """

    def outputs(self, view: str = "eval") -> Outputs:
        """The network's outputs in eval mode on a view of all N examples: each (N, .), float32, on the device.

        One pass over the data, made when first asked for and shared by all who ask in the same refresh.
        """

    def outputs_of(self, rows_B: torch.Tensor) -> Outputs:
        """The same of some examples, in their order; a pass over these alone where no other was made."""

    def examples(self) -> torch.Tensor:
        """All N examples as they were read, before any network and without normalization: (N, D) on the device."""

    @property
    def group(self) -> Group:
        """The processes that train together; each of them refreshes."""


@dataclass(frozen=True, slots=True, eq=False)
class LossTerms:
    """Named scalar terms, their weights, and what `after_step` will want, detached.

    `outputs` are rows, one for each example of the joint batch in its order, or single numbers. Where several
    processes train together, `after_step` gets the rows of all of them and the mean of such numbers. `own` is what
    each process keeps to itself, such as statistics of batch normalization.
    """

    terms: Mapping[str, torch.Tensor]
    weights: Mapping[str, float]
    outputs: Outputs = field(default_factory=dict)
    own: Outputs = field(default_factory=dict)

    def total(self) -> torch.Tensor:
        return torch.stack([self.weights[name] * term for name, term in self.terms.items()]).sum()


class Method(nn.Module):
    """Base of all methods: one network, one class head, no state.

    Before `setup` a method is its parameters: the constructor takes keywords, refuses what it cannot use, says what
    it `needs` and, where they are not the class head alone, its `heads`, and builds nothing. A phase of a recipe
    holds such a method as its description, and each training sets up a copy. It is a dataclass whose annotations say
    what its parameters may be, and whose `__post_init__` says the rest, or it has an `__init__` as other modules.

    `first_epoch` is the one, from 0 on, in which its terms begin to count.
    """

    needs: BatchSpec
    first_epoch: int = 0
    heads: Mapping[str, int | None] = {"class": None}

    def __post_init__(self) -> None:
        """Of a method that is a dataclass: refuses what the annotations of its parameters do not allow."""
        super().__init__()
        values = {name: getattr(self, name) for name in inspect.signature(type(self)).parameters}
        check_parameters(type(self).__name__, values, rules_of(type(self)))  # type: ignore[arg-type]  # torch

    def refuses(self, shape: tuple[int, ...]) -> str | None:
        """Why it cannot learn from examples of this shape, (C, H, W) or (D,), as the end of a sentence; None if it
        can."""
        return None

    def setup(self, net: nn.Module, task: Task) -> None:
        """Builds state whose size depends on the data or the network. Called once, before training."""

    def loss(self, net: Net, batch: Batch, progress: Progress) -> LossTerms:
        """The terms of this step."""
        raise NotImplementedError(f"{type(self).__name__} must say its loss (abstract)")

    def after_step(self, net: nn.Module, batch: Batch, outputs: Outputs, progress: Progress) -> None:
        """Moves teachers and banks, from the step's own forward pass.

        `batch.joint.indices_B` are the examples of this step, of all processes that train together; views are gone.
        """

    def refresh(self, net: nn.Module, tools: Tools, epoch: int) -> None:
        """Before each epoch and once after the last, in eval mode, without gradients."""

    @property
    def refreshes(self) -> bool:
        """Whether it looks at all examples before an epoch, which takes time."""
        return type(self).refresh is not Method.refresh

    def refresh_seconds(self, shape: tuple[int, ...], task: Task) -> float | None:
        """Seconds of its first refresh on examples of this shape, where that is long and known without doing it."""
        return None

    def deployed(self, net: nn.Module) -> nn.Module:
        """The module that predicts and is exported; its outputs hold 'class' logits."""
        return net

    def pseudo_labels(self) -> PseudoLabels | None:
        """The labels it currently trains on, for all N rows; None for methods without such a table."""
        return None

    def embeddings(self) -> torch.Tensor | None:
        """Unit vectors it keeps of all N rows, (N, D); None for methods without a bank."""
        return None

    def drawn_from(self) -> torch.Tensor | None:
        """Rows that the unlabeled stream draws from in the coming epoch, int64 (P,); None for the usual ones."""
        return None


class Sum(Method):
    """Several methods trained together: their terms are added.

    They share one forward pass a view. The first one decides what is deployed; pseudo-labels and rows to draw from
    are those of the first method that has any. Streams are the largest any of them asks for, and views the longest
    list; these lists must agree where they overlap.
    """

    def __init__(self, *methods: Method) -> None:
        super().__init__()
        self.methods = nn.ModuleList(methods)
        self.needs = BatchSpec(
            labeled=_merge([method.needs.labeled for method in methods]),
            unlabeled=_merge([method.needs.unlabeled for method in methods]),
        )
        self.heads = {name: size for method in methods for name, size in method.heads.items()}

    def _parts(self) -> list[tuple[str, Method]]:
        return [(name, part) for name, part in self.methods.named_children() if isinstance(part, Method)]

    def refuses(self, shape: tuple[int, ...]) -> str | None:
        return next((why for _, part in self._parts() if (why := part.refuses(shape)) is not None), None)

    def setup(self, net: nn.Module, task: Task) -> None:
        for _, part in self._parts():
            part.setup(net, task)

    def loss(self, net: Net, batch: Batch, progress: Progress) -> LossTerms:
        shared = SharedForward(net)
        terms: dict[str, torch.Tensor] = {}
        weights: dict[str, float] = {}
        outputs: dict[str, torch.Tensor] = {}
        own: dict[str, torch.Tensor] = {}
        for name, part in self._parts():
            found = part.loss(shared, batch, progress)
            for term in found.terms:
                unique = term if term not in terms else f"{term}.{name}"
                terms[unique], weights[unique] = found.terms[term], found.weights[term]
            outputs |= {f"{name}/{key}": value for key, value in found.outputs.items()}
            own |= {f"{name}/{key}": value for key, value in found.own.items()}
        return LossTerms(terms, weights, outputs, own)

    def after_step(self, net: nn.Module, batch: Batch, outputs: Outputs, progress: Progress) -> None:
        for name, part in self._parts():
            own = {key.removeprefix(f"{name}/"): out for key, out in outputs.items() if key.startswith(f"{name}/")}
            part.after_step(net, batch, own, progress)

    def refresh(self, net: nn.Module, tools: Tools, epoch: int) -> None:
        for _, part in self._parts():
            part.refresh(net, tools, epoch)

    @property
    def refreshes(self) -> bool:
        return any(part.refreshes for _, part in self._parts())

    def deployed(self, net: nn.Module) -> nn.Module:
        return self._parts()[0][1].deployed(net)

    def pseudo_labels(self) -> PseudoLabels | None:
        return next((found for _, part in self._parts() if (found := part.pseudo_labels()) is not None), None)

    def embeddings(self) -> torch.Tensor | None:
        return next((found for _, part in self._parts() if (found := part.embeddings()) is not None), None)

    def drawn_from(self) -> torch.Tensor | None:
        return next((found for _, part in self._parts() if (found := part.drawn_from()) is not None), None)


class SharedForward:
    """A network that computes each input once: parts of a Sum that ask for the same view get the same outputs."""

    def __init__(self, net: Net) -> None:
        self._net = net
        self._seen: list[tuple[torch.Tensor, Outputs]] = []  # holds the input, so its identity cannot be reused

    def __call__(self, x: torch.Tensor) -> Outputs:
        for known, outputs in self._seen:
            if known is x:
                return outputs
        outputs = self._net(x)
        self._seen.append((x, outputs))
        return outputs


def bare(net: Net) -> nn.Module:
    """The network itself, without what shares or wraps its passes."""
    if isinstance(net, SharedForward):
        return bare(net._net)
    inner = getattr(net, "module", net)  # Fabric's wrapper, DistributedDataParallel
    assert isinstance(inner, nn.Module), "a network is a module"
    return inner


def frozen_statistics(net: Net) -> Net:
    """The network in its present mode, with passes that leave its running statistics unchanged.

    For gradients with respect to the input (`torch.autograd.grad` leaves those of the parameters alone), and for a
    second pass in the same step. Parameters get gradients from these passes as usual.
    """
    module = bare(net)

    def look(x: torch.Tensor) -> Outputs:
        buffers = {name: value.clone() for name, value in module.named_buffers()}
        outputs: Outputs = torch.func.functional_call(module, buffers, (x,))
        return outputs

    return look


def _merge(streams: list[StreamSpec]) -> StreamSpec:
    used = [stream for stream in streams if stream.size]
    if not used:
        return StreamSpec(0)
    views = max((stream.views for stream in used), key=len)
    if any(stream.views != views[: len(stream.views)] for stream in used):
        raise ValueError(f"methods of one Sum ask for views in different orders: {[s.views for s in used]}")
    return StreamSpec(max(stream.size for stream in used), views)
