"""Labels in a pandas series: which example each of them is for. pandas aligns by the index, and so it is here."""

from __future__ import annotations

from collections.abc import Set
from typing import Any

import numpy as np

from labelprop.core.errors import DataError
from labelprop.core.text import counted
from labelprop.data.labels.column import made_by
from labelprop.data.samples import Samples
from labelprop.data.tables.values import id_text


def as_series(labels: Any) -> Any:
    """A series of pandas, also the only column of a frame; None for anything else."""
    if not made_by(labels, "pandas") or not hasattr(labels, "index"):
        return None
    column = labels.iloc[:, 0] if labels.ndim == 2 and labels.shape[1] == 1 else labels
    return column if column.ndim == 1 else None


def ids_of_index(series: Any, samples: Samples) -> list[str] | None:
    """The id of the example that each label is for; None where they go by row.

    Beside a frame of pandas: by row where both have the same index, else by the frame's index, else by id. Beside
    anything else: as many labels as rows go by row, unless their index is texts that are ids; others by id.
    Raises DataError naming the first entry of the index that is not found.
    """
    index, frame_index = series.index, samples.index
    by_row = len(series) in (samples.n_rows, len(samples)) if frame_index is None else index.equals(frame_index)
    if by_row and (frame_index is not None or index.inferred_type != "string"):
        return None
    rows = None if frame_index is None else _rows_of(index, frame_index)
    if rows is not None:
        id_of = dict(zip(samples.rows.tolist(), samples.ids, strict=True))
        id_of |= {skip.row: skip.id for skip in samples.skipped if skip.row is not None}
        return [id_of[row] for row in rows.tolist()]
    known, names = samples.known_ids(), list(map(_id, index))
    if known.issuperset(names):
        return names
    if by_row:
        return None
    raise DataError(_say_missing(series, samples, known))


def _id(name: Any) -> str:
    return str(name) if isinstance(name, tuple) else id_text(name)  # of an index of several levels


def _rows_of(index: Any, frame_index: Any) -> np.ndarray | None:
    """The row of the frame for each label; None where there is none for one, or it may be one of two."""
    if not (index.is_unique and frame_index.is_unique and index.nlevels == frame_index.nlevels):
        return None
    rows: np.ndarray = frame_index.get_indexer(index)
    return None if (rows < 0).any() else rows


def _say_missing(series: Any, samples: Samples, known: Set[str]) -> str:
    missing, what = [name for name in series.index if _id(name) not in known], "is no id of it"
    if samples.index is not None:
        outside = [name for name in missing if name not in samples.index]
        what = "is neither in its index nor an id of it" if outside else "cannot be told: one index repeats values"
        missing = outside or missing
    return (
        f"the {counted(len(series), 'label')} of the series go to the {counted(samples.n_rows, 'row')} of "
        f"'{samples.name}' by their index, and {missing[0]!r} {what}. "
        "Give the series the index of the data, or, for one label a row in "
        "the order of the data, leave its index out with .to_numpy()."
    )
