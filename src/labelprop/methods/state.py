"""State that methods keep between steps, beside tables of labels: memory banks and teachers.

A `State` passes from phase to phase where the recipe says so, from one method to another: the bank that instance
recognition filled is the one that local label propagation votes with.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from labelprop.methods.base import Method, Outputs, Sum
from labelprop.models.trunks.trunk import Trunk

RULES = ("own", "copy", "ema")


def last_of(indices_B: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Each example of a batch once, and where in the batch it comes last: how a table of examples is written."""
    rows_R, place_B = torch.unique(indices_B, return_inverse=True)
    order_B = torch.arange(len(indices_B), device=indices_B.device)
    return rows_R, torch.zeros_like(rows_R).scatter_reduce_(0, place_B, order_B, "amax")


class State(nn.Module):
    """State that a later phase may take over from an earlier one's state of the same type.

    A network that it holds passes examples inside `autocast()`, which training sets to the precision of the first.
    `inherited` says that an earlier phase has trained it.
    """

    inherited = False
    autocast: Callable[[], AbstractContextManager[Any]] = staticmethod(nullcontext)


class MemoryBank(State):
    """One unit vector for each of N examples, moved toward the network's embedding when the example is seen.

    v_i <- normalize(m v_i + (1 - m) v) (Wu et al. 2018, released code). Starts from random directions, which depend
    on the seed alone.
    """

    vectors_ND: torch.Tensor

    def __init__(self, n: int, dim: int, *, momentum: float, seed: int, like: torch.Tensor) -> None:
        super().__init__()
        self.momentum = momentum
        drawn_ND = torch.randn(n, dim, generator=torch.Generator().manual_seed(seed))
        self.register_buffer("vectors_ND", F.normalize(drawn_ND, dim=1).to(like))

    def write(self, indices_B: torch.Tensor, vectors_BD: torch.Tensor) -> None:
        """Moves the rows of these examples; of an example that comes twice in a batch the last one counts."""
        rows_R, last_R = last_of(indices_B)
        moved_RD = self.momentum * self.vectors_ND[rows_R] + (1 - self.momentum) * vectors_BD[last_R]
        self.vectors_ND[rows_R] = F.normalize(moved_RD, dim=1).to(self.vectors_ND.dtype)


class SecondNetwork(State):
    """A copy of the network that is trained, with weights of its own."""

    def __init__(self, net: nn.Module, *, learns: bool) -> None:
        super().__init__()
        self.net = copy.deepcopy(net).requires_grad_(learns)

    def training_outputs(self, x: torch.Tensor) -> tuple[Outputs, dict[str, torch.Tensor]]:
        """Its outputs in training mode, and its buffers as they will be after the step.

        Nothing is written: a loss only reads.
        """
        buffers = {name: value.clone() for name, value in self.net.named_buffers()}
        with self.autocast():
            outputs: Outputs = torch.func.functional_call(self.net.train(), buffers, (x,))
        return outputs, buffers


class Ema(SecondNetwork):
    """A teacher: a copy of the network whose weights follow those of the student slowly.

    theta' <- a theta' + (1 - a) theta with a = min(t / (t + lag), decay), t the steps taken from 1 on. With lag 1 it
    is at first the mean of all steps (Tarvainen & Valpola 2017), with larger ones that of about the last t / lag.
    Starts as the student; the released code of Mean Teacher starts from random weights, which a = 1/2 at the first
    step half forgets.

    `statistics` says what becomes of batch normalization's running statistics: "own" (the released code: the teacher
    runs in training mode and keeps its own), "copy" (the student's), "ema" (followed like the weights).
    """

    steps: torch.Tensor

    def __init__(self, net: nn.Module, *, decay: float, statistics: str = "own", lag: float = 1) -> None:
        super().__init__(net, learns=False)
        self.decay, self.statistics, self.lag = decay, statistics, lag
        self.register_buffer("steps", torch.zeros((), dtype=torch.int64, device=next(net.parameters()).device))

    @torch.no_grad()
    def training_outputs(self, x: torch.Tensor) -> tuple[Outputs, dict[str, torch.Tensor]]:
        return super().training_outputs(x)

    def follow(self, student: nn.Module, buffers: dict[str, torch.Tensor]) -> None:
        """One step after the student, with the buffers of `training_outputs`."""
        self.steps += 1
        kept = (1 - self.lag / (self.steps.double() + self.lag)).clamp_max(self.decay)
        for own, other in zip(self.net.parameters(), student.parameters(), strict=True):
            own.lerp_(other, (1 - kept).to(own))
        theirs = dict(student.named_buffers())
        for name, buffer in self.net.named_buffers():
            if self.statistics == "own":
                buffer.copy_(buffers[name])
            elif self.statistics == "ema" and buffer.is_floating_point():
                buffer.lerp_(theirs[name], (1 - kept).to(buffer))
            else:
                buffer.copy_(theirs[name])


class Peer(SecondNetwork):
    """A second network, of the same kind and from other first weights, that learns beside the first.

    Its first weights are the first network's, each tensor with its numbers in another order: as random as the
    initialization that drew them, whatever that is. A trunk that was trained before is kept as it is. The optimizer
    trains what is trained of the first network, since its weights are the method's.
    """

    def __init__(self, net: nn.Module, *, seed: int) -> None:
        super().__init__(net, learns=True)
        trunks = [part for part in self.net.modules() if isinstance(part, Trunk)]
        kept = {id(parameter) for trunk in trunks if trunk.learned for parameter in trunk.parameters()}
        for trunk in trunks:
            for parameter in trunk.fixed():
                parameter.requires_grad_(False)
        generator = torch.Generator().manual_seed(seed)
        with torch.no_grad():
            for parameter in self.net.parameters():
                if id(parameter) in kept:
                    continue
                order = torch.randperm(parameter.numel(), generator=generator).to(parameter.device)
                parameter.copy_(parameter.flatten()[order].view_as(parameter))

    def keep(self, buffers: Outputs) -> None:
        """After the step, with the buffers of `training_outputs`."""
        for name, buffer in self.net.named_buffers():
            buffer.copy_(buffers[name])


def take_over(method: Method, before: Method) -> None:
    """Gives a method what an earlier phase's method learned.

    A part of the same type (a `Sum` is looked through) passes on all its tables, and otherwise the banks and teachers
    it holds; what has no counterpart keeps what it was set up with.
    """
    known = [part for part in before.modules() if isinstance(part, Method | State)]
    for part in method.modules():
        twin = next((other for other in known if type(other) is type(part)), None)
        if twin is not None and not isinstance(part, Sum):
            part.load_state_dict(twin.state_dict())
            if isinstance(part, State):
                part.inherited = True
