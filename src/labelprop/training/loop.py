"""The training loop: phases, epochs, steps. It knows no method, recipe or metric by name.

Before each epoch and after the last the method refreshes what it keeps, and a monitor (if there is one) turns
a snapshot into numbers. After each epoch everything is saved. All randomness of an epoch comes from (seed,
phase, epoch), so a run continued from any checkpoint equals one that was never interrupted.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import torch
from lightning_fabric import Fabric
from torch import nn
from torch.nn import functional as F

from labelprop.clock import StageClock
from labelprop.data.batches import Loader, draw_epoch
from labelprop.embedding import collect_outputs
from labelprop.errors import NonFiniteLossError
from labelprop.methods.base import LossTerms, Method, Outputs
from labelprop.methods.state import take_over
from labelprop.models.modes import learning
from labelprop.progress import Reporter, Silent
from labelprop.training.checkpoint import (
    Checkpoints,
    module_tensors,
    optimizer_tensors,
    restore_module,
    restore_optimizer,
)
from labelprop.training.phases import Phase, Recipe
from labelprop.types import Progress, PseudoLabels, Snapshot, Task

CHECK_EVERY = 20  # steps between looks at whether the loss is finite; a look makes a GPU wait


class Monitor(Protocol):
    """Turns what training shows into numbers for the history; it alone may know the truth."""

    def wants_outputs(self, epoch: int, epochs: int) -> bool:
        """Whether the numbers of this epoch need the network's outputs, which may cost a pass over the data."""

    def __call__(self, epoch: int, snapshot: Snapshot) -> Mapping[str, Any]: ...


class History(Protocol):
    """Where a line an epoch is kept."""

    def append_history(self, line: Mapping[str, Any]) -> None: ...

    def cut_history(self, training: str, lines: int) -> None: ...


@dataclass(frozen=True, slots=True)
class Plan:
    """How many steps each phase takes, and how many make an epoch."""

    steps: tuple[int, ...]
    steps_per_epoch: int

    def epochs(self, phase: int) -> int:
        return -(-self.steps[phase] // self.steps_per_epoch)

    def steps_in(self, phase: int, epoch: int) -> int:
        return min(self.steps_per_epoch, self.steps[phase] - epoch * self.steps_per_epoch)

    def steps_before(self, phase: int, epoch: int) -> int:
        """Steps taken when `epoch` epochs of `phase` are done."""
        return sum(self.steps[:phase]) + min(epoch * self.steps_per_epoch, self.steps[phase])


@dataclass(slots=True)
class WorkMeter:
    """Counts the steps of the whole job for the progress display."""

    total: int
    reporter: Reporter = field(default_factory=Silent)
    done: int = 0

    def skip(self, steps: int) -> None:
        """Steps that an interrupted run took already."""
        self.done += steps

    def advance(self, stage: str, steps: int = 1) -> None:
        self.done += steps
        self.reporter.advance(stage, min(self.done, self.total), self.total)


@dataclass(frozen=True, slots=True, eq=False)
class Job:
    """All that one training needs. `label` names it in the history: the recipe or the baseline."""

    label: str
    recipe: Recipe
    plan: Plan
    task: Task
    loader: Loader
    build: Callable[[], nn.Module]
    fabric: Fabric
    meter: WorkMeter
    clock: StageClock
    checkpoints: Checkpoints | None = None
    history: History | None = None
    monitor: Monitor | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Trained:
    """The network and method at the end of the last phase."""

    net: nn.Module
    method: Method


def make_fabric(device: torch.device, deterministic: bool) -> Fabric:
    """Fabric for one device: float32 on a CPU; bf16 autocast on a GPU that has it.

    `deterministic` asks CUDA for repeatable kernels; on a CPU they are repeatable for a given thread count.
    """
    if device.type != "cuda":
        return Fabric(accelerator="cpu", devices=1, precision="32-true")
    torch.use_deterministic_algorithms(deterministic)
    return Fabric(
        accelerator="cuda", devices=1, precision="bf16-mixed" if torch.cuda.is_bf16_supported() else "32-true"
    )


def stream_seed(*key: int) -> int:
    """A seed for torch from a tuple of counters; different tuples give unrelated streams."""
    return int(np.random.SeedSequence(list(key)).generate_state(1, np.uint64)[0] >> 1)


def run(job: Job) -> Trained:
    """Trains all phases, from the latest checkpoint where there is one."""
    with torch.random.fork_rng():  # the caller's generator is left as it was
        net = job.build().to(job.fabric.device)
        found = job.checkpoints.latest() if job.checkpoints is not None else None
        tensors, state = found if found else ({}, {"phase": 0, "epoch": 0, "lines": 0})
        if job.history is not None:
            job.history.cut_history(job.label, state["lines"])
        if found:
            restore_module("net", net, tensors)
            job.meter.skip(job.plan.steps_before(state["phase"], state["epoch"]))
        lines, optimizer_state = state["lines"], dict(tensors)
        phase = None
        for index in range(state["phase"], len(job.recipe.phases)):
            resumed_at = state["epoch"] if found and index == state["phase"] else None
            before = phase.method if phase is not None else None
            phase = PhaseRun(job, net, index, optimizer_state, tensors if resumed_at is not None else None, before)
            if resumed_at is None:
                phase.refresh(0)
            else:
                phase.losses = list(state["losses"])
            for epoch in range(resumed_at or 0, job.plan.epochs(index)):
                line = phase.epoch(epoch)
                line["monitor"] = phase.refresh(epoch + 1)
                lines += 1
                _record(job, phase, line, index, epoch + 1, lines)
            optimizer_state = optimizer_tensors(phase.optimizer)
        assert phase is not None, "a recipe has at least one phase"
        return Trained(net, phase.method)


def _record(job: Job, phase: PhaseRun, line: dict[str, Any], index: int, epoch: int, lines: int) -> None:
    """First the history, then the checkpoint that counts its lines: a kill in between writes the line again."""
    if job.history is not None:
        job.history.append_history(line)
    if job.checkpoints is not None:
        with job.clock.stage(f"{job.label}: checkpoints"):
            number = sum(job.plan.epochs(i) for i in range(index)) + epoch
            state = {"phase": index, "epoch": epoch, "lines": lines, "losses": phase.losses}
            job.checkpoints.save(number, phase.tensors(), state)


class _Tools:
    """The pass over all data that a refresh may ask for, made at most once."""

    def __init__(self, phase: PhaseRun) -> None:
        self._phase = phase
        self.made: Outputs | None = None

    def outputs(self) -> Outputs:
        if self.made is None:
            job = self._phase.job
            with job.clock.stage(f"{job.label}: embedding"):
                self.made = collect_outputs(self._phase.net, job.loader)
        return self.made

    def outputs_of(self, rows_B: torch.Tensor) -> Outputs:
        if self.made is not None:
            return {name: output[rows_B] for name, output in self.made.items()}
        job = self._phase.job
        with job.clock.stage(f"{job.label}: embedding"):
            return collect_outputs(self._phase.net, job.loader, rows_B.cpu().numpy())


class PhaseRun:
    """One phase at work: its method, its optimizer and the network they move."""

    def __init__(
        self,
        job: Job,
        net: nn.Module,
        index: int,
        optimizer_state: Mapping[str, torch.Tensor],
        resumed: Mapping[str, torch.Tensor] | None,
        before: Method | None = None,
    ) -> None:
        self.job, self.index = job, index
        self.spec: Phase = job.recipe.phases[index]
        self.module = net
        self.losses: list[float] = []  # the mean of each epoch done, for schedules that watch it
        self.method = self.spec.method()
        self.method.setup(net, job.task)
        self.method.to(job.fabric.device)
        self.optimizer = self.spec.optimizer.build(net)
        if resumed is not None:
            restore_module("method", self.method, resumed)
            restore_optimizer(self.optimizer, resumed)
        else:
            if self.spec.keep_optimizer:
                restore_optimizer(self.optimizer, optimizer_state)
            if self.spec.keep_state and before is not None:
                take_over(self.method, before)
        self.net, self.wrapped_optimizer = job.fabric.setup(net, self.optimizer)

    def tensors(self) -> dict[str, torch.Tensor]:
        return (
            module_tensors("net", self.module)
            | module_tensors("method", self.method)
            | optimizer_tensors(self.optimizer)
        )

    def refresh(self, epoch: int) -> dict[str, Any]:
        """The method's tables before epoch `epoch`, and the monitor's numbers of the moment."""
        job, tools = self.job, _Tools(self)
        self.module.eval()
        with torch.no_grad():
            with job.clock.stage(f"{job.label}: refresh"):
                self.method.refresh(self.module, tools, epoch)
            epochs = job.plan.epochs(self.index)
            numbers: Mapping[str, Any] = {}
            if job.monitor is not None:
                shown = self._shown(tools, job.monitor.wants_outputs(epoch, epochs))
                pseudo: PseudoLabels | None = self.method.pseudo_labels()
                with job.clock.stage(f"{job.label}: monitor"):
                    numbers = job.monitor(epoch, Snapshot(pseudo, shown, self._embeddings(tools)))
        learning(self.module, trunk=self.spec.trains_trunk)
        return dict(numbers)

    def _shown(self, tools: _Tools, wanted: bool) -> Outputs | None:
        """The outputs, on all examples, of what would be deployed; None where they are not wanted and not at hand."""
        deployed = self.method.deployed(self.module)
        if deployed is self.module:
            return tools.outputs() if wanted else tools.made
        if not wanted:
            return None
        with self.job.clock.stage(f"{self.job.label}: embedding"):
            return collect_outputs(deployed, self.job.loader)

    def _embeddings(self, tools: _Tools) -> torch.Tensor | None:
        """Unit vectors of all examples, as far as they cost no pass of their own."""
        kept = self.method.embeddings()
        if kept is None and tools.made is not None:
            kept = F.normalize(tools.made["feature"], dim=1)
        return kept

    def epoch(self, epoch: int) -> dict[str, Any]:
        """One epoch of steps; returns its line for the history."""
        job, began = self.job, time.perf_counter()
        first, steps = epoch * job.plan.steps_per_epoch, job.plan.steps_in(self.index, epoch)
        torch.manual_seed(stream_seed(job.task.seed, self.index, epoch, 0))  # dropout
        generator = torch.Generator(job.fabric.device).manual_seed(stream_seed(job.task.seed, self.index, epoch, 1))
        drawn = draw_epoch(job.task, self.method.needs, phase=self.index, epoch=epoch, steps=steps, first_step=first)
        learning(self.module, trunk=self.spec.trains_trunk)
        mean = _RunningMean()
        with job.clock.stage(f"{job.label}: steps"):
            for offset, batch in enumerate(job.loader.batches(drawn, self.method.needs, job.task, generator)):
                progress = Progress(first + offset, job.plan.steps[self.index], epoch, job.plan.steps_per_epoch)
                lr = self._step(batch, progress, mean)
                job.meter.advance(
                    f"{job.label}, {self.spec.name}, epoch {epoch + 1} of {job.plan.epochs(self.index)}"
                )
            terms = mean.finish()
        self.losses = [*self.losses, terms["loss"]]
        return {
            "training": job.label,
            "phase": self.spec.name,
            "epoch": epoch + 1,
            "step": first + steps,
            "seconds": round(time.perf_counter() - began, 3),
            "lr": lr,
            "loss": terms.pop("loss"),
            "terms": terms,
        }

    def _step(self, batch: Any, progress: Progress, mean: _RunningMean) -> float:
        lr = self.spec.optimizer.lr * self.spec.schedule(progress.fraction, self.losses)
        for group in self.optimizer.param_groups:
            group["lr"] = lr
        found = self.method.loss(self.net, batch, progress)
        total = found.total()
        mean.add(total, found, progress)
        self.job.fabric.backward(total)
        self.wrapped_optimizer.step()
        self.wrapped_optimizer.zero_grad(set_to_none=True)
        with torch.no_grad():
            self.method.after_step(self.module, batch, found.outputs, progress)
        return lr


class _RunningMean:
    """The epoch's mean of the loss and its terms, kept on the device; stops training when it is not finite."""

    def __init__(self) -> None:
        self._sums: dict[str, torch.Tensor] = {}
        self._steps = 0

    def add(self, total: torch.Tensor, found: LossTerms, progress: Progress) -> None:
        for name, value in {"loss": total, **found.terms}.items():
            self._sums[name] = self._sums[name] + value.detach() if name in self._sums else value.detach().clone()
        self._steps += 1
        if self._steps % CHECK_EVERY == 0:
            self._check(progress.step)

    def _check(self, step: int) -> None:
        if not torch.isfinite(self._sums["loss"]):
            terms = ", ".join(f"{name} {float(value):g}" for name, value in self._sums.items() if name != "loss")
            raise NonFiniteLossError(
                f"the loss is not finite at step {step}: sums of its terms over the epoch are {terms}. "
                "Lower the learning rate (--set lr=...) or look at the data with `labelprop doctor`."
            )

    def finish(self) -> dict[str, float]:
        self._check(self._steps)
        return {name: round(float(value) / self._steps, 9) for name, value in self._sums.items()}
