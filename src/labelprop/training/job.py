"""The parts of one training: its recipe and length, the data, the network, and its monitor."""

from __future__ import annotations

import inspect
import logging
import os
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

import numpy as np
import torch
from lightning_fabric import Fabric
from lightning_fabric.strategies import DDPStrategy
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from labelprop.core.callbacks import Callbacks
from labelprop.core.clock import StageClock
from labelprop.core.distributed import Group, this_machine
from labelprop.core.errors import RequestError
from labelprop.core.progress import Reporter, Silent
from labelprop.core.ranks import started_together
from labelprop.core.types import Snapshot, Task
from labelprop.data.views.batches import Loader
from labelprop.methods.base import Method
from labelprop.methods.phases import Recipe
from labelprop.training.checkpoint import Checkpoints

Precision = Literal["float32", "bf16"]
STEP_PASSES = 3.0  # a step's forward and backward pass of an example, in forward passes


class MonitorLike(Protocol):
    """Turns what training shows into numbers for the history; it alone may know the truth."""

    def wants_outputs(self, epoch: int, epochs: int) -> bool:
        """Whether the numbers of this epoch need the network's outputs, which may cost a pass over the data."""

    def rehearsing(self) -> MonitorLike:
        """The same, keeping nothing."""

    def __call__(self, epoch: int, snapshot: Snapshot) -> Mapping[str, Any]: ...


class HistoryLike(Protocol):
    """Where a line an epoch is kept."""

    def append_history(self, line: Mapping[str, Any]) -> None: ...

    def cut_history(self, training: str, lines: int) -> None: ...


@dataclass(frozen=True, slots=True)
class Lengths:
    """How many steps each phase takes, and how many make an epoch."""

    steps: tuple[int, ...]
    steps_per_epoch: int

    def epochs(self, phase: int) -> int:
        return -(-self.steps[phase] // self.steps_per_epoch)

    def steps_in(self, phase: int, epoch: int) -> int:
        return min(self.steps_per_epoch, self.steps[phase] - epoch * self.steps_per_epoch)

    def taken(self, phase: int, epoch: int) -> tuple[int, ...]:
        """Steps of each phase when `epoch` epochs of `phase` are done."""
        here = min(epoch * self.steps_per_epoch, self.steps[phase])
        return (*self.steps[:phase], here, *(0 for _ in self.steps[phase + 1 :]))

    def steps_before(self, phase: int, epoch: int) -> int:
        """Steps taken when `epoch` epochs of `phase` are done."""
        return sum(self.taken(phase, epoch))


@dataclass(slots=True)
class WorkMeter:
    """Counts the work of all jobs for the progress display, in passes of an example (`Job.step_passes`).

    `closing` are seconds that follow training: as many passes as are done in that time.
    """

    total: float = 1
    reporter: Reporter = field(default_factory=Silent)
    closing: float = 0.0
    done: float = 0
    skipped: float = 0
    began: float = field(default_factory=time.perf_counter)

    def skip(self, work: float) -> None:
        """What an interrupted run did already."""
        self.done += work
        self.skipped += work

    def advance(self, stage: str, work: float) -> None:
        self.done += work
        pace = (self.done - self.skipped) / max(time.perf_counter() - self.began, 1e-9)
        self.reporter.advance(stage, min(self.done, self.total), self.total + self.closing * pace)


@dataclass(frozen=True, slots=True, eq=False)
class Job:
    """All that one training needs. `label` names it in the history: the recipe or the baseline."""

    label: str
    recipe: Recipe
    lengths: Lengths
    task: Task
    loader: Loader
    build: Callable[[], nn.Module]
    fabric: Fabric
    clock: StageClock
    meter: WorkMeter = field(default_factory=WorkMeter)
    checkpoints: Checkpoints | None = None
    history: HistoryLike | None = None
    monitor: MonitorLike | None = None
    callbacks: Callbacks = field(default_factory=Callbacks)
    compiled: bool = False  # the network's passes in training, by torch.compile

    def step_passes(self, phase: int) -> float:
        """What a step of a phase costs, with its share of the epoch's refresh, in passes of an example."""
        spec = self.recipe.phases[phase]
        refresh = self.task.n / self.lengths.steps_per_epoch if spec.method.refreshes else 0.0
        return STEP_PASSES * spec.needs.passes + refresh

    def passes(self, steps: Sequence[int]) -> float:
        """What so many steps of each phase cost, likewise."""
        return sum(n * self.step_passes(phase) for phase, n in enumerate(steps))

    @property
    def group(self) -> Group:
        """The processes that train together, one a device. Only the first keeps checkpoints and a history."""
        return Group(self.fabric.global_rank, self.fabric.world_size)


@dataclass(frozen=True, slots=True, eq=False)
class TrainedNetwork:
    """The network and method at the end of the last phase."""

    net: nn.Module
    method: Method


def epoch_seeds(seed: int, phase: int, epoch: int, rank: int) -> tuple[int, int]:
    """Seeds for torch of an epoch's dropout and of its views; unrelated for different keys."""
    others = [rank] if rank else []
    keys = ([seed, phase, epoch, kind, *others] for kind in (0, 1))
    dropout, views = (int(np.random.SeedSequence(key).generate_state(1, np.uint64)[0] >> 1) for key in keys)
    return dropout, views


def _sync_of_buffers() -> str:
    """The argument of torch for copying buffers from the first process at each step; torch 2.13 renamed it.

    Statistics of batch normalization are each process's own until a pass in eval mode asks for them.
    """
    known = inspect.signature(DistributedDataParallel.__init__).parameters
    return "forward_sync_buffers" if "forward_sync_buffers" in known else "broadcast_buffers"


def resolve_precision(precision: str, device: torch.device) -> Precision:
    """The network's passes: "auto" is bf16 (autocast, weights in float32) on a GPU that has it, else float32.

    On a CPU bf16 has to be asked for: it is faster with AVX512-BF16 or AMX, slower without. Losses, banks and
    propagation are in float32 either way.
    """
    has_bf16 = device.type == "cpu" or torch.cuda.is_bf16_supported()
    if precision == "bf16" and not has_bf16:
        raise RequestError(f"--precision bf16: {torch.cuda.get_device_name(device)} does not have it; use float32.")
    if precision == "auto":
        return "bf16" if device.type == "cuda" and has_bf16 else "float32"
    return "bf16" if precision == "bf16" else "float32"


def make_fabric(device: torch.device, deterministic: bool, precision: Precision = "float32") -> Fabric:
    """Fabric for this process's device.

    `deterministic` asks CUDA for repeatable kernels; on a CPU they are repeatable for a given thread count. Where
    this process was started as one of several, it meets the others here.
    """
    on_gpu = device.type == "cuda"
    if on_gpu:
        if deterministic:
            os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # cuBLAS repeats only with this
        torch.use_deterministic_algorithms(deterministic)
    settings: dict[str, Any] = {
        "accelerator": "cuda" if on_gpu else "cpu",
        "devices": 1,
        "precision": "bf16-mixed" if precision == "bf16" else "32-true",
    }
    if started_together():
        devices, machines = this_machine()
        settings |= {
            "devices": devices,
            "num_nodes": machines,
            "strategy": DDPStrategy(**{_sync_of_buffers(): False}),
        }
        # Images have their channels innermost and weights have not, which is meant: see `models.network`.
        warnings.filterwarnings("ignore", message="Grad strides do not match bucket view strides")
    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)  # it would log its settings and processes
    fabric = Fabric(**settings)
    if started_together():
        fabric.launch()
    return fabric
