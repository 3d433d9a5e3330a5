"""The tables a run hands out: labels with certainty and margin, predictions, pseudo-labels."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from labelprop.core.run_folder import RunFolder
from labelprop.core.types import UNLABELED
from labelprop.data.images.streamed import ahead
from labelprop.data.samples import Samples
from labelprop.data.tables.values import LabelType
from labelprop.report.draw.pictures import LARGE, QUALITY

BLOCK_ELEMENTS = 1 << 22  # shares looked at at once


Label = str | int | float | bool


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
        cls, distributions_NC: Any, labels_N: np.ndarray | None = None, certainty_N: np.ndarray | None = None
    ) -> Labeling:
        """Label and certainty are the largest entry of each row, unless given (as a propagator states them).

        The next best class is the likeliest other than the label; ties go to the lower index. Distributions may be a
        SciPy CSR array of each row's best classes, which is not made dense; a class that is not stored is never the
        next best.
        """
        n = distributions_NC.shape[0]
        parts = []
        for start in range(0, n, step := max(1, BLOCK_ELEMENTS // max(1, distributions_NC.shape[1]))):
            given_B = None if labels_N is None else labels_N[start : start + step]
            parts.append(_two_best(*_rows_of(distributions_NC, start, min(start + step, n)), given_B))
        top_N, top_share_N, second_N, second_share_N = (np.concatenate(column) for column in zip(*parts, strict=True))
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


def _rows_of(distributions_NC: Any, start: int, stop: int) -> tuple[np.ndarray, np.ndarray | None]:
    """Shares (B, M) of some rows, and the class of each (None: column j is class j; -1 where there is none)."""
    if not hasattr(distributions_NC, "indptr"):
        return np.asarray(distributions_NC[start:stop]), None
    crow = distributions_NC.indptr[start : stop + 1]
    counts_B = np.diff(crow)
    inside_E = slice(int(crow[0]), int(crow[-1]))
    there_BM = np.arange(max(1, int(counts_B.max(initial=0)))) < counts_B[:, None]
    shares_BM = np.zeros(there_BM.shape, dtype=distributions_NC.dtype)
    classes_BM = np.full(there_BM.shape, UNLABELED, dtype=np.int64)
    shares_BM[there_BM], classes_BM[there_BM] = distributions_NC.data[inside_E], distributions_NC.indices[inside_E]
    return shares_BM, classes_BM


def _two_best(
    shares_BM: np.ndarray, classes_BM: np.ndarray | None, given_B: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Class and share of the label (the largest share, or as given) and of the likeliest other class."""
    rows_B, left_BM = np.arange(len(shares_BM)), shares_BM.astype(np.float32)
    classes_BM = np.broadcast_to(np.arange(left_BM.shape[1]), left_BM.shape) if classes_BM is None else classes_BM
    place_B, there_B = left_BM.argmax(axis=1), np.ones(len(left_BM), dtype=bool)
    if given_B is not None:
        is_given_BM = classes_BM == given_B[:, None]
        there_B = is_given_BM.any(axis=1) | (given_B < 0)
        place_B = np.where(is_given_BM.any(axis=1), is_given_BM.argmax(axis=1), place_B)
    top_B, top_share_B = classes_BM[rows_B, place_B], left_BM[rows_B, place_B]
    left_BM[rows_B[there_B], place_B[there_B]] = -1
    other_B = left_BM.argmax(axis=1)
    second_share_B = left_BM[rows_B, other_B]
    second_B = np.where(second_share_B < 0, UNLABELED, classes_BM[rows_B, other_B])
    if given_B is not None:  # a label that is not among the stored classes has no share
        top_B, top_share_B = np.where(there_B, top_B, given_B), np.where(there_B, top_share_B, 0)
    return top_B, top_share_B, second_B, np.maximum(second_share_B, 0)


def names_of(codes_N: np.ndarray, classes: Sequence[str]) -> pa.Array:
    """Class indices to label texts; null where negative."""
    codes = pa.array(codes_N, pa.int64(), mask=codes_N < 0)
    return pa.array(list(classes), pa.string()).take(codes)


def label_type_of(folder: RunFolder) -> LabelType | None:
    """What the labels of a run came as; None for text."""
    kind: LabelType | None = folder.read_json("run.json").get("label_type")
    return kind


def as_given(table: pa.Table, kind: LabelType | None) -> pa.Table:
    """The table with its column `label` in the type that labels came in; files hold text.

    The names in the metadata go with the texts: a number would be taken for the place of one.
    """
    if kind is None:
        return table
    place = table.schema.get_field_index("label")
    texts = table.column(place)
    number = pa.int64() if kind == "integer" else pa.float64()
    labels = pc.equal(texts, "true") if kind == "boolean" else texts.cast(number)
    return table.set_column(place, "label", labels).replace_schema_metadata(None)


def label_as_given(text: str, kind: LabelType | None) -> Label:
    """The label in the type that labels came in."""
    if kind is None:
        return text
    return text == "true" if kind == "boolean" else int(text) if kind == "integer" else float(text)


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
            "source": pa.array(source_N, pa.string()),
            "accepted": pa.array(given_N >= 0, pa.bool_(), mask=given_N < 0),
        }
    )


def predictions_table(
    ids: Sequence[str], distributions_NC: np.ndarray, classes: Sequence[str], proba: bool
) -> pa.Table:
    """predictions.parquet; with `proba` also the distribution, in the order of `classes`.

    The schema's metadata has the classes, as JSON under `class_names`, for a reader who has the file alone.
    """
    labeling = Labeling.from_distributions(distributions_NC)
    columns = {
        "id": id_array(ids),
        "label": names_of(labeling.labels_N, classes),
        "certainty": pa.array(labeling.certainty_N, pa.float32()),
        "margin": pa.array(labeling.margin_N, pa.float32()),
    }
    if proba:
        columns["probabilities"] = pa.array(list(distributions_NC.astype(np.float32)), pa.list_(pa.float32()))
    return pa.table(columns, metadata={"class_names": json.dumps(list(classes))})


def pseudo_labels_table(
    ids: Sequence[str], labels_N: np.ndarray, certainty_N: np.ndarray, weight_N: np.ndarray, classes: Sequence[str]
) -> pa.Table:
    """pseudo_labels.parquet: labels of the last propagation, and how much each row counted."""
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
    pictures: list[bytes | None] = [None] * n
    for index, picture in zip(np.flatnonzero(shown_N), thumbnails(samples, np.flatnonzero(shown_N)), strict=True):
        pictures[index] = picture
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
            "text": pa.array(samples.texts or samples.shown or [None] * n, pa.string()),
        }
    )


def thumbnails(samples: Samples, indices: np.ndarray) -> list[bytes | None]:
    """The small pictures of some examples, made in threads."""
    return list(ahead(lambda index: thumbnail(samples, int(index)), indices))


def thumbnail(samples: Samples, index: int) -> bytes | None:
    """The picture, never cropped or enlarged, as large as the page's larger view: exact where it fits, else WebP."""
    picture = samples.picture(index)
    if picture is None:
        return None
    reduced = max(picture.size) > LARGE and picture.mode == "RGB"
    picture.thumbnail((LARGE, LARGE))
    stream = io.BytesIO()
    if reduced:
        picture.save(stream, "WEBP", quality=QUALITY, method=0)
    else:
        picture.save(stream, "PNG")
    return stream.getvalue()
