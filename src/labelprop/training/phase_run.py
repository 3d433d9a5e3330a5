"""Runs one phase. No method, recipe or metric is known here by name.

Before each epoch and after the last the method refreshes what it keeps, and a monitor (if there is one) turns a
snapshot into numbers. All randomness of an epoch comes from (seed, phase, epoch, process), so a run continued from
any checkpoint equals one that was never interrupted.

Where several processes train together, one a device, each takes its part of every batch. Gradients are averaged;
methods stay whole in every process: after a step each of them learns the outputs of all, so that banks and tables
move alike. Passes over the data are shared out. Batch normalization sees each process's part in training; its
running statistics are averaged before a pass in eval mode.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from labelprop.core.distributed import Group
from labelprop.core.errors import RequestError
from labelprop.core.types import Batch, Progress, Snapshot, Stream
from labelprop.data.views.batches import draw_epoch, part_of_step
from labelprop.methods.base import LossTerms, Method, Outputs
from labelprop.methods.phases import Phase
from labelprop.methods.state import State, take_over
from labelprop.models.trunks.modes import learning, running_statistics
from labelprop.training.checkpoint import module_tensors, optimizer_tensors, restore_module, restore_optimizer
from labelprop.training.job import Job, MonitorLike, epoch_seeds
from labelprop.training.outputs import RefreshTools, outputs_of_all
from labelprop.training.running_mean import RunningMean


class PhaseRun:
    """A running phase: its method, its optimizer and the network they update."""

    def __init__(
        self,
        job: Job,
        net: nn.Module,
        index: int,
        optimizer_state: Mapping[str, torch.Tensor],
        resumed: Mapping[str, torch.Tensor] | None,
        before: Method | None = None,
        former: nn.Module | None = None,
    ) -> None:
        self.job, self.index = job, index
        self.spec: Phase = job.recipe.phases[index]
        self.module = net
        self.former = former  # the network before this phase started from scratch; for the first refresh
        self.losses: list[float] = []  # the mean of each epoch done, for schedules that watch it
        self.method = self.spec.new_method()
        self.method.setup(net, job.task)
        self.method.to(job.fabric.device)
        for part in self.method.modules():
            if isinstance(part, State):
                part.autocast = job.fabric.autocast
        # What a method learns itself, a second network for instance, is not wrapped: `_step` averages its gradients.
        self.learned = [parameter for parameter in self.method.parameters() if parameter.requires_grad]
        self.optimizer = self.spec.optimizer.build(net, self.method)
        self._learn()  # what is frozen must be so before the network is wrapped
        if resumed is not None:
            restore_module("method", self.method, resumed)
            restore_optimizer(self.optimizer, resumed)
        else:
            if self.spec.keep_optimizer:
                restore_optimizer(self.optimizer, optimizer_state)
            if self.spec.keep_state and before is not None:
                take_over(self.method, before)
        passed = torch.compile(net) if job.compiled else net
        self.net, self.wrapped_optimizer = job.fabric.setup(passed, self.optimizer)

    def tensors(self) -> dict[str, torch.Tensor]:
        return (
            module_tensors("net", self.module)
            | module_tensors("method", self.method)
            | optimizer_tensors(self.optimizer)
        )

    def _learn(self) -> None:
        """Sets training mode; freezes parameters that no term of this phase trains."""
        learning(self.module, trunk=self.spec.trains_trunk, heads=self.method.heads)

    def refresh(self, epoch: int) -> dict[str, Any]:
        """The method's tables before epoch `epoch`, and the monitor's numbers of the moment."""
        job = self.job
        current = RefreshTools(job, self.net, self.index, epoch)
        tools = current if self.former is None else RefreshTools(job, self.former, self.index, epoch)
        self.module.eval()
        with torch.no_grad():
            job.group.mean_(running_statistics(self.module, self.method))
            with job.clock.stage(f"{job.label}: refresh"):
                self.method.refresh(self.module, tools, epoch)
            self.former = None
            job.group.first_(self.method.buffers())  # the same everywhere, but for the order in which devices add
            numbers = self._look(current, epoch, job.monitor) if job.monitor is not None else {}
        self._learn()
        return numbers

    def _look(self, tools: RefreshTools, epoch: int, monitor: MonitorLike) -> dict[str, Any]:
        """The monitor's numbers: all processes compute the snapshot, the first one measures it."""
        job = self.job
        wanted = monitor.wants_outputs(epoch, job.lengths.epochs(self.index))
        shown = self._shown(tools, wanted)
        snapshot = Snapshot(
            pseudo_labels=self.method.pseudo_labels(),
            outputs=shown,
            embeddings=self._embeddings(tools.made or shown),
            step=job.lengths.steps_before(self.index, epoch),
            wanted=wanted,
        )
        with job.clock.stage(f"{job.label}: monitor"):
            return dict(monitor(epoch, snapshot)) if job.group.leads else {}

    def _shown(self, tools: RefreshTools, wanted: bool) -> Outputs | None:
        """Outputs of the deployed module on all examples; None where the monitor needs none and no pass has them."""
        deployed = self.method.deployed(self.module)
        if deployed is self.module:
            return tools.outputs() if wanted else tools.made
        return outputs_of_all(self.job, deployed) if wanted else None

    def _embeddings(self, made: Outputs | None) -> torch.Tensor | None:
        """Unit vectors of all examples: a bank, or the features of a pass that was made anyway."""
        kept = self.method.embeddings()
        if kept is None and made is not None and "feature" in made:
            kept = F.normalize(made["feature"], dim=1)
        return kept

    def epoch(self, epoch: int) -> dict[str, Any]:
        """One epoch of steps; returns its line for the history."""
        job, began = self.job, time.perf_counter()
        first, steps = epoch * job.lengths.steps_per_epoch, job.lengths.steps_in(self.index, epoch)
        dropout_seed, view_seed = epoch_seeds(job.task.seed, self.index, epoch, job.group.rank)
        torch.manual_seed(dropout_seed)
        generator = torch.Generator(job.fabric.device).manual_seed(view_seed)
        drawn = draw_epoch(
            job.task,
            self.method.needs,
            phase=self.index,
            epoch=epoch,
            steps=steps,
            first_step=first,
            pool_P=self.method.drawn_from(),
            n_processes=job.group.size,
        )
        drawn = [part_of_step(pair, job.group) for pair in drawn]
        self._learn()
        mean = RunningMean(job.group)
        with job.clock.stage(f"{job.label}: steps"):
            for offset, batch in enumerate(job.loader.batches(drawn, self.method.needs, job.task, generator)):
                progress = Progress(first + offset, job.lengths.steps[self.index], epoch, job.lengths.steps_per_epoch)
                lr = self._step(batch, progress, mean)
                stage = f"{job.label}, {self.spec.name}, epoch {epoch + 1} of {job.lengths.epochs(self.index)}"
                job.meter.advance(stage, job.step_passes(self.index))
                job.callbacks.tell("on_step", replace(progress, step=progress.step + 1))
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

    def _step(self, batch: Any, progress: Progress, mean: RunningMean) -> float:
        lr = self.spec.optimizer.lr * self.spec.schedule(progress.fraction, self.losses)
        for group in self.optimizer.param_groups:
            group["lr"] = lr * group["rate"]
        with _batch_of_one_refused():
            found = self.method.loss(self.net, batch, progress)
        total = found.total()
        mean.add(total, found, progress)
        self.job.fabric.backward(total)
        self.job.group.mean_(parameter.grad for parameter in self.learned if parameter.grad is not None)
        self.wrapped_optimizer.step()
        self.wrapped_optimizer.zero_grad(set_to_none=True)
        with torch.no_grad():
            self.method.after_step(self.module, *of_all(batch, found, self.job.group), progress)
        return lr


@contextmanager
def _batch_of_one_refused() -> Iterator[None]:
    """Says what to do where batch normalization, which measures a batch, is given a single vector."""
    try:
        yield
    except ValueError as error:
        if "more than 1 value per channel" not in str(error):
            raise
        raise RequestError(
            "a batch holds a single example, and the network's batch normalization needs two or more: give a larger "
            "--set batch_size=... or labeled_batch_size=..., or fewer --devices; where a single example is "
            "unlabeled, take --recipe dlp or supervised."
        ) from error


def of_all(batch: Batch, found: LossTerms, group: Group) -> tuple[Batch, Outputs]:
    """The input of `after_step`: indices and outputs of the examples of all processes, and this one's `own`.

    Rows are put together in the order of the processes; of single numbers each becomes the mean.
    """
    rows = {name: output for name, output in found.outputs.items() if output.dim()}
    means = {name: output.clone() for name, output in found.outputs.items() if not output.dim()}
    group.mean_(means.values())
    whole = group.rows({"indices_B": batch.joint.indices_B, **{f"output {name}": rows[name] for name in rows}})
    seen = replace(batch, joint=Stream(whole["indices_B"], ()))
    return seen, {**{name: whole[f"output {name}"] for name in rows}, **means, **found.own}
