"""What a run leaves behind: labels, metrics, evidence for the page, and the page itself.

Here, after all training is over, labels meet the truth.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from labelprop.core.clock import StageClock
from labelprop.core.memory import peak_memory_bytes
from labelprop.core.progress import Reporter
from labelprop.core.run_folder import RunFolder
from labelprop.data.views.batches import Loader
from labelprop.evaluation.metrics import UNKNOWN, accuracy, top_k_accuracy
from labelprop.evaluation.truth import HeldBackTruth, encode
from labelprop.graph.seeds import Seeds
from labelprop.propagators.diffusion import diffuse_vectors
from labelprop.report.draw.projection import project
from labelprop.report.gather.evidence import choose_shown
from labelprop.report.render import write_report
from labelprop.runs.classifier import Classifier, save_classifier
from labelprop.runs.inputs import Inputs, truth_of
from labelprop.runs.prepare import Prepared
from labelprop.runs.tables import Labeling, evidence_table, labels_table, pseudo_labels_table
from labelprop.training.job import Trained
from labelprop.training.outputs import collect_outputs

RAW_ROWS = 50_000  # propagation on the raw examples is shown for comparison up to this many
RAW_VALUES = 2**28


NAMED = 5  # classes in a sentence


@dataclass(frozen=True, slots=True, eq=False)
class Finished:
    """A finished training and what is needed to write down what came of it."""

    prepared: Prepared
    folder: RunFolder
    trained: Trained
    classifier: Classifier
    baseline: Classifier | None
    loader: Loader
    clock: StageClock
    record: Mapping[str, Any]

    @classmethod
    def of(
        cls,
        prepared: Prepared,
        folder: RunFolder,
        trained: Sequence[Trained],
        loader: Loader,
        clock: StageClock,
        record: Mapping[str, Any],
    ) -> Finished:
        """The last of `trained` is the recipe's; the one before it, if any, that of the labels alone."""
        preprocessing, classes = prepared.design.preprocessing, prepared.inputs.given.classes
        *before, last = (
            Classifier(found.method.deployed(found.net), preprocessing, classes).to(prepared.device)
            for found in trained
        )
        return cls(prepared, folder, trained[-1], last, before[0] if before else None, loader, clock, record)


def write_train_results(finished: Finished) -> None:
    """Everything after the last epoch, each file whole or not at all; run.json says 'finished' last."""
    folder, prepared, clock = finished.folder, finished.prepared, finished.clock
    inputs, design = prepared.inputs, prepared.design
    given_N, classes = inputs.given.labels_N, inputs.given.classes
    with clock.stage("predict"):
        features_ND = collect_outputs(finished.trained.net, finished.loader)["feature"].cpu().numpy()
        distributions_NC = finished.classifier.distributions(design.features.content, prepared.device)
        labeling = Labeling.from_distributions(distributions_NC).with_given(given_N)
    save_classifier(folder.path, finished.classifier, design.spec, {"backbone": finished.record["backbone"]})
    backbone = design.features.backbone
    if backbone is not None and backbone.learned is not None:
        backbone.learned.save(folder.path)
    folder.write_table("labels.parquet", labels_table(inputs.samples.ids, labeling, given_N, classes, "predicted"))
    _write_pseudo_labels(finished)
    truth = truth_of(inputs)
    metrics = _metrics(finished, labeling, truth) | run_totals(clock)
    folder.write_json("metrics.json", metrics)
    with clock.stage("report"):
        projection = write_evidence(folder, inputs, labeling, truth, features_ND, seed=prepared.request.seed)
    finish(folder, dict(finished.record) | {"projection": projection}, clock)
    tell_results(prepared.request.reporter, inputs, labeling, metrics, warnings_of(metrics))


def tell_results(
    reporter: Reporter, inputs: Inputs, labeling: Labeling, metrics: Mapping[str, Any], warnings: Sequence[str]
) -> None:
    """What ends the command: a summary, and what to beware of."""
    reporter.say(summary(metrics, inputs.noun))
    for text in (*warnings, *empty_classes(labeling.labels_N, inputs.given.labels_N, inputs.given.classes)):
        reporter.say(f"warning: {text}")


def finish(folder: RunFolder, record: Mapping[str, Any], clock: StageClock) -> None:
    """The page, then the word that all is done; the page shows the record as it will be."""
    final = dict(record) | {"stages": clock.stages}
    folder.write_json("run.json", final)
    write_report(folder.path)
    folder.write_json("run.json", final | {"status": "finished"})


def run_totals(clock: StageClock) -> dict[str, Any]:
    return {"seconds": clock.seconds, "peak_memory_bytes": peak_memory_bytes()}


def _write_pseudo_labels(finished: Finished) -> None:
    found = finished.trained.method.pseudo_labels()
    if found is None:
        return
    labels_N, certainty_N, weight_N = (
        tensor.detach().cpu().numpy() for tensor in (found.labels_N, found.certainty_N, found.weight_N)
    )
    inputs = finished.prepared.inputs
    table = pseudo_labels_table(inputs.samples.ids, labels_N, certainty_N, weight_N, inputs.given.classes)
    finished.folder.write_table("pseudo_labels.parquet", table)


def _metrics(finished: Finished, labeling: Labeling, truth: HeldBackTruth | None) -> dict[str, Any]:
    given_N = finished.prepared.inputs.given.labels_N
    pseudo = finished.trained.method.pseudo_labels()
    baseline: dict[str, Any] = {"unlabeled": None, "test": None, "unlabeled_wrong": None, "agreement": None}
    if finished.baseline is not None:
        with finished.clock.stage("predict"):
            content = finished.prepared.design.features.content
            baseline_N = finished.baseline.distributions(content, finished.prepared.device).argmax(1)
        baseline |= {
            "unlabeled": score(baseline_N, truth),
            "unlabeled_wrong": wrong(baseline_N, truth),
            "agreement": share_equal(baseline_N, labeling.labels_N, given_N < 0),
            "test": _test_metrics(finished, finished.baseline)["accuracy"],
        }
    return {
        "format": 1,
        "recipe": finished.prepared.design.recipe.name,
        "classes": list(finished.prepared.inputs.given.classes),
        "n": len(given_N),
        "n_given": int((given_N >= 0).sum()),
        "unlabeled": {
            "n": int((given_N < 0).sum()),
            "scored": 0 if truth is None else truth.n,
            "accuracy": score(labeling.labels_N, truth),
        },
        "test": _test_metrics(finished, finished.classifier),
        "baseline": baseline,
        "propagation_only": {"unlabeled": _propagation_only(finished, truth)},
        "pseudo_labels": {"accuracy": score(pseudo.labels_N.cpu().numpy(), truth) if pseudo else None},
    }


def score(labels_N: np.ndarray, truth: HeldBackTruth | None) -> float | None:
    return None if truth is None else accuracy(labels_N, truth.codes_N)


def wrong(labels_N: np.ndarray, truth: HeldBackTruth | None) -> int | None:
    if truth is None:
        return None
    return int(((truth.codes_N != UNKNOWN) & (labels_N != truth.codes_N)).sum())


def share_equal(a_N: np.ndarray, b_N: np.ndarray, among_N: np.ndarray) -> float | None:
    return float((a_N == b_N)[among_N].mean()) if among_N.any() else None


def _test_metrics(finished: Finished, classifier: Classifier) -> dict[str, Any]:
    if finished.prepared.test is None or finished.prepared.test_features is None:
        return {"n": None, "accuracy": None, "top5": None}
    with finished.clock.stage("predict"):
        distributions_NC = classifier.distributions(finished.prepared.test_features.content, finished.prepared.device)
    test = finished.prepared.test.given
    names = [test.classes[code] if code >= 0 else None for code in test.labels_N.tolist()]
    truth_N = encode(names, finished.prepared.inputs.given.classes)
    return {
        "n": int((truth_N != UNKNOWN).sum()),
        "accuracy": accuracy(distributions_NC.argmax(1), truth_N),
        "top5": top_k_accuracy(distributions_NC, truth_N),
    }


def _propagation_only(finished: Finished, truth: HeldBackTruth | None) -> float | None:
    """Accuracy of the diffusion on the examples as they came: what the training has to beat."""
    content, given = finished.prepared.design.features.content, finished.prepared.inputs.given
    too_large = len(content) > RAW_ROWS or len(content) * int(np.prod(content.shape)) > RAW_VALUES
    if truth is None or finished.baseline is None or too_large:
        return None
    with finished.clock.stage("propagation only"):
        vectors_ND = content.read(np.arange(len(content))).float().flatten(1)
        seeds = Seeds.hard(torch.from_numpy(given.labels_N), len(given.classes), torch.from_numpy(given.weights_N))
        found = diffuse_vectors(vectors_ND, seeds)
    return accuracy(found.labels_N.numpy(), truth.codes_N)


def write_evidence(
    folder: RunFolder,
    inputs: Inputs,
    labeling: Labeling,
    truth: HeldBackTruth | None,
    vectors_ND: np.ndarray,
    *,
    seed: int,
) -> str:
    """evidence.parquet, what the page shows of single examples; returns the name of the map's projection."""
    given_N = inputs.given.labels_N
    wrong_N = None
    if truth is not None:
        wrong_N = (truth.codes_N != UNKNOWN) & (labeling.labels_N != truth.codes_N)
    shown_N = choose_shown(
        labeling.labels_N, labeling.certainty_N, given_N >= 0, wrong_N, rng=np.random.default_rng(seed)
    )
    positions_N2 = np.full((len(given_N), 2), np.nan, dtype=np.float32)
    positions_N2[shown_N], projection = project(vectors_ND[shown_N], seed)
    table = evidence_table(
        inputs.samples,
        labeling,
        inputs.given.classes,
        truth.names_N if truth else None,
        positions_N2,
        shown_N,
    )
    folder.write_table("evidence.parquet", table)
    return projection


def summary(metrics: Mapping[str, Any], noun: str) -> str:
    """What came out, in the one or two sentences that end the command."""
    n, found = metrics["unlabeled"]["n"], metrics["unlabeled"]["accuracy"]
    if n == 0:
        return f"all {metrics['n']:,} {noun}s carry the label you gave; there was nothing else to label"
    unreached = metrics["unlabeled"].get("unreached", 0)
    open_end = f" ({unreached:,} unreached ones count as wrong)" if unreached else ""
    tested = metrics["test"]["accuracy"]
    test = f"; on the {metrics['test']['n']:,} of the test set {tested:.2%}" if tested is not None else ""
    if found is None:
        labeled = f"{n:,} unlabeled {noun}s" if unreached == 0 else f"{n - unreached:,} of {n:,} unlabeled {noun}s"
        rest = f", {unreached:,} unreached: nothing connects them to a label" if unreached else ""
        unknown = "their accuracy is not known, since no truth of theirs was given"
        return f"{labeled} labeled{rest}; {unknown}{_hidden_summary(metrics)}{test}"
    rivals = {
        metrics["baseline"].get("kind", "labels only"): metrics["baseline"]["unlabeled"],
        "nearest given label": metrics.get("nearest_label", {}).get("unlabeled"),
        "propagation on the raw data": metrics["propagation_only"]["unlabeled"],
    }
    compared = ", ".join(f"{name} {value:.2%}" for name, value in rivals.items() if value is not None)
    scored = metrics["unlabeled"]["scored"]
    which = f"{n:,} unlabeled {noun}s" if scored == n else f"{scored:,} unlabeled {noun}s (of {n:,}) with a truth"
    return (
        f"accuracy on the {which}{open_end}: {metrics['recipe']} {found:.2%}"
        + (f" ({compared})" if compared else "")
        + test
    )


def best_above(own: float | None, rivals: Mapping[str, float | None]) -> tuple[str, float] | None:
    """The best of the rivals that do better than `own`, and its share; None where none does or nothing is known."""
    better = {name: value for name, value in rivals.items() if value is not None and own is not None and value > own}
    return max(better.items(), key=lambda rival: rival[1]) if better else None


def warnings_of(metrics: Mapping[str, Any]) -> list[str]:
    """Said where less work does better on the unlabeled rows."""
    own, method = metrics["unlabeled"]["accuracy"], metrics["recipe"]
    rivals = {
        "the same network on the given labels alone": metrics["baseline"]["unlabeled"],
        "propagation on the raw data": metrics["propagation_only"]["unlabeled"],
    }
    found = best_above(own, rivals)
    if found is None:
        return []
    name, share = found
    return [
        f"{name} gets {share:.2%} right, {method} {own:.2%}: this training does not pay. Train longer, or "
        "take another recipe (--recipe auto tries some)."
    ]


def empty_classes(labels_N: np.ndarray, given_N: np.ndarray, classes: Sequence[str]) -> list[str]:
    """Said where classes got none of the unlabeled rows."""
    counts_C = np.bincount(labels_N[(given_N < 0) & (labels_N >= 0)], minlength=len(classes))
    empty = [name for name, count in zip(classes, counts_C, strict=True) if not count]
    if not empty or not counts_C.any():
        return []
    named = ", ".join(empty[:NAMED]) + (", ..." if len(empty) > NAMED else "")
    return [
        f"{len(empty):,} of {len(classes):,} classes got none of the unlabeled rows ({named}): there may be none, or "
        "these classes need more labels or longer training."
    ]


def _hidden_summary(metrics: Mapping[str, Any]) -> str:
    """What given labels that were hidden in turn say, where they were."""
    hidden = metrics.get("hidden_labels")
    if not hidden:
        return ""
    found = {
        metrics["recipe"]: hidden["right"],
        "a logistic regression": hidden["baseline_right"],
        "the nearest given label": hidden["nearest_label_right"],
    }
    shares = [f"{name} {right / hidden['n']:.2%}" for name, right in found.items() if right is not None]
    slow = f" ({metrics['recipe']} was not asked: it would take too long)" if hidden["right"] is None else ""
    return f"; of the {hidden['n']:,} given labels, hidden in turn, {', '.join(shares)} came out right{slow}"
