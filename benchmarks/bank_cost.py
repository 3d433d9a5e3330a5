"""What the memory bank costs: a step of `llp` against a supervised step of the same network and batch.

Random images; labels of all N rows as after an epoch. Steps of both take turns, medians are compared. The step of
`llp` holds the loss against all N rows of the bank, the vote, and the writes; the refresh of densities before an
epoch is timed apart. Beside them what the two large products of a step cost at the speed that a product of this size
reaches here: the limit.

    python benchmarks/bank_cost.py                                        # N = 50,000, conv13
    python benchmarks/bank_cost.py --rows 1281167 --classes 1000 --labeled 130000 \\
        --model preact_resnet50 --pixels 224                              # ImageNet's size, for a GPU
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from typing import Any

import torch

from common import provenance, save
from labelprop.core.distributed import SOLO
from labelprop.core.types import Batch, Progress, Stream, Task
from labelprop.functional.loss import weighted_cross_entropy
from labelprop.methods.local_labels import LocalLabels
from labelprop.models.network import ModelSpec, build
from labelprop.training.phase_run import of_all

NOW = Progress(1, 2, 0, 2)


class Tools:
    """What a refresh asks for, where no other process trains."""

    group = SOLO


def problem(options: argparse.Namespace, device: torch.device) -> tuple[Task, Batch]:
    generator = torch.Generator().manual_seed(0)
    labels_N = torch.full((options.rows,), -1)
    given = torch.randperm(options.rows, generator=generator)[: options.labeled]
    labels_N[given] = torch.arange(options.labeled) % options.classes
    rows_B = torch.randperm(options.rows, generator=generator)[: options.batch].to(device)
    images = torch.randn(options.batch, 3, options.pixels, options.pixels, generator=generator).to(device)
    stream = Stream(rows_B, (images,))
    task = Task(labels_N, torch.ones(options.rows), options.classes, 0)
    return task, Batch(stream, labels_N[:0], task.weights_N[:0], None, stream)


def steps(options: argparse.Namespace, device: torch.device) -> tuple[dict[str, Callable[[], None]], LocalLabels]:
    """One step of each, on networks of their own."""
    task, batch = problem(options, device)
    method = LocalLabels(batch_size=options.batch)
    made = {}
    for name, heads in (
        ("supervised", {"class": options.classes}),
        ("llp", {"class": options.classes, "embedding": 128}),
    ):
        net = build(ModelSpec(options.model, (3, options.pixels, options.pixels), heads), seed=0).to(device).train()
        made[name] = net, torch.optim.SGD(net.parameters(), lr=0.03, momentum=0.9)
    method.setup(made["llp"][0], task)
    method.to(device)
    method.label_N.copy_(
        torch.where(method.label_N < task.n_classes, method.label_N, method.label_N % task.n_classes)
    )
    labels_B = method.label_N[batch.joint.indices_B]
    autocast = torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda")

    def supervised() -> None:
        net, optimizer = made["supervised"]
        with autocast:
            loss = weighted_cross_entropy(
                net(batch.joint.views_V[0])["class"], labels_B, torch.ones_like(labels_B).float()
            )
        loss.backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    def llp() -> None:
        net, optimizer = made["llp"]

        def passed(x: torch.Tensor) -> dict[str, torch.Tensor]:
            with autocast:  # of the network alone, as in training: the bank's products are float32
                return net(x)

        found = method.loss(passed, batch, NOW)
        found.total().backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        with torch.no_grad():
            method.after_step(net, *of_all(batch, found, SOLO), NOW)

    return {"supervised": supervised, "llp": llp}, method


def seconds(work: Callable[[], Any], device: torch.device) -> float:
    if device.type == "cuda":
        torch.cuda.synchronize()
    began = time.perf_counter()
    work()
    if device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=50_000)
    parser.add_argument("--labeled", type=int, default=4000)
    parser.add_argument("--classes", type=int, default=10)
    parser.add_argument("--model", default="conv13")
    parser.add_argument("--pixels", type=int, default=32)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--steps", type=int, default=9)
    options = parser.parse_args()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    made, method = steps(options, device)
    vectors_BD = torch.randn(options.batch, 128, device=device)

    def products() -> None:
        """Similarities to the bank, and two weighted sums of its rows."""
        mass_BN = vectors_BD @ method.bank.vectors_ND.T
        for _ in range(2):
            mass_BN @ method.bank.vectors_ND

    timed: dict[str, list[float]] = {name: [] for name in (*made, "products")}
    for turn in range(options.steps + 1):  # the first is warm-up
        for name, work in (*made.items(), ("products", products)):
            spent = seconds(work, device)
            if turn:
                timed[name].append(spent)
    with torch.no_grad():
        refresh = seconds(lambda: method.refresh(None, Tools(), 1), device)
    median = {name: statistics.median(values) for name, values in timed.items()}
    result = {
        "settings": {
            name: getattr(options, name) for name in ("rows", "labeled", "classes", "model", "pixels", "batch")
        },
        "seconds_a_step": {name: round(value, 4) for name, value in median.items()},
        "cost_of_the_bank": round(median["llp"] / median["supervised"] - 1, 4),
        "seconds_of_a_refresh": round(refresh, 3),
        "refresh_as_a_share_of_an_epoch": round(refresh / (median["llp"] * (options.rows // options.batch)), 4),
        "all_seconds": {name: [round(value, 4) for value in values] for name, values in timed.items()},
    }
    print(save(f"bank_cost_{device.type}", {"provenance": provenance(), **result}))
    print({name: result[name] for name in list(result)[:-1]})


if __name__ == "__main__":
    main()
