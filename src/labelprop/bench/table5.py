"""Table 5 of Local Label Propagation (Zhuang et al. 2019): propagators on fixed embeddings, no training.

The paper takes 50 classes x 50 ImageNet images, 5 labeled a class, and the mean over 10 random subsets. Here the
embeddings are those at hand: MiniLM sentence vectors of banking77 (50 classes with at least 50 training texts each,
50 of them) and the network of a `dlp` run on fashion_mnist (10 classes x 250 images that the run held no label of).
Accuracy is over the unlabeled rows; one that a method does not reach counts as wrong.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from labelprop.bench.cells import CELLS, CellFile, Work
from labelprop.bench.fashion_embedding import unlabeled_embedding
from labelprop.bench.sets import banking77, draw_nested
from labelprop.bench.tables import markdown, percent, spread, write_markdown
from labelprop.core import registry
from labelprop.core.progress import Reporter
from labelprop.core.run_folder import RunFolder
from labelprop.evaluation.metrics import accuracy

PER_CLASS = 5  # of the paper; the others are ours
ALL_PER_CLASS = (1, 2, 5, 10)


@dataclass(frozen=True, slots=True)
class PropagatorRow:
    """One line of the table: a propagator with its defaults but for `parameters`."""

    name: str
    method: str
    parameters: Mapping[str, Any]
    paper: str = "-"  # accuracy on 50 x 50 ImageNet embeddings, percent


# One graph of cosines for all, as the paper's methods have it.
COSINES: dict[str, Any] = {"metric": "cosine", "sharpness": 1.0}
ROWS = (
    PropagatorRow("LS", "label-spreading", COSINES, "84.6 ± 3.4"),
    PropagatorRow("LS, rbf", "label-spreading", {"kernel": "rbf"}),
    PropagatorRow("LP", "label-propagation", COSINES, "87.7 ± 2.2"),
    PropagatorRow("LP, rbf", "label-propagation", {"kernel": "rbf"}),
    PropagatorRow("LP, Poisson-reweighted", "label-propagation", COSINES | {"reweight": "poisson"}),
    PropagatorRow("DMT", "spectral-cut", {}, "88.2 ± 2.3"),
    PropagatorRow("DLP", "diffusion", {}, "89.2 ± 2.4"),
    PropagatorRow("LLP", "local", {}, "88.1 ± 2.3"),
    PropagatorRow("Poisson", "poisson", COSINES),
    PropagatorRow("ours (auto)", "auto", {}),
    PropagatorRow("weighted kNN", "weighted-knn", {}),
    PropagatorRow("labels only", "auto", {"candidates": ["labels-only"]}),
    PropagatorRow("1-NN", "weighted-knn", {"n_neighbors": 1}),
)


@dataclass(frozen=True, slots=True, eq=False)
class Subset:
    """Rows drawn at random, and the place of each in a random order within its class."""

    vectors_ND: np.ndarray
    labels_N: np.ndarray
    places_N: np.ndarray


def run(data: Path, *, subsets: int = 10, epochs: int | None = None) -> Work:
    """The tables of so many subsets; see `_run`."""
    return partial(_run, data, subsets, epochs)


def _run(data: Path, subsets: int, epochs: int | None, folder: RunFolder, reporter: Reporter) -> str:
    """Runs what is missing and returns the tables as Markdown, which `table.md` and `table.json` hold too.

    `epochs` are those of the `dlp` run whose embedding is used (None: the recipe's small-data default).
    Raises RequestError naming the file that `data` lacks.
    """
    cells = CellFile(folder.path / CELLS)
    vectors_ND, labels_N = banking77(data)
    fashion_ND, fashion_labels_N = unlabeled_embedding(data, folder.path / "fashion_mnist_dlp", epochs, reporter)
    for number in range(subsets):
        drawn = {
            "banking77": draw_subset(vectors_ND, labels_N, n_classes=50, members=50, seed=number),
            "fashion_mnist": draw_subset(fashion_ND, fashion_labels_N, n_classes=10, members=250, seed=number),
        }
        for name, subset in drawn.items():
            for per_class, row in _wanted():
                key = {"set": name, "subset": number, "per_class": per_class, "row": row.name}
                cells.run(key, partial(score, subset, row, per_class))
            reporter.say(f"table5: {name}, subset {number + 1} of {subsets}")
    return _write(folder, cells, subsets)


def draw_subset(vectors_ND: np.ndarray, labels_N: np.ndarray, *, n_classes: int, members: int, seed: int) -> Subset:
    """`n_classes` of the classes with enough rows, `members` rows of each, all at random, in random order."""
    rng = np.random.default_rng(seed)
    names, counts = np.unique(labels_N, return_counts=True)
    chosen = rng.choice(names[counts >= members], n_classes, replace=False)
    rows = np.concatenate([rng.choice(np.flatnonzero(labels_N == label), members, replace=False) for label in chosen])
    rows = rng.permutation(rows)
    return Subset(vectors_ND[rows], labels_N[rows], draw_nested(labels_N[rows], rng))


def score(subset: Subset, row: PropagatorRow, per_class: int) -> dict[str, Any]:
    """Accuracy of one method on the unlabeled rows of a subset, and its verdict."""
    seeded_N = subset.places_N < per_class
    y_N = np.where(seeded_N, subset.labels_N, -1)
    estimator = registry.lookup("propagators", row.method).load()(**row.parameters)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # the cell says whether it converged
        estimator.fit(subset.vectors_ND, y_N)
    found_N = np.asarray(estimator.transduction_)
    return {
        "accuracy": accuracy(found_N[~seeded_N], subset.labels_N[~seeded_N]),
        "reached": float(estimator.reached_.mean()),
        "converged": bool(estimator.converged_),
        "chosen": getattr(estimator, "method_", None),
    }


def _wanted() -> Iterator[tuple[int, PropagatorRow]]:
    for per_class in ALL_PER_CLASS:
        for row in ROWS:
            yield per_class, row


def _write(folder: RunFolder, cells: CellFile, subsets: int) -> str:
    table: dict[str, dict[str, dict[str, Any]]] = {}
    for cell in cells.rows:
        if cell["subset"] < subsets:
            by_row = table.setdefault(f"{cell['set']}, {cell['per_class']} a class", {})
            by_row.setdefault(cell["row"], {}).setdefault("accuracies", []).append(cell["accuracy"])
    summary = {
        column: {name: spread(found["accuracies"]) for name, found in by_row.items()}
        for column, by_row in table.items()
    }
    folder.write_json("table.json", {"subsets": subsets, "columns": summary})
    text = "\n".join(_section(name, summary) for name in ("banking77", "fashion_mnist"))
    write_markdown(folder, text)
    return text


def _section(set_name: str, summary: Mapping[str, Mapping[str, Any]]) -> str:
    columns = [f"{set_name}, {per_class} a class" for per_class in ALL_PER_CLASS]
    header = ["% of unlabeled rows", *(f"{count} a class" for count in ALL_PER_CLASS), "paper (ImageNet, 5 a class)"]
    rows = [[row.name, *(percent(summary[column].get(row.name)) for column in columns), row.paper] for row in ROWS]
    return f"{set_name}\n\n{markdown(header, rows)}"
