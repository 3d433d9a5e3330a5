"""The results of every run: labels, metrics, evidence for the page, and the page. Labels are scored against the truth
here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from labelprop.core.clock import StageClock
from labelprop.core.memory import peak_memory_bytes
from labelprop.core.progress import WARNING, Reporter, warnings_of
from labelprop.core.run_folder import RunFolder
from labelprop.evaluation.metrics import UNKNOWN, accuracy
from labelprop.evaluation.truth import HeldBackTruth
from labelprop.evaluation.verdict import judge
from labelprop.report.draw.projection import project
from labelprop.report.gather.evidence import choose_shown
from labelprop.report.render import write_report
from labelprop.runs.inputs import Inputs, truth_of
from labelprop.runs.requests import NewRun
from labelprop.runs.tables import Labeling, evidence_table, labels_table


@dataclass(frozen=True, slots=True, eq=False)
class Results:
    """The labels of all examples once they are fixed, the truth, if any, and the folder they are written to."""

    request: NewRun
    folder: RunFolder
    inputs: Inputs
    labeling: Labeling
    truth: HeldBackTruth | None
    clock: StageClock

    @classmethod
    def of(cls, request: NewRun, folder: RunFolder, inputs: Inputs, labeling: Labeling, clock: StageClock) -> Results:
        return cls(request, folder, inputs, labeling, truth_of(inputs), clock)

    @property
    def reporter(self) -> Reporter:
        return self.request.reporter

    @property
    def unlabeled_N(self) -> np.ndarray:
        """Which rows were not given a label."""
        unlabeled_N: np.ndarray = self.inputs.given.labels_N < 0
        return unlabeled_N

    def score(self, labels_N: np.ndarray) -> float | None:
        """Accuracy where the truth is known."""
        return None if self.truth is None else accuracy(labels_N, self.truth.codes_N)

    def compared(self, labels_N: np.ndarray | None) -> dict[str, Any]:
        """How right other labels of the same rows are, and how far they agree with these."""
        if labels_N is None:
            return {"unlabeled": None, "unlabeled_wrong": None, "agreement": None}
        agree_U = (labels_N == self.labeling.labels_N)[self.unlabeled_N]
        return {
            "unlabeled": self.score(labels_N),
            "unlabeled_wrong": None if self.truth is None else int(self._wrong_N(labels_N, self.truth).sum()),
            "agreement": float(agree_U.mean()) if len(agree_U) else None,
        }

    def metrics(self, recipe: str) -> dict[str, Any]:
        """What metrics.json holds for every run; null where it is not known."""
        n_unlabeled = int(self.unlabeled_N.sum())
        return {
            "format": 1,
            "recipe": recipe,
            "classes": list(self.inputs.given.classes),
            "n": len(self.unlabeled_N),
            "n_given": len(self.unlabeled_N) - n_unlabeled,
            "unlabeled": {
                "n": n_unlabeled,
                "scored": 0 if self.truth is None else self.truth.n,
                "accuracy": self.score(self.labeling.labels_N),
            },
            "test": {"n": None, "accuracy": None, "top5": None},
            "baseline": {"test": None} | self.compared(None),
            "propagation_only": {"unlabeled": None},
            "pseudo_labels": {"accuracy": None},
        }

    def write_labels(self, source: str) -> None:
        """labels.parquet; `source` is that of labels that were not given."""
        given = self.inputs.given
        table = labels_table(self.inputs.samples.ids, self.labeling, given.labels_N, given.classes, source)
        self.folder.write_table("labels.parquet", table)

    def write_metrics(self, metrics: Mapping[str, Any]) -> None:
        totals = {"seconds": self.clock.seconds, "peak_memory_bytes": peak_memory_bytes()}
        self.folder.write_json("metrics.json", dict(metrics) | judge(metrics).to_json() | totals)

    def write_evidence(self, vectors_ND: np.ndarray) -> str | None:
        """evidence.parquet, what the page shows of single examples; returns the name of the map's projection.

        Nothing, and None, where no page is wanted.
        """
        if not self.request.report:
            return None
        labeling, truth, seed = self.labeling, self.truth, self.request.seed
        wrong_N = None if truth is None else self._wrong_N(labeling.labels_N, truth)
        shown_N = choose_shown(
            labeling.labels_N, labeling.certainty_N, ~self.unlabeled_N, wrong_N, rng=np.random.default_rng(seed)
        )
        positions_N2 = np.full((len(shown_N), 2), np.nan, dtype=np.float32)
        positions_N2[shown_N], projection = project(vectors_ND[shown_N], seed)
        names_N = truth.names_N if truth else None
        samples, classes = self.inputs.samples, self.inputs.given.classes
        table = evidence_table(samples, labeling, classes, names_N, positions_N2, shown_N)
        self.folder.write_table("evidence.parquet", table)
        return projection

    def finish(self, record: Mapping[str, Any], last_words: Sequence[str]) -> None:
        """Writes the page, if wanted, then run.json with the status finished; the page shows that record already.

        `last_words` are said then; warnings among them are kept with the others.
        """
        warned = [text.removeprefix(WARNING) for text in last_words if text.startswith(WARNING)]
        warned = [*record["warnings"], *warnings_of(self.reporter), *warned]
        final = dict(record) | {
            "status": "running",
            "stages": self.clock.stages,
            "warnings": list(dict.fromkeys(warned)),
        }
        self.folder.write_json("run.json", final)
        if self.request.report:
            write_report(self.folder.path)
        self.folder.write_json("run.json", final | {"status": "finished"})
        for text in last_words:
            self.reporter.say(text)

    @staticmethod
    def _wrong_N(labels_N: np.ndarray, truth: HeldBackTruth) -> np.ndarray:
        wrong_N: np.ndarray = (truth.codes_N != UNKNOWN) & (labels_N != truth.codes_N)
        return wrong_N
