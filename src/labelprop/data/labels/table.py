"""Reading LABELS (and the truth, which is written the same way): ids with labels and weights, nothing checked yet."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from labelprop.core.errors import DataError, RequestError
from labelprop.data.labels.file_columns import FileColumns, check_named, find_columns
from labelprop.data.labels.file_names import FileNames
from labelprop.data.labels.label_files import check_files, label_files
from labelprop.data.labels.options import USUAL, LabelOptions
from labelprop.data.samples import Samples
from labelprop.data.sources.arrays import load_arrays
from labelprop.data.tables.arrow import dataset_table
from labelprop.data.tables.kinds import table_kind
from labelprop.data.tables.read import read_table
from labelprop.data.tables.table import Table
from labelprop.data.tables.values import label_text, plain_text

PERSONS = (None, "", "given", "accepted")  # values of `source` for labels that a person gave or accepted


class LabelRow(NamedTuple):
    """One row of LABELS; `label` is None where it is unlabeled.

    `score` is how well the example fits the label, where LABELS are a table that `labelprop select` wrote. `guessed`
    says whether the label is a run's and not a person's.
    """

    id: str
    label: str | None
    weight: float
    where: str
    score: float | None = None
    guessed: bool = False


def read_label_table(
    labels: Any,
    samples: Samples,
    options: LabelOptions = USUAL,
    tell: Callable[[str], None] = lambda note: None,
    *,
    of_others: bool = False,
) -> list[LabelRow]:
    """Rows of a table file (or a list of such files), a `.npy`, an array aligned with the rows, a data set, or a
    mapping id -> label. `tell` gets a note where columns of other names than id and label are taken.
    Columns that the options name must be there, unless they are those `of_others`.

    Raises RequestError or DataError naming file, row or column.
    """
    if isinstance(labels, Mapping):
        return [
            LabelRow(plain_text(key) or "", label_text(value), 1.0, f"labels[{key!r}]")
            for key, value in labels.items()
        ]
    files = label_files(labels)
    if not files and type(labels).__module__.partition(".")[0] != "datasets":
        return _aligned(labels, samples, "labels")
    check_files(files, "labels")
    tables = {path: read_table(path, options.encoding) for path in files if table_kind(path) is not None}
    opened = [*tables.values()] if files else [dataset_table(labels, "labels")]
    if not of_others:
        check_named(opened, options)
    names = FileNames(samples.ids, (skip.id for skip in samples.skipped))
    rows = [
        row for path in files if path not in tables for row in _aligned(load_arrays(path)["X"], samples, str(path))
    ]
    for table in opened:
        columns = find_columns(table, options, lambda text: bool(names.find(text)))
        if columns.note is not None:
            tell(columns.note)
        rows += _from_table(table, columns)
    return rows


def _from_table(table: Table, columns: FileColumns) -> list[LabelRow]:
    """Rows that name an example; one without id and label says nothing. Raises DataError where only the id lacks."""
    labels = table.labels(columns.label)
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
        rows.append(LabelRow(name, label, trust, where, fits, guessed[index]))
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
            f"{where} has shape {array.shape} where '{samples.name}' has {samples.n_rows:,} rows; aligned labels are "
            f"one a row. Use a table with columns id and label for some of the rows.{hint}"
        )
    chosen = samples.rows.tolist() if len(array) == samples.n_rows else range(len(samples))
    texts = _texts(array)
    return [
        LabelRow(name, text, 1.0, f"{where}, row {row}")
        for name, row in zip(samples.ids, chosen, strict=True)
        if (text := texts[row]) is not None
    ]


def _texts(array: np.ndarray) -> list[str | None]:
    """The label text of each entry; equal numbers are looked at once."""
    if array.dtype.kind not in "iub":
        return [label_text(value) for value in array]
    values, places = np.unique(array, return_inverse=True)
    texts = [label_text(value) for value in values]
    return [texts[place] for place in places.tolist()]


def _as_array(values: Any, where: str) -> np.ndarray:
    if hasattr(values, "detach"):
        return np.asarray(values.detach().cpu())
    if isinstance(values, np.ndarray):
        return values
    if isinstance(values, Sequence) and not isinstance(values, str | bytes):
        array = np.empty(len(values), dtype=object)  # NumPy would turn [1, "a"] and [None, 2] into something else
        for place, value in enumerate(values):
            array[place] = value
        return array
    if hasattr(values, "to_numpy"):
        return np.asarray(values.to_numpy())
    raise RequestError(f"{where}: labels cannot be read from an object of type {type(values).__name__}.")
