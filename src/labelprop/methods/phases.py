"""A system is a list of phases; a phase is a method with a length, an optimizer and a schedule."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from torch import nn

from labelprop.core.errors import RequestError
from labelprop.core.types import BatchSpec
from labelprop.functional import schedule
from labelprop.methods.base import Method
from labelprop.models.trunks.trunk import Trunk

MIN_STEPS = 100  # of a phase beside the main one
NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)

PassOver = Literal["unlabeled", "labeled", "all"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sgd:
    """SGD with Nesterov momentum; the rate is the peak of the phase's schedule.

    `decay_norms=False` leaves scales and shifts of batch norm out of the weight decay (the released code of LLP).
    """

    lr: float = 0.05
    momentum: float = 0.9
    weight_decay: float = 2e-4
    nesterov: bool = True
    decay_norms: bool = True

    def __post_init__(self) -> None:
        for name in ("lr", "weight_decay", "momentum"):
            value = getattr(self, name)
            if not 0 <= value < float("inf") or (name == "lr" and value == 0):
                raise RequestError(f"{name}={value} must be a number {'above' if name == 'lr' else 'of at least'} 0.")

    def build(self, net: nn.Module, method: nn.Module | None = None) -> torch.optim.Optimizer:
        """Over all parameters of the network, so that its state fits every phase; the frozen ones get no gradient.

        Behind them come those that the method itself learns: a second network, for instance.
        """
        own = [] if method is None else [parameter for parameter in method.parameters() if parameter.requires_grad]
        norms = set() if self.decay_norms else {id(p) for part in (net, method) for p in _of_norms(part)}
        rates = {id(p): rate for part in (net, method) for p, rate in _own_rates(part)}
        groups: dict[tuple[bool, float], list[nn.Parameter]] = {(True, 1.0): []}
        for parameter in [*net.parameters(), *own]:
            key = id(parameter) not in norms, rates.get(id(parameter), 1.0)
            groups.setdefault(key, []).append(parameter)
        return torch.optim.SGD(
            [
                {"params": group, "rate": rate, "weight_decay": self.weight_decay if decayed else 0.0}
                for (decayed, rate), group in groups.items()
            ],
            lr=self.lr,
            momentum=self.momentum,
            nesterov=self.nesterov and self.momentum > 0,
        )


def _of_norms(module: nn.Module | None) -> list[nn.Parameter]:
    """Scales and shifts of batch norm."""
    parts = [] if module is None else module.modules()
    return [parameter for part in parts if isinstance(part, NORMS) for parameter in part.parameters()]


def _own_rates(module: nn.Module | None) -> Iterator[tuple[nn.Parameter, float]]:
    """Parameters of trunks that learn at another rate than new weights, each with its factor."""
    for part in () if module is None else module.modules():
        if isinstance(part, Trunk) and part.rate != 1:
            for parameter in part.parameters():
                yield parameter, part.rate


@dataclass(frozen=True, slots=True, kw_only=True)
class Phase:
    """One phase of training.

    `method` is the method as its parameters stand, before `setup`; trainings work on a `copy` of it. `share` is its
    length in units of the main phase's steps (the main phase has 1), at least 100 steps. Weights pass from phase to
    phase, unless it starts `from_scratch`, when its method may still use the weights of the phase before in its first
    refresh; `keep_optimizer` also passes the optimizer's state, and `keep_state` the banks, teachers and, to a method
    of the same type, all tables. Without `trains_trunk` only heads learn: a readout.
    """

    name: str
    method: Method
    share: float = 1.0
    optimizer: Sgd = field(default_factory=Sgd)
    schedule: schedule.Schedule = schedule.cosine
    keep_optimizer: bool = False
    keep_state: bool = False
    trains_trunk: bool = True
    from_scratch: bool = False

    def __post_init__(self) -> None:
        if not isinstance(self.method, Method):  # its class, or a function that makes one: the form of version 0.1.0
            object.__setattr__(self, "method", self.method())

    @property
    def needs(self) -> BatchSpec:
        """The streams and views that its method takes in every step."""
        return self.method.needs

    @property
    def heads(self) -> Mapping[str, int | None]:
        """Outputs that it trains, with their sizes; None stands for the number of classes."""
        return self.method.heads

    def refuses(self, shape: tuple[int, ...]) -> str | None:
        """Why it cannot learn from examples of this shape, (C, H, W) or (D,), as a predicate; None if it can."""
        return self.method.refuses(shape)

    def new_method(self) -> Method:
        """A method to train with, without state."""
        return copy.deepcopy(self.method)

    def steps(self, main_steps: int) -> int:
        return main_steps if self.share == 1 else max(MIN_STEPS, round(self.share * main_steps))


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """A system: its phases (the first with share 1 is the main one), what its network needs, and its settings.

    `pass_over` says what an epoch of the main phase passes over: the unlabeled examples, or, where a paper counts
    so, the labeled ones or all.
    """

    name: str
    phases: tuple[Phase, ...]
    l2_feature: bool = False
    pass_over: PassOver = "unlabeled"
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def main(self) -> Phase:
        return next(phase for phase in self.phases if phase.share == 1)

    def heads(self, n_classes: int) -> dict[str, int]:
        """All heads that any phase trains, with their sizes; None stands for the number of classes."""
        found: dict[str, int] = {}
        for phase in self.phases:
            found |= {name: size or n_classes for name, size in phase.heads.items()}
        return found
