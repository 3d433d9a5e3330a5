from __future__ import annotations

import numpy as np
import pytest
import torch

from labelprop.core.types import PseudoLabels, Snapshot
from labelprop.evaluation.metrics import OTHER, UNKNOWN, accuracy, top_k_accuracy, weighted_accuracy
from labelprop.evaluation.monitor import Monitor
from labelprop.evaluation.truth import HeldBackTruth, encode


def test_accuracy_counts_known_rows_only_and_unreached_ones_as_wrong() -> None:
    labels, truth = np.array([0, 1, -1, 1, 0]), np.array([0, 0, 1, UNKNOWN, OTHER])
    assert accuracy(labels, truth) == 1 / 4
    assert accuracy(labels, np.full(5, UNKNOWN)) is None


def test_weighted_accuracy() -> None:
    labels, truth = np.array([0, 1]), np.array([0, 0])
    assert weighted_accuracy(labels, truth, np.array([3.0, 1.0])) == 0.75
    assert weighted_accuracy(labels, truth, np.zeros(2)) is None


def test_top_5_needs_more_than_5_classes() -> None:
    distributions = np.eye(6)[[0, 1]] + np.linspace(0, 0.01, 6)
    assert top_k_accuracy(distributions, np.array([0, 0])) == 0.5
    assert top_k_accuracy(distributions[:, :5], np.array([0, 1])) is None


def test_truth_of_given_rows_is_not_scored_and_unknown_classes_can_only_be_wrong() -> None:
    truth = HeldBackTruth.of(["a", "b", None, "new"], ("a", "b"), np.array([True, False, False, False]))
    assert truth.codes_N.tolist() == [UNKNOWN, 1, UNKNOWN, OTHER]
    assert truth.n == 2
    assert encode(["b", None, "?"], ("a", "b")).tolist() == [1, UNKNOWN, OTHER]


def test_monitor_reads_network_and_pseudo_labels() -> None:
    truth = HeldBackTruth.of(["a", "b", "b", "a"], ("a", "b"), np.array([True, False, False, False]))
    pseudo = PseudoLabels(torch.tensor([0, 1, 0, 0]), torch.ones(4), torch.tensor([1.0, 0.5, 0.0, 0.5]))
    logits = torch.tensor([[0.0, 1], [0, 1], [0, 1], [0, 1]])
    monitor = Monitor(truth, np.array([0, -1, -1, -1]), 2)
    numbers = dict(monitor(1, Snapshot(pseudo, {"class": logits})))
    assert sum(numbers.pop("certainty_of_right")) == 2
    assert sum(numbers.pop("certainty_of_wrong")) == 1
    assert numbers == {
        "accuracy": pytest.approx(2 / 3, abs=1e-6),
        "pseudo_label_accuracy": pytest.approx(2 / 3, abs=1e-6),
        "weighted_pseudo_label_accuracy": 1.0,
    }
    assert monitor(1, Snapshot()) == {}


def test_a_truth_that_says_little_is_doubted() -> None:
    given_N = np.array([True, True, False, False])
    of_given = HeldBackTruth.of(["cat", "dog", None, None], ["cat", "dog"], given_N)
    assert of_given.doubts(["cat", "dog"]) == [
        "all rows that the truth names have a given label: none is left to score"
    ]
    strange = HeldBackTruth.of([None, None, "Cat", "owl"], ["cat", "dog"], given_N)
    assert strange.doubts(["cat", "dog"]) == [
        "the truth has classes that no label names, 'Cat', 'owl', in 2 rows, counted as wrong; labels write 'cat'"
    ]
    assert HeldBackTruth.of([None, None, "cat", None], ["cat", "dog"], given_N).doubts(["cat", "dog"]) == []
