"""The training loop: phase after phase, saved after every epoch, continued from the latest checkpoint."""

from __future__ import annotations

import copy
from typing import Any

import torch

from labelprop.training.checkpoint import optimizer_tensors, restore_module
from labelprop.training.job import Job, TrainedNetwork
from labelprop.training.phase_run import PhaseRun


def run(job: Job) -> TrainedNetwork:
    """Trains all phases, from the latest checkpoint where there is one."""
    with torch.random.fork_rng():  # the caller's generator is left as it was
        net = job.build().to(job.fabric.device)
        found = job.group.first(job.checkpoints.latest() if job.checkpoints is not None else None)
        tensors, state = found if found else ({}, {"phase": 0, "epoch": 0, "lines": 0})
        if job.history is not None:
            job.history.cut_history(job.label, state["lines"])
        if found:
            restore_module("net", net, tensors)
            job.clock.restore(state.get("stages", {}))
            job.meter.skip(job.passes(job.lengths.taken(state["phase"], state["epoch"])))
            done, phases = state["epoch"], job.recipe.phases
            of = f"{job.lengths.epochs(state['phase'])} of {phases[state['phase']].name}"
            job.meter.reporter.say(f"{job.label}: resumed at epoch {done} of {of}")
        lines, optimizer_state = state["lines"], dict(tensors)
        phase = None
        for index in range(state["phase"], len(job.recipe.phases)):
            resumed_at = state["epoch"] if found and index == state["phase"] else None
            before = phase.method if phase is not None else None
            former = None
            if resumed_at is None and job.recipe.phases[index].from_scratch:
                former = copy.deepcopy(net)
                net.load_state_dict(job.build().state_dict())
            resumed = tensors if resumed_at is not None else None
            phase = PhaseRun(job, net, index, optimizer_state, resumed, before, former)
            if resumed_at is None:
                phase.refresh(0)
            else:
                phase.losses = list(state["losses"])
            for epoch in range(resumed_at or 0, job.lengths.epochs(index)):
                line = phase.epoch(epoch)
                line["monitor"] = phase.refresh(epoch + 1)
                lines += 1
                _record(job, phase, line, index, epoch + 1, lines)
            optimizer_state = optimizer_tensors(phase.optimizer)
        assert phase is not None, "a recipe has at least one phase"
        return TrainedNetwork(net, phase.method)


def _record(job: Job, phase: PhaseRun, line: dict[str, Any], index: int, epoch: int, lines: int) -> None:
    """First the history, then the checkpoint that counts its lines: a kill in between writes the line again."""
    if job.history is not None:
        job.history.append_history(line)
    if job.checkpoints is not None:
        with job.clock.stage(f"{job.label}: checkpoints"):
            number = sum(job.lengths.epochs(i) for i in range(index)) + epoch
            state = {"phase": index, "epoch": epoch, "lines": lines, "losses": phase.losses}
            state["stages"] = job.clock.of(f"{job.label}: ")
            job.checkpoints.save(number, phase.tensors(), state)
    job.callbacks.tell("on_epoch", dict(line))  # last: what it raises finds the epoch saved
