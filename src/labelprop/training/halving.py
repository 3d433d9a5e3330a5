"""The choice of a recipe by successive halving on hidden labels (Jamieson & Talwalkar 2016).

Every given label is hidden once. In each round all candidates train from the start, on the labels that are shown, for
a share of the full length. The better half goes on; the labels alone always do, for as many steps as the longest of
the others. So the chosen recipe is never worse than the labels alone on the hidden labels. No truth and no test set
is read. Users know the procedure as the race of `--recipe auto`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np
import torch

from labelprop.core.types import Task
from labelprop.propagators.choice.hidden import Fit, HiddenLabels

BASELINE = "supervised"
ROUNDS = (1 / 8, 1 / 4)  # of the full length
FOLDS = 3  # each is one training a candidate and round

LARGE = 200_000  # rows beyond which a graph of all of them before every epoch is slow
CANDIDATES = {  # by what the network sees, in order of preference
    "vector": ("mt+dlp", "dlp", "network-prediction", BASELINE),
    "image": ("mt+dlp", "dlp", "fixmatch", "mean-teacher", BASELINE),
    "large": ("mean-teacher", "llp", BASELINE),
}

TrainCandidate = Callable[
    [str, Task, float], torch.Tensor
]  # recipe, task, share of the full length -> classes of all N rows


@dataclass(frozen=True, slots=True)
class Trial:
    """One training of a candidate: how many of the labels hidden from it were found."""

    round: int
    recipe: str
    fold: int
    right: int
    hidden: int


@dataclass(frozen=True, slots=True)
class HalvingResult:
    """The chosen recipe, the reason, and all trials."""

    recipe: str
    reason: str
    trials: tuple[Trial, ...] = ()

    def to_json(self) -> dict[str, object]:
        return {"recipe": self.recipe, "reason": self.reason, "heats": [asdict(trial) for trial in self.trials]}


def candidates(shape: tuple[int, ...], n: int) -> tuple[str, ...]:
    """Recipes that are sensible for `n` examples of this shape, (C, H, W) or (D,), in order of preference."""
    if n > LARGE:
        return CANDIDATES["large"]
    return CANDIDATES["image" if len(shape) == 3 else "vector"]


def hidden_labels(task: Task) -> HiddenLabels:
    """The given labels, dealt over the folds."""
    return HiddenLabels.dealt(task.labels_N.cpu().numpy(), FOLDS, task.seed)


def successive_halving(
    names: Sequence[str],
    task: Task,
    train: TrainCandidate,
    *,
    run_already: Sequence[Trial] = (),
    note: Callable[[Sequence[Trial]], None] = lambda trials: None,
) -> HalvingResult:
    """The recipe that found most hidden labels in the last round; ties go to the one named first.

    `names` are in order of preference and hold `supervised`. `note` is called with all trials after each one; given
    back as `run_already` these are not run again. Where no label can be hidden, the first name is chosen untried.
    """
    if BASELINE not in names:
        raise ValueError(
            f"{BASELINE} must be among the candidates {list(names)}: nothing may be chosen that it beats."
        )
    hidden = hidden_labels(task)
    if not hidden.folds:
        reason = f"{names[0]}, without a race: every class has a single label, and hiding it would lose the class"
        return HalvingResult(names[0], reason)
    trials = list(run_already)
    known = {(trial.round, trial.recipe, trial.fold) for trial in trials}
    running, found = list(names), {}
    for number, share in enumerate(ROUNDS):
        for name in running:
            for fold in range(len(hidden.folds)):
                if (number, name, fold) not in known:
                    guesses = hidden.ask(fold, _fit(train, name, task, share))
                    trials.append(Trial(number, name, fold, guesses.right, len(guesses.row_H)))
                    note(trials)
        found = {name: _right(trials, number, name) for name in running}
        last, others = running, [name for name in running if name != BASELINE]
        better = sorted(others, key=lambda name: -found[name])[: math.ceil(len(others) / 2)]
        running = [name for name in running if name in better or name == BASELINE]
    best = max(last, key=lambda name: found[name])
    return HalvingResult(best, _reason(best, found, hidden.n, names), tuple(trials))


def _fit(train: TrainCandidate, name: str, task: Task, share: float) -> Fit:
    def fit(shown_N: np.ndarray, row_H: np.ndarray) -> np.ndarray:
        shown = replace(task, labels_N=torch.from_numpy(shown_N).to(task.labels_N.device))
        found_H: np.ndarray = train(name, shown, share)[torch.from_numpy(row_H)].cpu().numpy()
        return found_H

    return fit


def _right(trials: Sequence[Trial], number: int, name: str) -> int:
    return sum(trial.right for trial in trials if (trial.round, trial.recipe) == (number, name))


def _reason(best: str, found: Mapping[str, int], n: int, names: Sequence[str]) -> str:
    others = [f"{name} {right:,}" for name, right in found.items() if name != best]
    left = [name for name in names if name not in found]
    beaten = f"; {', '.join(left)} fell behind before" if left else ""
    return f"{best} found {found[best]:,} of {n:,} labels, each hidden once ({', '.join(others)}{beaten})"
