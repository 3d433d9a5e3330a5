"""The results of a training: the classifier, labels, pseudo-labels, metrics, the page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch

from labelprop.core.clock import StageClock
from labelprop.core.run_folder import RunFolder
from labelprop.data.views.batches import Loader
from labelprop.evaluation.metrics import UNKNOWN, accuracy, top_k_accuracy
from labelprop.evaluation.truth import encode
from labelprop.graph.seeds import Seeds
from labelprop.propagators.diffusion import Diffusion
from labelprop.runs.classifier import Classifier, save_classifier
from labelprop.runs.closing import compares_raw
from labelprop.runs.prepare import PreparedTraining
from labelprop.runs.results import Results
from labelprop.runs.summary import asked_of, last_words
from labelprop.runs.tables import Labeling, pseudo_labels_table
from labelprop.training.job import TrainedNetwork
from labelprop.training.outputs import collect_outputs


@dataclass(frozen=True, eq=False)
class Trained:
    """A finished training and what is needed to write down what came of it.

    The last of `trainings` is the recipe's; one before it is that of the labels alone.
    """

    prepared: PreparedTraining
    folder: RunFolder
    trainings: Sequence[TrainedNetwork]
    loader: Loader
    clock: StageClock
    record: Mapping[str, Any]

    @cached_property
    def classifiers(self) -> list[Classifier]:
        """Of each training, on the device."""
        preprocessing, classes = self.prepared.design.preprocessing, self.prepared.inputs.given.classes
        networks = (found.method.deployed(found.net) for found in self.trainings)
        return [Classifier(net, preprocessing, classes).to(self.prepared.device) for net in networks]


def write_trained(finished: Trained) -> None:
    """Everything after the last epoch, each file whole or not at all; run.json says 'finished' last."""
    folder, prepared, clock = finished.folder, finished.prepared, finished.clock
    inputs, design = prepared.inputs, prepared.design
    with clock.stage("predict"):
        features_ND = collect_outputs(finished.trainings[-1].net, finished.loader)["feature"].cpu().numpy()
        distributions_NC = finished.classifiers[-1].distributions(design.embedded.content, prepared.device)
        labeling = Labeling.from_distributions(distributions_NC).with_given(inputs.given.labels_N)
    save_classifier(folder.path, finished.classifiers[-1], design.spec, {"backbone": finished.record["backbone"]})
    backbone = design.embedded.backbone
    if backbone is not None and backbone.learned is not None:
        backbone.learned.save(folder.path)
    results = Results.of(prepared.request, folder, inputs, labeling, clock)
    results.write_labels("predicted")
    _write_pseudo_labels(finished)
    metrics = results.metrics(design.recipe.name) | _metrics(finished, results)
    results.write_metrics(metrics)
    with clock.stage("report"):
        projection = results.write_evidence(features_ND)
    words = last_words(results, metrics, asked_of(prepared))
    results.finish(dict(finished.record) | {"projection": projection}, words)


def _write_pseudo_labels(finished: Trained) -> None:
    found = finished.trainings[-1].method.pseudo_labels()
    if found is None:
        return
    labels_N, certainty_N, weight_N = (
        tensor.detach().cpu().numpy() for tensor in (found.labels_N, found.certainty_N, found.weight_N)
    )
    inputs = finished.prepared.inputs
    table = pseudo_labels_table(inputs.samples.ids, labels_N, certainty_N, weight_N, inputs.given.classes)
    finished.folder.write_table("pseudo_labels.parquet", table)


def _metrics(finished: Trained, results: Results) -> dict[str, Any]:
    """The part of metrics.json that only a training has."""
    baseline_N, baseline_test = None, None
    if len(finished.classifiers) > 1:
        with finished.clock.stage("predict"):
            content = finished.prepared.design.embedded.content
            baseline_N = finished.classifiers[0].distributions(content, finished.prepared.device).argmax(1)
        baseline_test = _test_metrics(finished, finished.classifiers[0])["accuracy"]
    pseudo = finished.trainings[-1].method.pseudo_labels()
    return {
        "test": _test_metrics(finished, finished.classifiers[-1]),
        "baseline": {"test": baseline_test} | results.compared(baseline_N),
        "propagation_only": {"unlabeled": _propagation_only(finished, results)},
        "pseudo_labels": {"accuracy": results.score(pseudo.labels_N.cpu().numpy()) if pseudo else None},
    }


def _test_metrics(finished: Trained, classifier: Classifier) -> dict[str, Any]:
    if finished.prepared.test is None or finished.prepared.test_embedded is None:
        return {"n": None, "accuracy": None, "top5": None}
    with finished.clock.stage("predict"):
        distributions_NC = classifier.distributions(finished.prepared.test_embedded.content, finished.prepared.device)
    test = finished.prepared.test.given
    names = [test.classes[code] if code >= 0 else None for code in test.labels_N.tolist()]
    truth_N = encode(names, finished.prepared.inputs.given.classes)
    return {
        "n": int((truth_N != UNKNOWN).sum()),
        "accuracy": accuracy(distributions_NC.argmax(1), truth_N),
        "top5": top_k_accuracy(distributions_NC, truth_N),
    }


def _propagation_only(finished: Trained, results: Results) -> float | None:
    """Accuracy of the diffusion on the raw examples, to compare the training with."""
    content, given = finished.prepared.design.embedded.content, finished.prepared.inputs.given
    if results.truth is None or len(finished.trainings) == 1 or not compares_raw(content):
        return None
    with finished.clock.stage("propagation only"):
        vectors_ND = content.read(np.arange(len(content))).float().flatten(1)
        seeds = Seeds.hard(torch.from_numpy(given.labels_N), len(given.classes), torch.from_numpy(given.weights_N))
        found = Diffusion().label_vectors(vectors_ND, seeds)
    return results.score(found.labels_N.numpy())
