from __future__ import annotations

import pytest

from labelprop.core.errors import UnknownNameError
from labelprop.data.labels.join import GivenLabels
from labelprop.runs.inputs import columns_of, labels_digest
from labelprop.runs.requests import Reading

np = pytest.importorskip("numpy")


def given(labels: list[int], classes: tuple[str, ...] = ("a", "b"), weight: float = 1.0) -> GivenLabels:
    return GivenLabels(classes, np.array(labels), np.full(len(labels), weight, np.float32))


def test_the_digest_changes_with_labels_classes_and_weights() -> None:
    base = labels_digest(given([0, 1, -1]))
    assert base == labels_digest(given([0, 1, -1]))
    others = [given([0, 0, -1]), given([0, 1, -1], ("a", "c")), given([0, 1, -1], weight=0.5)]
    assert len({base, *map(labels_digest, others)}) == 4


def test_columns_are_the_flags_of_reading() -> None:
    named = columns_of(Reading(data="x.csv", label_col="y", truth_col="t"))
    assert (named.label, named.truth, named.id) == ("y", "t", None)


def test_unknown_options_suggest_the_nearest() -> None:
    import labelprop

    with pytest.raises(UnknownNameError, match="did you mean 'label_col'"):
        labelprop.doctor("x", label_cols="y")
