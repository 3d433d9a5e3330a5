"""What the processes of a test with several of them run: module functions, since processes are spawned."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

import labelprop
from labelprop.core import registry
from labelprop.core.clock import StageClock
from labelprop.core.distributed import Group
from labelprop.core.progress import Reporter
from labelprop.core.types import Task
from labelprop.data.views.batches import Loader
from labelprop.data.views.preprocessing import Preprocessing
from labelprop.data.views.views import Views
from labelprop.methods.state import Ema, MemoryBank
from labelprop.models.network import ModelSpec, build
from labelprop.training import loop, recipes
from labelprop.training.checkpoint import Checkpoints
from labelprop.training.job import Job, Lengths, make_fabric
from served import content_for

STEPS, PER_EPOCH = 20, 5
SMALL = {"batch_size": 12, "labeled_batch_size": 5, "n_neighbors": 5, "dim": 8, "threshold": 0.4}  # 5: no even part


def settings_of(recipe: str) -> dict[str, float]:
    known = registry.parameters("recipes", recipe)
    return {name: value for name, value in SMALL.items() if name in known}


def small_job(name: str, **settings: Any) -> Job:
    """20 steps a phase on three overlapping blobs, with dropout, noisy or mixed views and batch normalization."""
    generator = torch.Generator().manual_seed(0)
    classes_N = torch.arange(73) % 3  # 73: no even part for two
    vectors_ND = 2 * torch.eye(6)[classes_N] + torch.randn(73, 6, generator=generator)
    recipe = recipes.build(name, settings_of(name) | settings)
    content, model = content_for(recipe, vectors_ND)
    spec = ModelSpec(model, content.shape, recipe.heads(3), {}, recipe.l2_feature)
    return Job(
        label=name,
        recipe=recipe,
        lengths=Lengths((STEPS,) * len(recipe.phases), PER_EPOCH),
        task=Task(torch.where(torch.arange(73) < 12, classes_N, -1), torch.ones(73), 3, seed=0),
        loader=Loader.over(content, Views(Preprocessing.measure(content), _augment(name)), torch.device("cpu")),
        build=lambda: build(spec, seed=0),
        fabric=make_fabric(torch.device("cpu"), False),
        clock=StageClock(),
    )


def _augment(recipe: str) -> str:
    return "mix" if recipe == "mt+dlp" else "strong"


def traces(names: Sequence[str], reporter: Reporter) -> dict[str, tuple[list[float], list[list[int]], float]]:
    """Of each recipe: the loss of every step over all processes, pseudo-labels by epoch, a sum of what it keeps."""
    torch.set_num_threads(1)
    return {name: _trace(name) for name in names}


def _trace(name: str) -> tuple[list[float], list[list[int]], float]:
    job, losses, labels = small_job(name), [], []
    backward, after_refresh = job.fabric.backward, loop.PhaseRun.refresh

    def noting(total: torch.Tensor) -> None:
        losses.append(total.detach().clone())
        backward(total)

    def refresh(phase: loop.PhaseRun, epoch: int):
        found = after_refresh(phase, epoch)
        pseudo = phase.method.pseudo_labels()
        labels.append([] if pseudo is None else pseudo.labels_N.tolist())
        return found

    job.fabric.backward = noting
    loop.PhaseRun.refresh = refresh
    try:
        trained = loop.run(job)
    finally:
        loop.PhaseRun.refresh = after_refresh
    job.group.mean_(losses)
    return [float(loss) for loss in losses], labels, checksum(trained.method)


def checksum(method: torch.nn.Module) -> float:
    banks = [part.vectors_ND for part in method.modules() if isinstance(part, MemoryBank)]
    averages = [weight for part in method.modules() if isinstance(part, Ema) for weight in part.net.parameters()]
    return float(sum(tensor.abs().sum() for tensor in (*banks, *averages)))


def exchanges(reporter: Reporter) -> bool:
    """What a group exchanges, of every type and with parts of different sizes; True where all is as it should be."""
    group = Group(int(torch.distributed.get_rank()) if torch.distributed.is_initialized() else 0, 1)
    fabric = make_fabric(torch.device("cpu"), False)
    group = Group(fabric.global_rank, fabric.world_size)
    mine = group.part(5)
    whole = {
        "double": torch.arange(10, dtype=torch.float64).reshape(5, 2) / 3,
        "index": torch.arange(5) * 2**40,
        "bool": torch.tensor([True, False, True, True, False]),
        "half": torch.arange(15, dtype=torch.bfloat16).reshape(5, 1, 3),
    }
    found = group.rows({name: tensor[mine] for name, tensor in whole.items()}, group.counts(5))
    alike = all(torch.equal(found[name], whole[name]) and found[name].dtype == whole[name].dtype for name in whole)
    empty = group.rows({"x": torch.ones(1 - group.rank, 2)}, [1, 0])["x"]
    mean, flag = torch.tensor([float(group.rank)]), torch.tensor([group.leads])
    group.mean_([mean])
    group.first_([flag])
    reporter.say(f"process {group.rank + 1} of {group.size}")
    told = group.first({"rank": group.rank})
    return alike and empty.shape == (1, 2) and float(mean) == 0.5 and bool(flag) and told == {"rank": 0}


def refuse(reporter: Reporter) -> None:
    raise labelprop.core.errors.RequestError(f"no: {torch.get_num_threads()}")


def fail(reporter: Reporter) -> None:
    raise KeyError("a mistake")


def die(reporter: Reporter) -> None:
    """The second process is killed while the first waits for it."""
    import os
    import signal

    fabric = make_fabric(torch.device("cpu"), False)
    if fabric.global_rank == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    Group(fabric.global_rank, fabric.world_size).mean_([torch.ones(1)])


def train_until(number: int, data, labels, out: Path, options: dict, reporter: Reporter) -> None:
    """A training that is interrupted after checkpoint `number`."""
    save = Checkpoints.save

    def stopping(self, at: int, tensors, state) -> None:
        save(self, at, tensors, state)
        if at == number:
            raise labelprop.core.errors.WorkError("stopped here")

    Checkpoints.save = stopping
    labelprop.train(data, labels, out=out, **options)
