"""Reading LABELS (and the truth, which is written the same way): ids with labels and weights, nothing checked yet."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from labelprop.core.errors import DataError, RequestError
from labelprop.core.text import counted
from labelprop.data.labels.column import as_column, as_objects, made_by
from labelprop.data.labels.file_columns import FileColumns, check_named, find_columns
from labelprop.data.labels.file_names import FileNames
from labelprop.data.labels.label_files import check_files, label_files
from labelprop.data.labels.options import USUAL, LabelOptions
from labelprop.data.labels.series import as_series, ids_of_index
from labelprop.data.samples import Samples
from labelprop.data.sources.arrays import load_arrays
from labelprop.data.tables.arrow import dataset_table
from labelprop.data.tables.frames import frame_table, is_frame
from labelprop.data.tables.kinds import table_kind
from labelprop.data.tables.read import read_table
from labelprop.data.tables.table import Table
from labelprop.data.tables.values import LabelType, id_text, label_texts, label_type

PERSONS = (None, "", "given", "accepted")  # values of `source` for labels that a person gave or accepted


class LabelRow(NamedTuple):
    """One row of LABELS; `label` is None where it is unlabeled.

    `score` is how well the example fits the label, where LABELS are a table that `labelprop select` wrote. `guessed`
    says whether the label is a run's and not a person's; `type` is what it came as, where that was no text.
    """

    id: str
    label: str | None
    weight: float
    where: str
    score: float | None = None
    guessed: bool = False
    type: LabelType | None = None

    @property
    def file(self) -> str:
        """The file it stands in; "" where it is not from a file."""
        return self.where.rpartition(", ")[0]


def read_label_table(
    labels: Any,
    samples: Samples,
    options: LabelOptions = USUAL,
    tell: Callable[[str], None] = lambda note: None,
    *,
    of_others: bool = False,
) -> list[LabelRow]:
    """Rows of a table file (or a list of such files), a `.npy`, an array or series aligned with the rows, a frame or
    data set with the columns of a table, a mapping id -> label, or a pandas series (see `series.py`). `tell` gets
    a note where columns of other names than id and label are taken. Columns that the options name must be there,
    unless they are those `of_others`.

    Raises RequestError or DataError naming file, row or column.
    """
    if isinstance(labels, Mapping):
        return _by_id(labels, list(labels.values()))
    series = as_series(labels)
    if series is not None:
        ids = ids_of_index(series, samples)
        return _aligned(series, samples, "labels") if ids is None else _by_id(ids, series)
    files, in_memory = label_files(labels), _table_in_memory(labels)
    if not files and in_memory is None:
        return _aligned(labels, samples, "labels")
    check_files(files, "labels")
    sources = [_opened(path, options) for path in files] if in_memory is None else [in_memory]
    if not of_others:
        check_named([source for source in sources if isinstance(source, Table)], options)
    names = FileNames(samples.known_ids())
    rows: list[LabelRow] = []
    for source in sources:
        if isinstance(source, Path):
            rows += _aligned(load_arrays(source)["X"], samples, str(source))
            continue
        columns = find_columns(source, options, lambda text: bool(names.find(text)))
        if columns.note is not None:
            tell(columns.note)
        rows += _from_table(source, columns)
    return rows


def _opened(path: Path, options: LabelOptions) -> Table | Path:
    """A table, or the path of an array."""
    return read_table(path, options.encoding) if table_kind(path) is not None else path


def _by_id(ids: Iterable[Any], labels: Any) -> list[LabelRow]:
    texts, kind = label_texts(labels), label_type(labels)
    return [
        LabelRow(id_text(name), text, 1.0, f"labels[{name!r}]", type=kind)
        for name, text in zip(ids, texts, strict=True)
    ]


def _table_in_memory(labels: Any) -> Table | None:
    """A data set, or a frame of several columns, as a table; a frame of one column is aligned with the rows."""
    if made_by(labels, "datasets") and hasattr(labels, "with_format"):  # a column of one has none
        return dataset_table(labels, "labels")
    return frame_table(labels, "labels") if is_frame(labels) and labels.shape[1] > 1 else None


def _from_table(table: Table, columns: FileColumns) -> list[LabelRow]:
    """Rows that name an example; one without id and label says nothing. Raises DataError where only the id lacks."""
    labels, kind = table.labels(columns.label), table.label_type(columns.label)
    ids = table.ids(columns.id, labels)
    selected = {"score", "rank"} <= set(table.names)  # as `labelprop select` writes them
    ours = {"source", "certainty"} <= set(table.names)  # the labels that a run wrote

    def column(name: str, there: bool) -> list[Any]:
        return table.values(name) if there else [None] * len(ids)

    weights, scores = column("weight", "weight" in table.names), column("score", selected)
    sources = column("source", ours)
    guessed = [selected or source not in PERSONS for source in sources]
    rows = []
    for index, (name, label, weight, score) in enumerate(zip(ids, labels, weights, scores, strict=True)):
        if not name:
            continue
        where = table.row(index)
        trust = 1.0 if weight in (None, "") else _number(weight)
        if not trust >= 0:
            raise DataError(f"{where}: weight {weight!r} must be a number of at least 0.")
        fits = _number(score) if selected else None
        if fits is not None and math.isnan(fits):
            raise DataError(f"{where}: score {score!r} must be a number, as `labelprop select` writes it.")
        rows.append(LabelRow(name, label, trust, where, fits, guessed[index], kind))
    return rows


def _number(value: Any) -> float:
    """A cell as a finite number, NaN where it is none."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        return math.nan
    return number if math.isfinite(number) else math.nan


def _aligned(values: Any, samples: Samples, where: str) -> list[LabelRow]:
    """One label a row of DATA, counting rows that were skipped; or one an example, where some were."""
    array = _as_array(values, where)
    if array.ndim == 2 and array.shape[1] == 1:
        array = array.reshape(-1)
    if array.ndim != 1 or len(array) not in (samples.n_rows, len(samples)):
        paths = [text for text in array.ravel()[:1].tolist() if isinstance(text, str) and "/" in text]
        hint = f" If '{paths[0]}' should be a file, check its path: there is none." if paths else ""
        raise DataError(
            f"{where} has shape {array.shape} where '{samples.name}' has {counted(samples.n_rows, 'row')}; aligned "
            f"labels are one a row. Use a table with columns id and label for some of the rows.{hint}"
        )
    chosen = samples.rows.tolist() if len(array) == samples.n_rows else range(len(samples))
    texts, kind = label_texts(array, where=where), label_type(array)
    return [
        LabelRow(name, text, 1.0, f"{where}, row {row}", type=kind)
        for name, row in zip(samples.ids, chosen, strict=True)
        if (text := texts[row]) is not None
    ]


def _as_array(values: Any, where: str) -> np.ndarray:
    if isinstance(values, list | tuple):
        return as_objects(values)
    if not hasattr(values, "__len__"):
        raise RequestError(f"{where}: labels cannot be read from an object of type {type(values).__name__}.")
    return as_column(values)
