"""The tables a run hands out: labels with certainty and margin, predictions, pseudo-labels."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from labelprop.data.samples import Samples
from labelprop.types import UNLABELED

THUMBNAIL = 64


@dataclass(frozen=True, slots=True, eq=False)
class Labeling:
    """A label for each of N rows, with what is known of its trustworthiness."""

    labels_N: np.ndarray  # class index, -1 where unreached
    certainty_N: np.ndarray
    margin_N: np.ndarray  # p(1st) - p(2nd)
    second_N: np.ndarray  # next best class, -1 where there is none
    second_share_N: np.ndarray

    @classmethod
    def from_distributions(
        cls,
        distributions_NC: np.ndarray,
        labels_N: np.ndarray | None = None,
        certainty_N: np.ndarray | None = None,
    ) -> Labeling:
        """Label and certainty are the largest entry of each row, unless given (as a propagator states them).

        The next best class is the likeliest other than the label; ties go to the lower index.
        """
        n, c = distributions_NC.shape
        rows_N = np.arange(n)
        order_N2 = np.argsort(-distributions_NC, axis=1, kind="stable")[:, :2]
        top_N = order_N2[:, 0] if labels_N is None else np.where(labels_N < 0, order_N2[:, 0], labels_N)
        second_N = np.full(n, UNLABELED)
        second_share_N = np.zeros(n, dtype=np.float32)
        if c > 1:
            second_N = np.where(order_N2[:, 0] == top_N, order_N2[:, 1], order_N2[:, 0])
            second_share_N = distributions_NC[rows_N, second_N].astype(np.float32)
        top_share_N = distributions_NC[rows_N, top_N].astype(np.float32)
        unreached_N = np.zeros(n, dtype=bool) if labels_N is None else labels_N < 0
        return cls(
            labels_N=np.where(unreached_N, UNLABELED, top_N),
            certainty_N=(top_share_N if certainty_N is None else certainty_N).astype(np.float32),
            margin_N=np.where(unreached_N, 0, np.maximum(top_share_N - second_share_N, 0)).astype(np.float32),
            second_N=np.where(unreached_N, UNLABELED, second_N),
            second_share_N=np.where(unreached_N, 0, second_share_N).astype(np.float32),
        )

    def with_given(self, given_N: np.ndarray) -> Labeling:
        """Given rows keep their given label, certainty 1 and margin 1, even where the model disagrees."""
        has_N = given_N >= 0
        other_N = np.where(self.labels_N == given_N, self.second_N, self.labels_N)
        return Labeling(
            labels_N=np.where(has_N, given_N, self.labels_N),
            certainty_N=np.where(has_N, 1, self.certainty_N).astype(np.float32),
            margin_N=np.where(has_N, 1, self.margin_N).astype(np.float32),
            second_N=np.where(has_N, other_N, self.second_N),
            second_share_N=np.where(has_N, 0, self.second_share_N).astype(np.float32),
        )


def names_of(codes_N: np.ndarray, classes: Sequence[str]) -> pa.Array:
    """Class indices to label texts; null where negative."""
    return pa.array([classes[code] if code >= 0 else None for code in codes_N.tolist()], pa.string())


def id_array(ids: Sequence[str]) -> pa.Array:
    return pa.array(list(ids), pa.string())


def labels_table(
    ids: Sequence[str], labeling: Labeling, given_N: np.ndarray, classes: Sequence[str], found: str
) -> pa.Table:
    """labels.parquet: one row an example in input order; `found` is the source of labels that were not given."""
    source_N = np.where(given_N >= 0, "given", np.where(labeling.labels_N < 0, "unreached", found))
    return pa.table(
        {
            "id": id_array(ids),
            "label": names_of(labeling.labels_N, classes),
            "certainty": pa.array(labeling.certainty_N, pa.float32()),
            "margin": pa.array(labeling.margin_N, pa.float32()),
            "source": pa.array(source_N.tolist(), pa.string()),
            "accepted": pa.array([True if code >= 0 else None for code in given_N.tolist()], pa.bool_()),
        }
    )


def predictions_table(
    ids: Sequence[str], distributions_NC: np.ndarray, classes: Sequence[str], proba: bool
) -> pa.Table:
    """predictions.parquet; with `proba` also the distribution, in the order of `classes`."""
    labeling = Labeling.from_distributions(distributions_NC)
    columns = {
        "id": id_array(ids),
        "label": names_of(labeling.labels_N, classes),
        "certainty": pa.array(labeling.certainty_N, pa.float32()),
        "margin": pa.array(labeling.margin_N, pa.float32()),
    }
    if proba:
        columns["probabilities"] = pa.array(list(distributions_NC.astype(np.float32)), pa.list_(pa.float32()))
    return pa.table(columns)


def pseudo_labels_table(
    ids: Sequence[str],
    labels_N: np.ndarray,
    certainty_N: np.ndarray,
    weight_N: np.ndarray,
    classes: Sequence[str],
) -> pa.Table:
    """pseudo_labels.parquet: what the last propagation said and how much each row counted."""
    return pa.table(
        {
            "id": id_array(ids),
            "label": names_of(labels_N, classes),
            "certainty": pa.array(certainty_N, pa.float32()),
            "weight": pa.array(weight_N, pa.float32()),
        }
    )


def evidence_table(
    samples: Samples,
    labeling: Labeling,
    classes: Sequence[str],
    truth_N: Sequence[str | None] | None,
    positions_N2: np.ndarray,
    shown_N: np.ndarray,
) -> pa.Table:
    """evidence.parquet: truth, next best, place on the map and picture, one row an example; null where not shown."""
    n = len(samples.ids)
    pictures = [thumbnail(samples, index) if shown_N[index] else None for index in range(n)]
    nowhere_N = ~np.isfinite(positions_N2[:, 0])
    return pa.table(
        {
            "id": id_array(samples.ids),
            "truth": pa.array(list(truth_N) if truth_N is not None else [None] * n, pa.string()),
            "second": names_of(labeling.second_N, classes),
            "second_share": pa.array(labeling.second_share_N, pa.float32()),
            "x": pa.array(positions_N2[:, 0], pa.float32(), mask=nowhere_N),
            "y": pa.array(positions_N2[:, 1], pa.float32(), mask=nowhere_N),
            "shown": pa.array(shown_N, pa.bool_()),
            "picture": pa.array(pictures, pa.binary()),
            "text": pa.array(samples.texts if samples.texts is not None else [None] * n, pa.string()),
        }
    )


def thumbnail(samples: Samples, index: int) -> bytes | None:
    """The original picture, fitted (never cropped or enlarged) into the page's largest thumbnail, as PNG."""
    picture = samples.picture(index)
    if picture is None:
        return None
    picture.thumbnail((THUMBNAIL, THUMBNAIL))
    stream = io.BytesIO()
    picture.save(stream, "PNG")
    return stream.getvalue()
