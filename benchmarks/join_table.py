"""The table of weights by which `AutoPropagation` joins label propagation and the heads, and what evidence adds.

The data sets of auto_propagation.py at 1, 2 and 5 labels a class, three draws of seeds that it does not use. Of each
cell every candidate labels all rows; what members say of at most 3,000 unlabeled rows, and of hidden seeds, is kept.
From that come, by labels a class:

- the weights of the heads beside label propagation's 1: mean of the five best points of a grid by accuracy, mean over
  sets; and their scale, by log-loss;
- the same from all sets but one, for every set: what the benchmark of a set has to use;
- what weights from hidden seeds gain, for several strengths of shrinking toward the table of the other sets;
- the accuracy of every candidate alone.

The truth is used for that alone. Each cell is saved when it is done and a restart continues.

    python benchmarks/join_table.py --data DIR
"""

from __future__ import annotations

import argparse
import itertools
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.optimize import minimize_scalar
from sklearn.exceptions import ConvergenceWarning

from auto_propagation import LABELS, SETS, draw_seeds, read_set
from common import provenance, save
from labelprop.graph.seeds import Seeds
from labelprop.propagators.choice.candidates import LABELS_ONLY, SOFT_HEAD, Candidate, list_candidates
from labelprop.propagators.choice.fits import CandidateFits
from labelprop.propagators.choice.hidden import HiddenLabels
from labelprop.propagators.choice.join import z_scored_log
from labelprop.propagators.choice.settled import with_kernels
from labelprop.propagators.choice.shared_search import SharedSearch
from labelprop.propagators.choice.stacking import stack
from labelprop.propagators.choice.weighing import FEWEST_HIDDEN, LEAST, teachers

DRAWS, ROWS = (100, 101, 102), 3000
MEMBERS = ("label-propagation", SOFT_HEAD, LABELS_ONLY)
GRID = list(itertools.product([1.0], [0, 0.1, 0.2, 0.35, 0.5, 0.7, 1.0], [0, 0.1, 0.2, 0.3, 0.45, 0.6]))
BEST, ROUNDED, SHRINKS = 5, 0.05, (1, 3, 10, 30, 100)


def run_cell(X: np.ndarray, truth: np.ndarray, y: np.ndarray, draw: int) -> dict[str, np.ndarray]:
    """z-scored log-distributions of the members at rows and at hidden seeds, with the labels; accuracies alone."""
    n_classes = int(truth.max()) + 1
    shared = SharedSearch(X, torch.device("cpu"), "auto", 0, lambda *_: None)
    settings = {"metric": "cosine", "search": "auto", "random_state": None, "device": "cpu", "top_classes": None}
    fits = CandidateFits(shared, np.arange(n_classes), settings)
    every = list_candidates(None, len(X), n_classes, given_graph=False)
    candidates = with_kernels(fits, every, "auto", None, 5)
    fits.teachers = teachers(shared, candidates)
    seeds = Seeds.hard(torch.from_numpy(y), n_classes)
    unlabeled = np.flatnonzero(y < 0)
    rows = np.sort(np.random.default_rng(draw).permutation(unlabeled)[:ROWS])
    found: dict[str, np.ndarray] = {"label": truth[rows]}
    for one in candidates:
        answer = fits.label(one, seeds)
        found[f"alone {one}"] = np.mean((answer.labels_N.numpy() == truth)[unlabeled])
        if one in _members(candidates):
            z_RC = z_scored_log(answer.distributions_NC[rows]) * answer.reached_N[rows, None]
            found[f"z {one.method}"] = z_RC.numpy().astype(np.float16)
    hidden = HiddenLabels.by_content(y, 5, shared.keys())
    if hidden.n >= FEWEST_HIDDEN:
        answers = fits.gather(_members(candidates), _members(candidates), seeds, hidden)
        for one, said in answers.items():
            found[f"hidden {one.method}"], found["hidden label"] = said.z_HC.astype(np.float16), said.label_H
    return found


def _members(candidates: Sequence[Candidate]) -> list[Candidate]:
    firsts = {one.method: one for one in reversed(candidates)}
    return [firsts[method] for method in MEMBERS]


def z_of(cell: Mapping[str, np.ndarray], of: str = "z") -> np.ndarray:
    return np.stack([cell[f"{of} {method}"] for method in MEMBERS]).astype(np.float32)


def accuracy(cell: Mapping[str, np.ndarray], weights: Sequence[float]) -> float:
    scores_RC = np.tensordot(np.asarray(weights, dtype=np.float32), z_of(cell), 1)
    return 100 * float((scores_RC.argmax(axis=1) == cell["label"]).mean())


def log_loss(cell: Mapping[str, np.ndarray], weights: np.ndarray) -> float:
    scores_RC = np.tensordot(weights.astype(np.float32), z_of(cell), 1)
    scores_RC -= scores_RC.max(axis=1, keepdims=True)
    right_R = scores_RC[np.arange(len(scores_RC)), cell["label"]]
    return float((np.log(np.exp(scores_RC).sum(axis=1)) - right_R).mean())


def best_weights(cells: Mapping[str, list[Any]], gains: Mapping[str, np.ndarray]) -> list[float]:
    """Of these sets: the mean of the best points of the grid, scaled by log-loss, rounded."""
    mean_G = np.mean([gains[name] for name in cells], axis=0)
    weights = np.mean([GRID[point] for point in np.argsort(-mean_G, kind="stable")[:BEST]], axis=0)

    def loss(scale: float) -> float:
        return float(np.mean([log_loss(cell, scale * weights) for found in cells.values() for cell in found]))

    scale = minimize_scalar(loss, bounds=(0.2, 10), method="bounded", options={"xatol": 0.01}).x
    return [round(round(float(scale * weight) / ROUNDED) * ROUNDED, 2) for weight in weights]


def stacked(cell: Mapping[str, np.ndarray], table: Sequence[float], shrink: float) -> np.ndarray:
    found = stack(z_of(cell, "hidden"), cell["hidden label"], np.asarray(table), shrink)
    return np.where(found < LEAST * found.sum(), 0, found)


def summarize(cells: Mapping[int, Mapping[str, list[Any]]]) -> dict[str, Any]:
    """By labels a class: the table, that of all sets but one, their gains over label propagation, of evidence."""
    found: dict[str, Any] = {"table": {}, "leaving_out": {name: {} for name in SETS}, "gains": {}, "evidence": {}}
    for labels, sets in cells.items():
        alone = {name: [accuracy(cell, (1, 0, 0)) for cell in parts] for name, parts in sets.items()}
        gains = {
            name: np.mean([[accuracy(c, w) for w in GRID] for c in parts], axis=0) - np.mean(alone[name])
            for name, parts in sets.items()
        }
        found["table"][labels] = best_weights(sets, gains)
        shrunk: dict[float, dict[str, float]] = {}
        for name, parts in sets.items():
            others = best_weights({other: sets[other] for other in sets if other != name}, gains)
            found["leaving_out"][name][labels] = others
            gain = np.mean([accuracy(cell, others) for cell in parts]) - np.mean(alone[name])
            found["gains"].setdefault(labels, {})[name] = round(float(gain), 2)
            for shrink in SHRINKS if "hidden label" in parts[0] else ():
                right = np.mean([accuracy(cell, stacked(cell, others, shrink)) for cell in parts])
                shrunk.setdefault(shrink, {})[name] = round(float(right - np.mean(alone[name])), 2)
        found["evidence"][labels] = shrunk
    few = [cell for labels in LABELS[:2] for parts in cells[labels].values() for cell in parts]
    names = [key for key in few[0] if key.startswith("alone ")]
    found["alone"] = {name[6:]: round(100 * float(np.mean([cell[name] for cell in few])), 1) for name in names}
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help=f"folder that holds {', '.join(SETS)}")
    parser.add_argument("--out", type=Path, default=Path("runs/bench-join-table"))
    parser.add_argument("--only", choices=SETS, help="one set, without a summary: several can run at once")
    options = parser.parse_args()
    made = provenance()  # before the work: the commit may move while it runs
    options.out.mkdir(parents=True, exist_ok=True)
    warnings.simplefilter("ignore", ConvergenceWarning)
    cells: dict[int, dict[str, list[Any]]] = {labels: {} for labels in LABELS}
    for name in [options.only] if options.only else SETS:
        X, truth = read_set(options.data, name)
        for labels, draw in itertools.product(LABELS, DRAWS):
            path = options.out / f"{name}-{labels}-{draw}.npz"
            if not path.exists():
                np.savez(path, **run_cell(X, truth, draw_seeds(truth, labels, draw), draw))
                print(path, flush=True)
            cells[labels].setdefault(name, []).append(dict(np.load(path)))
    if not options.only:
        summary = summarize(cells)
        print(save("join_table", made | {"members": MEMBERS, "summary": summary}))
        print(summary)


if __name__ == "__main__":
    main()
