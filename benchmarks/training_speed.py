"""What the loop costs: images a second of `supervised` and `dlp` against a bare PyTorch loop.

First 10,000 training images of Fashion-MNIST, `small_cnn`, 20 labels a class. The bare loop has the same
network, views and batches and nothing else; both take turns, an epoch each, and medians are compared
(training steps only: embedding and propagation are timed apart and shown as shares of a dlp epoch).

    python benchmarks/training_speed.py --data DIR
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from common import data_argument, provenance, save
from labelprop.bench.sets import split_images
from labelprop.core.clock import StageClock
from labelprop.core.memory import peak_memory_bytes
from labelprop.core.types import BatchSpec, Task
from labelprop.data.views.batches import Loader, draw_epoch, steps_per_epoch
from labelprop.data.views.preprocessing import Preprocessing
from labelprop.data.views.views import Views
from labelprop.functional.loss import weighted_cross_entropy
from labelprop.models.network import ModelSpec, build
from labelprop.runs.inputs import read_inputs
from labelprop.runs.requests import NewRun
from labelprop.training import recipes
from labelprop.training.job import Job, Lengths, make_fabric
from labelprop.training.phase_run import PhaseRun

ROWS, PER_CLASS = 10_000, 20


def bare_epoch(
    net: torch.nn.Module,
    optimizer: torch.optim.Optimizer,
    loader: Loader,
    needs: BatchSpec,
    task: Task,
    tables: tuple[torch.Tensor, torch.Tensor],
    steps: int,
    epoch: int,
) -> float:
    """Seconds of `steps` steps written out by hand: gather, augment, forward, loss, backward, update."""
    labels_N, weights_N = tables
    assert loader.resident is not None
    generator = torch.Generator().manual_seed(epoch)
    drawn = draw_epoch(task, needs, phase=0, epoch=epoch, steps=steps, first_step=epoch * steps)
    net.train()
    began = time.perf_counter()
    for of_l, of_u in drawn:
        indices_B = torch.cat([torch.from_numpy(of_l), torch.from_numpy(of_u)])
        x_B = loader.views.make("weak", loader.resident[indices_B], generator)
        loss = weighted_cross_entropy(net(x_B)["class"], labels_N[indices_B], weights_N[indices_B])
        loss.backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
    return time.perf_counter() - began


def prepare(options: argparse.Namespace) -> tuple[Task, Loader, Callable[[recipes.Recipe], ModelSpec]]:
    folder = options.out
    split = split_images(options.data, "fashion_mnist", folder, ROWS, PER_CLASS, seed=0)
    inputs = read_inputs(NewRun(data=split.examples, labels=split.labels, out=folder))
    content = inputs.samples.content
    assert content is not None
    given = inputs.given
    task = Task(torch.from_numpy(given.labels_N), torch.from_numpy(given.weights_N), len(given.classes), 0)
    loader = Loader.over(content, Views(Preprocessing.measure(content), "shift"), torch.device("cpu"))

    def spec(recipe: recipes.Recipe) -> ModelSpec:
        return ModelSpec("small_cnn", tuple(content.shape), recipe.heads(len(given.classes)), {}, recipe.l2_feature)

    return task, loader, spec


def compare(name: str, options: argparse.Namespace) -> dict[str, Any]:
    """Interleaved epochs of our loop and the bare one for the main phase of recipe `name`."""
    task, loader, spec = prepare(options)
    recipe = recipes.build(name, {})
    index = len(recipe.phases) - 1
    needs = recipe.main.needs
    steps = steps_per_epoch(task, needs.unlabeled.size or needs.labeled.size // 2, needs.labeled.size)
    images = steps * (needs.labeled.size + needs.unlabeled.size)
    clock = StageClock()
    job = Job(
        label=name,
        recipe=recipe,
        lengths=Lengths((steps * options.epochs,) * len(recipe.phases), steps),
        task=task,
        loader=loader,
        build=lambda: build(spec(recipe), seed=0),
        fabric=make_fabric(torch.device("cpu"), False),
        clock=clock,
    )
    ours = PhaseRun(job, job.build(), index, {}, None)
    bare, optimizer = (net := job.build()), recipe.main.optimizer.build(net)
    seconds: dict[str, list[float]] = {"ours": [], "bare": [], "refresh": [], "embedding": []}
    for epoch in range(options.epochs + 1):  # the first is warm-up
        before = {stage: usage["seconds"] for stage, usage in clock.stages.items()}
        ours.refresh(epoch)
        pseudo = ours.method.pseudo_labels()
        tables = (pseudo.labels_N, pseudo.weight_N) if pseudo else (task.labels_N, task.weights_N)
        ours.epoch(min(epoch, options.epochs - 1))
        spent = {stage: usage["seconds"] - before.get(stage, 0) for stage, usage in clock.stages.items()}
        in_bare = bare_epoch(bare, optimizer, loader, needs, task, tables, steps, epoch)
        if epoch:
            seconds["ours"].append(spent[f"{name}: steps"])
            seconds["bare"].append(in_bare)
            seconds["embedding"].append(spent.get(f"{name}: embedding", 0.0))
            seconds["refresh"].append(spent.get(f"{name}: refresh", 0.0))
    median = {key: statistics.median(values) for key, values in seconds.items()}
    epoch_seconds = median["ours"] + median["refresh"]
    return {
        "images_per_epoch": images,
        "images_per_second": round(images / median["ours"]),
        "images_per_second_bare": round(images / median["bare"]),
        "slower_than_bare": round(median["ours"] / median["bare"] - 1, 4),
        "seconds_per_epoch": round(epoch_seconds, 3),
        "share_embedding": round(median["embedding"] / epoch_seconds, 4),
        "share_propagation": round((median["refresh"] - median["embedding"]) / epoch_seconds, 4),
        "seconds": {key: [round(value, 3) for value in values] for key, values in seconds.items()},
        "peak_memory_bytes": peak_memory_bytes(),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    data_argument(parser)
    parser.add_argument("--epochs", type=int, default=9)
    parser.add_argument("--out", type=Path, default=Path("runs/bench-training-speed"))
    options = parser.parse_args()
    made = provenance()  # before the work: the commit may move while it runs
    found = {name: compare(name, options) for name in ("supervised", "dlp")}
    for name, row in found.items():
        print(
            f"{name}: {row['images_per_second']:,} images/s (bare loop {row['images_per_second_bare']:,}; "
            f"{row['slower_than_bare']:+.1%}), {row['seconds_per_epoch']:.2f} s an epoch, "
            f"embedding {row['share_embedding']:.1%}, propagation {row['share_propagation']:.1%}, "
            f"peak {row['peak_memory_bytes'] / 2**20:,.0f} MiB"
        )
    print(save("training_speed", made | {"rows": ROWS, "per_class": PER_CLASS, "recipes": found}))


if __name__ == "__main__":
    main()
