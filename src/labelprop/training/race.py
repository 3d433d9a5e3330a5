"""A race among recipes on given labels that are hidden: successive halving (Jamieson & Talwalkar 2016).

Every given label is hidden once. In each round all runners train from the start, on the labels that are left, for a
share of the full length; the better half of the rivals goes on, and labels alone always do, for as many steps as the
longest rival. So what wins is never worse than the labels alone on the hidden labels. Nothing else is looked at: no
truth, no test set.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np
import torch

from labelprop.core.types import UNLABELED, Task
from labelprop.graph.seeds import SeedKFold

BASELINE = "supervised"
ROUNDS = (1 / 8, 1 / 4)  # of the full length
FOLDS = 3

LARGE = 200_000  # rows beyond which a graph of all of them before every epoch is slow
RUNNERS = {  # by what the network sees, in order of preference
    "vector": ("mt+dlp", "dlp", "network-prediction", BASELINE),
    "image": ("mt+dlp", "dlp", "fixmatch", "mean-teacher", BASELINE),
    "large": ("mean-teacher", "llp", BASELINE),
}

Train = Callable[[str, Task, float], torch.Tensor]  # recipe, task, share of the full length -> classes of all N rows


@dataclass(frozen=True, slots=True)
class Heat:
    """One training of the race: how many of the labels hidden from it were found."""

    round: int
    recipe: str
    fold: int
    right: int
    hidden: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """What won, and the sentence that says why."""

    recipe: str
    reason: str
    heats: tuple[Heat, ...] = ()

    def to_json(self) -> dict[str, object]:
        return {"recipe": self.recipe, "reason": self.reason, "heats": [asdict(heat) for heat in self.heats]}


def runners(shape: tuple[int, ...], n: int) -> tuple[str, ...]:
    """Recipes that are sensible for `n` examples of this shape, (C, H, W) or (D,), in order of preference."""
    if n > LARGE:
        return RUNNERS["large"]
    return RUNNERS["image" if len(shape) == 3 else "vector"]


def folds(task: Task) -> list[tuple[Task, torch.Tensor]]:
    """Tasks with a part of the labels hidden, and the rows (H,) of these.

    The only label of a class is never hidden; none where every class has just one.
    """
    labels_N = task.labels_N.cpu().numpy()
    counts_C = np.bincount(labels_N[labels_N >= 0], minlength=task.n_classes)
    spared_C = counts_C > 1
    if not spared_C.any():
        return []
    n_folds = min(FOLDS, int(counts_C[spared_C].min()))
    hideable_N = np.where((labels_N >= 0) & spared_C[labels_N], labels_N, UNLABELED)
    made = []
    for _, hidden in SeedKFold(n_folds, random_state=task.seed).split(labels_N[:, None], hideable_N):
        left_N = task.labels_N.clone()
        left_N[torch.from_numpy(hidden)] = UNLABELED
        made.append((replace(task, labels_N=left_N), torch.from_numpy(hidden)))
    return made


def race(
    names: Sequence[str],
    task: Task,
    train: Train,
    *,
    run_already: Sequence[Heat] = (),
    note: Callable[[Sequence[Heat]], None] = lambda heats: None,
) -> Outcome:
    """The recipe that found most hidden labels in the last round; ties go to the one named first.

    `names` are in order of preference and hold `supervised`. `note` is told all heats after each one; given back as
    `run_already` these are not run again. Without a label to spare in any class the first name wins unraced.
    """
    if BASELINE not in names:
        raise ValueError(f"{BASELINE} must be among the runners {list(names)}: nothing may win that it beats.")
    hiding = folds(task)
    if not hiding:
        said = f"{names[0]}, unraced: every class has a single label, and hiding it would lose the class"
        return Outcome(names[0], said)
    heats = list(run_already)
    known = {(heat.round, heat.recipe, heat.fold) for heat in heats}
    running, found = list(names), {}
    for number, share in enumerate(ROUNDS):
        for name in running:
            for fold, (left, hidden) in enumerate(hiding):
                if (number, name, fold) not in known:
                    classes_N = train(name, left, share)
                    right = int((classes_N[hidden] == task.labels_N[hidden]).sum())
                    heats.append(Heat(number, name, fold, right, len(hidden)))
                    note(heats)
        found = {name: _right(heats, number, name) for name in running}
        last, rivals = running, [name for name in running if name != BASELINE]
        better = sorted(rivals, key=lambda name: -found[name])[: math.ceil(len(rivals) / 2)]
        running = [name for name in running if name in better or name == BASELINE]
    winner = max(last, key=lambda name: found[name])
    return Outcome(winner, _reason(winner, found, sum(len(hidden) for _, hidden in hiding), names), tuple(heats))


def _right(heats: Sequence[Heat], number: int, name: str) -> int:
    return sum(heat.right for heat in heats if (heat.round, heat.recipe) == (number, name))


def _reason(winner: str, found: Mapping[str, int], n: int, names: Sequence[str]) -> str:
    others = [f"{name} {right:,}" for name, right in found.items() if name != winner]
    left = [name for name in names if name not in found]
    beaten = f"; {', '.join(left)} fell behind before" if left else ""
    return f"{winner} found {found[winner]:,} of {n:,} labels, each hidden once ({', '.join(others)}{beaten})"
