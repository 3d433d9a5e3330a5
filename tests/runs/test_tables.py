from __future__ import annotations

import json

import numpy as np
import pytest
from scipy import sparse

from labelprop.runs import tables as outputs
from labelprop.runs.tables import Labeling, labels_table, predictions_table

P = np.array([[0.7, 0.2, 0.1], [0.4, 0.4, 0.2], [0.2, 0.5, 0.3], [1 / 3, 1 / 3, 1 / 3]], dtype=np.float32)


def test_label_certainty_margin_and_next_best() -> None:
    found = Labeling.from_distributions(P)
    assert found.labels_N.tolist() == [0, 0, 1, 0], "ties go to the lower index"
    assert found.second_N.tolist() == [1, 1, 2, 1]
    assert found.certainty_N.tolist() == pytest.approx([0.7, 0.4, 0.5, 1 / 3])
    assert found.margin_N.tolist() == pytest.approx([0.5, 0, 0.2, 0], abs=1e-6)


def test_unreached_rows_have_nothing() -> None:
    found = Labeling.from_distributions(P, np.array([0, 0, 1, -1]), np.array([0.9, 0.1, 0.2, 0.0]))
    assert (found.labels_N[3], found.second_N[3], found.margin_N[3], found.certainty_N[3]) == (-1, -1, 0, 0)
    assert found.certainty_N[0] == pytest.approx(0.9)


def test_given_rows_keep_their_label_where_the_model_disagrees() -> None:
    found = Labeling.from_distributions(P).with_given(np.array([1, -1, 1, -1]))
    assert found.labels_N.tolist() == [1, 0, 1, 0]
    assert found.certainty_N[0] == found.margin_N[0] == 1
    assert found.second_N[0] == 0, "what the model thought of a given row stays visible"


def test_labels_table_follows_the_contract() -> None:
    given = np.array([1, -1, -1, -1])
    labeling = Labeling.from_distributions(P, np.array([1, 0, 1, -1]), np.array([1, 0.5, 0.5, 0])).with_given(given)
    table = labels_table(["a", "b", "c", "d"], labeling, given, ("x", "y", "z"), "propagated")
    assert table.schema.names == ["id", "label", "certainty", "margin", "source", "accepted"]
    assert table.column("label").to_pylist() == ["y", "x", "y", None]
    assert table.column("source").to_pylist() == ["given", "propagated", "propagated", "unreached"]
    assert table.column("accepted").to_pylist() == [True, None, None, None]
    assert str(table.schema.field("certainty").type) == "float"


def test_sparse_distributions_give_the_same_without_becoming_dense(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outputs, "BLOCK_ELEMENTS", 7)  # several blocks
    rng = np.random.default_rng(0)
    dense = np.where(rng.random((40, 6)) < 0.5, 0, rng.random((40, 6))).astype(np.float32)
    dense[:, 2] += 0.01  # no row is empty
    labels = np.where(np.arange(40) % 3 == 0, -1, dense.argmax(1))
    thin = sparse.csr_array(dense)
    thin.toarray = thin.todense = None  # would fail
    for given in (None, labels):
        want = Labeling.from_distributions(dense, given)
        found = Labeling.from_distributions(thin, given)
        two = np.sort(dense, axis=1)[:, -2] > 0
        np.testing.assert_array_equal(found.labels_N, want.labels_N)
        np.testing.assert_array_equal(found.margin_N, want.margin_N)
        np.testing.assert_array_equal(found.second_N[two], want.second_N[two])
        np.testing.assert_array_equal(found.second_share_N, want.second_share_N)
        assert (found.second_N[~two] == -1).all()


def test_a_label_that_is_not_among_the_stored_classes_has_no_share() -> None:
    thin = sparse.csr_array(np.array([[0.0, 0.75, 0.25]], dtype=np.float32))
    found = Labeling.from_distributions(thin, np.array([0]))
    assert (found.labels_N[0], found.second_N[0], found.margin_N[0]) == (0, 1, 0)
    assert found.second_share_N[0] == 0.75


def test_one_class_has_no_next_best() -> None:
    found = Labeling.from_distributions(np.ones((2, 1), dtype=np.float32))
    assert found.second_N.tolist() == [-1, -1]
    assert found.margin_N.tolist() == [1, 1]


def test_predictions_carry_the_distribution_when_asked() -> None:
    table = predictions_table(["a", "b", "c", "d"], P, ("x", "y", "z"), proba=True)
    assert table.column("probabilities").to_pylist()[0] == pytest.approx([0.7, 0.2, 0.1])
    assert json.loads(table.schema.metadata[b"class_names"]) == ["x", "y", "z"]
    assert "probabilities" not in predictions_table(["a"], P[:1], ("x", "y", "z"), proba=False).schema.names
