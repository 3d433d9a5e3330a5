from __future__ import annotations

import numpy as np
import pytest

from labelprop.outputs import Labeling, labels_table, predictions_table

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


def test_one_class_has_no_next_best() -> None:
    found = Labeling.from_distributions(np.ones((2, 1), dtype=np.float32))
    assert found.second_N.tolist() == [-1, -1]
    assert found.margin_N.tolist() == [1, 1]


def test_predictions_carry_the_distribution_when_asked() -> None:
    table = predictions_table(["a", "b", "c", "d"], P, ("x", "y", "z"), proba=True)
    assert table.column("probabilities").to_pylist()[0] == pytest.approx([0.7, 0.2, 0.1])
    assert "probabilities" not in predictions_table(["a"], P[:1], ("x", "y", "z"), proba=False).schema.names
