"""Every reader and every estimator, crossed with every spelling of "unlabeled" that it can hold: the same rows.

Six rows, of which the first, third and fifth have the labels A, B and A, in text, numbers or truth values.
"""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image

from labelprop.core.errors import DataError
from labelprop.data.labels.folds import SeedKFold
from labelprop.data.labels.inspect import inspect
from labelprop.data.labels.join import join, read_truth
from labelprop.data.labels.table import read_label_table
from labelprop.data.samples import Samples, open_samples
from labelprop.propagators.label_spreading import LabelSpreading

try:
    import polars as pl
except ImportError:
    pl = None

NAN, NA, NONE = math.nan, pd.NA, None
LABELED = [0, 2, 4]
X = np.array([[5, 0.1], [5, 0.2], [0.1, 5], [0.2, 5], [5, 0.3], [5, 0.4]])


class Kind(NamedTuple):
    """Two labels A and B as values, and the texts that readers make of them."""

    a: Any
    b: Any
    texts: tuple[str, str]

    def cells(self, marker: Any) -> list[Any]:
        return [self.a, marker, self.b, marker, self.a, marker]

    @property
    def read(self) -> list[str | None]:
        a, b = self.texts
        return [a, None, b, None, a, None]


TEXT, BYTES = Kind("ant", "bee", ("ant", "bee")), Kind(b"ant", b"bee", ("ant", "bee"))
WHOLE, REAL, TRUTH = Kind(3, 7, ("3", "7")), Kind(3.0, 7.0, ("3", "7")), Kind(False, True, ("false", "true"))
WORDS = ("", "-1", "-1.0")


class Column(NamedTuple):
    """A column in memory: how it is made of cells, and the spellings of "unlabeled" that it can hold."""

    make: Callable[[list[Any]], Any]
    kind: Kind
    markers: tuple[Any, ...]
    out: Any  # the marker that an estimator gives back


def masked(dtype: Any) -> Callable[[list[Any]], Any]:
    def make(cells: list[Any]) -> Any:
        plain = [cells[0] if cell is None else cell for cell in cells]
        return np.ma.MaskedArray(np.array(plain, dtype=dtype), [cell is None for cell in cells])

    return make


def series(dtype: Any) -> Callable[[list[Any]], Any]:
    return lambda cells: pd.Series(cells, dtype=dtype)


def category(dtype: Any) -> Callable[[list[Any]], Any]:
    return lambda cells: pd.Series(cells, dtype=dtype).astype("category")


def arrow(dtype: Any) -> Callable[[list[Any]], Any]:
    return lambda cells: pa.chunked_array([pa.array(cells[:2], dtype), pa.array(cells[2:], dtype)])


def of_dataset(dtype: str) -> Callable[[list[Any]], Any]:
    def make(cells: list[Any]) -> Any:
        datasets = pytest.importorskip("datasets")
        features = datasets.Features({"y": datasets.Value(dtype)})
        return datasets.Dataset.from_dict({"y": cells}, features=features)["y"]

    return make


COLUMNS = {
    "list of text": Column(list, TEXT, (*WORDS, NONE, NAN, NA, -1, -1.0), ""),
    "list of numbers": Column(list, WHOLE, (-1, NAN), -1),
    "list of objects": Column(list, WHOLE, (NONE, NA), None),
    "numpy text": Column(np.array, TEXT, WORDS, ""),
    "numpy bytes": Column(np.array, BYTES, (b"", b"-1", b"-1.0"), b""),
    "numpy StringDType": Column(lambda cells: np.array(cells, np.dtypes.StringDType()), TEXT, WORDS, ""),
    "numpy objects": Column(
        lambda cells: np.array(cells, dtype=object),
        TEXT,
        (*WORDS, NONE, NAN, NA, pd.NaT, np.datetime64("NaT"), np.float32(NAN), Decimal("NaN"), -1, -1.0, np.int8(-1)),
        "",
    ),
    "numpy objects of numbers": Column(
        lambda cells: np.array(cells, dtype=object), WHOLE, ("", "-1", NONE, NAN, NA, -1, -1.0), None
    ),
    "numpy int8": Column(lambda cells: np.array(cells, np.int8), WHOLE, (-1,), -1),
    "numpy int64": Column(np.array, WHOLE, (-1,), -1),
    "numpy float16": Column(lambda cells: np.array(cells, np.float16), REAL, (-1.0, NAN), -1),
    "numpy float64": Column(np.array, REAL, (-1.0, NAN), -1),
    "masked int": Column(masked(np.int64), WHOLE, (NONE, -1), -1),
    "masked uint8": Column(masked(np.uint8), WHOLE, (NONE,), -1),
    "masked float": Column(masked(np.float32), REAL, (NONE, NAN, -1.0), -1),
    "masked text": Column(masked(np.str_), TEXT, (NONE, *WORDS), ""),
    "masked truth values": Column(masked(np.bool_), TRUTH, (NONE,), None),
    "torch int64": Column(torch.tensor, WHOLE, (-1,), -1),
    "torch float32": Column(torch.tensor, REAL, (-1.0, NAN), -1),
    "torch bfloat16": Column(lambda cells: torch.tensor(cells, dtype=torch.bfloat16), REAL, (-1.0, NAN), -1),
    "pandas object": Column(series(object), TEXT, (*WORDS, NONE, NAN, NA, pd.NaT, -1, -1.0), ""),
    "pandas str": Column(series("str"), TEXT, (*WORDS, NONE, NAN), ""),
    "pandas string": Column(series("string"), TEXT, (*WORDS, NONE, NA), ""),
    "pandas array of string": Column(lambda cells: pd.array(cells, dtype="string"), TEXT, (*WORDS, NA), ""),
    "pandas string[pyarrow]": Column(series(pd.ArrowDtype(pa.string())), TEXT, (*WORDS, NA), ""),
    "pandas category of text": Column(category("str"), TEXT, (*WORDS, NONE), ""),
    "pandas category of integers": Column(category("Int64"), WHOLE, (-1, NA), -1),
    "pandas category of floats": Column(category("float64"), REAL, (-1.0, NAN), -1),
    "pandas int64": Column(series("int64"), WHOLE, (-1,), -1),
    "pandas float64": Column(series("float64"), REAL, (-1.0, NAN), -1),
    "pandas Int64": Column(series("Int64"), WHOLE, (-1, NA), -1),
    "pandas UInt8": Column(series("UInt8"), WHOLE, (NA,), -1),
    "pandas Float64": Column(series("Float64"), REAL, (-1.0, NA), -1),
    "pandas boolean": Column(series("boolean"), TRUTH, (NA,), None),
    "pandas int64[pyarrow]": Column(series(pd.ArrowDtype(pa.int64())), WHOLE, (-1, NA), -1),
    "arrow string": Column(arrow(pa.string()), TEXT, (*WORDS, NONE), ""),
    "arrow dictionary": Column(lambda cells: pa.array(cells).dictionary_encode(), TEXT, (*WORDS, NONE), ""),
    "arrow int64": Column(arrow(pa.int64()), WHOLE, (-1, NONE), -1),
    "arrow uint8": Column(arrow(pa.uint8()), WHOLE, (NONE,), -1),
    "arrow double": Column(arrow(pa.float64()), REAL, (-1.0, NAN, NONE), -1),
    "arrow bool": Column(arrow(pa.bool_()), TRUTH, (NONE,), None),
    "column of a data set, text": Column(of_dataset("string"), TEXT, (*WORDS, NONE), ""),
    "column of a data set, int64": Column(of_dataset("int64"), WHOLE, (-1,), -1),
    "column of a data set, float32": Column(of_dataset("float32"), REAL, (-1.0, NAN), -1),
}
if pl is not None:
    COLUMNS |= {
        "polars String": Column(pl.Series, TEXT, (*WORDS, NONE), ""),
        "polars Categorical": Column(lambda cells: pl.Series(cells, dtype=pl.Categorical), TEXT, (*WORDS, NONE), ""),
        "polars Int64": Column(pl.Series, WHOLE, (-1, NONE), -1),
        "polars UInt8": Column(lambda cells: pl.Series(cells, dtype=pl.UInt8), WHOLE, (NONE,), -1),
        "polars Float64": Column(pl.Series, REAL, (-1.0, NAN, NONE), -1),
        "polars Boolean": Column(pl.Series, TRUTH, (NONE,), None),
    }


def crossed(table: dict[str, Any]) -> list[Any]:
    return [
        pytest.param(row, marker, id=f"{name}, {type(marker).__name__} {marker!r}")
        for name, row in table.items()
        for marker in row.markers
    ]


in_memory = pytest.mark.parametrize(("column", "marker"), crossed(COLUMNS))


@pytest.fixture(scope="module")
def vectors() -> Samples:
    return open_samples(X)


@in_memory
def test_an_estimator(column: Column, marker: Any) -> None:
    """The last two rows are neighbors of each other alone, so no label reaches them."""
    a, b, out = column.kind.a, column.kind.b, column.out
    far = np.concatenate([X, [[-5, -0.1], [-5, -0.2]]])
    found = LabelSpreading(n_neighbors=1).fit(far, column.make([*column.kind.cells(marker), marker, marker]))
    assert found.classes_.tolist() == [a, b]
    assert found.reached_.tolist() == [True] * 6 + [False] * 2
    assert found.transduction_.tolist() == [a, a, b, b, a, a, out, out]
    assert found.score(X, column.make(column.kind.cells(marker))) == 1


@in_memory
def test_folds(column: Column, marker: Any) -> None:
    hidden = [test.tolist() for _, test in SeedKFold(3).split(X, column.make(column.kind.cells(marker)))]
    assert sorted(row for rows in hidden for row in rows) == LABELED


@in_memory
def test_labels_and_truth_in_memory(vectors: Samples, column: Column, marker: Any) -> None:
    y = column.make(column.kind.cells(marker))
    assert join(vectors, read_label_table(y, vectors)).texts == tuple(column.kind.read)
    assert read_truth(y, vectors) == tuple(column.kind.read)


@in_memory
def test_a_mapping(vectors: Samples, column: Column, marker: Any) -> None:
    cells = column.kind.cells(marker)
    assert list(join(vectors, read_label_table(dict(enumerate(cells)), vectors)).texts) == column.kind.read


def frame_of(name: str, **columns: Any) -> Any:
    """A frame of the package that the column is of."""
    if name.startswith("pandas"):
        return pd.DataFrame({key: list(value) if key != "label" else value for key, value in columns.items()})
    return pl.DataFrame(columns) if name.startswith("polars") else pa.table(columns)


IN_FRAMES = {name: column for name, column in COLUMNS.items() if name.startswith(("pandas", "polars", "arrow"))}


@pytest.mark.parametrize("name", IN_FRAMES)
def test_a_frame(vectors: Samples, name: str) -> None:
    column = IN_FRAMES[name]
    for marker in column.markers:
        y = column.make(column.kind.cells(marker))
        assert list(open_samples(frame_of(name, embedding=X.tolist(), label=y)).given) == column.kind.read
        labels = frame_of(name, id=list(range(6)), label=y)
        assert list(join(vectors, read_label_table(labels, vectors)).texts) == column.kind.read
        assert list(read_truth(labels, vectors)) == column.kind.read


class Rows(NamedTuple):
    """What a file holds: labels with ids, and vectors where it is DATA."""

    ids: list[str]
    labels: list[Any]
    vectors: list[list[float]] | None = None

    @property
    def columns(self) -> dict[str, list[Any]]:
        columns: dict[str, list[Any]] = {"id": self.ids, "label": self.labels}
        return columns if self.vectors is None else columns | {"embedding": self.vectors}


class File(NamedTuple):
    """A file of labels: how it is written, and the spellings of "unlabeled" that it can hold."""

    write: Callable[[Path, Rows], Path]
    kind: Kind
    markers: tuple[Any, ...]


def delimited(name: str, mark: str) -> Callable[[Path, Rows], Path]:
    def write(folder: Path, rows: Rows) -> Path:
        with (folder / name).open("w", encoding="utf-8", newline="") as handle:
            writer = csv.writer(handle, delimiter=mark)
            writer.writerows([list(rows.columns), *zip(*rows.columns.values(), strict=True)])
        return folder / name

    return write


def json_lines(folder: Path, rows: Rows) -> Path:
    lines = [dict(zip(rows.columns, row, strict=True)) for row in zip(*rows.columns.values(), strict=True)]
    (folder / "l.jsonl").write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    return folder / "l.jsonl"


def parquet(dtype: Any) -> Callable[[Path, Rows], Path]:
    def write(folder: Path, rows: Rows) -> Path:
        table = pa.table(rows.columns | {"label": pa.array(rows.labels).cast(dtype)})
        pq.write_table(table, folder / "l.parquet")
        return folder / "l.parquet"

    return write


def array(dtype: Any) -> Callable[[Path, Rows], Path]:
    def write(folder: Path, rows: Rows) -> Path:
        y = np.array(rows.labels, dtype=dtype)
        if rows.vectors is None:
            np.save(folder / "l.npy", y)
            return folder / "l.npy"
        np.savez(folder / "l.npz", X=rows.vectors, y=y, ids=rows.ids)
        return folder / "l.npz"

    return write


def saved_dataset(dtype: str) -> Callable[[Path, Rows], Path]:
    def write(folder: Path, rows: Rows) -> Path:
        datasets = pytest.importorskip("datasets")
        features = {"id": datasets.Value("string"), "label": datasets.Value(dtype)}
        features |= {} if rows.vectors is None else {"embedding": datasets.List(datasets.Value("float64"))}
        datasets.Dataset.from_dict(rows.columns, features=datasets.Features(features)).save_to_disk(folder / "hf")
        return folder / "hf"

    return write


TABLES = {
    "csv": File(delimited("l.csv", ","), TEXT, WORDS),
    "csv of numbers": File(delimited("l.csv", ","), WHOLE, (*WORDS, NONE, -1, -1.0)),
    "tsv": File(delimited("l.tsv", "\t"), TEXT, WORDS),
    "jsonl": File(json_lines, TEXT, (*WORDS, NONE, NAN, -1, -1.0)),
    "jsonl of numbers": File(json_lines, WHOLE, (*WORDS, NONE, NAN, -1, -1.0)),
    "jsonl of truth values": File(json_lines, TRUTH, (*WORDS, NONE, NAN, -1)),
    "parquet string": File(parquet(pa.string()), TEXT, (*WORDS, NONE)),
    "parquet dictionary": File(parquet(pa.dictionary(pa.int8(), pa.string())), TEXT, (*WORDS, NONE)),
    "parquet binary": File(parquet(pa.binary()), BYTES, (b"", b"-1", b"-1.0", NONE)),
    "parquet int64": File(parquet(pa.int64()), WHOLE, (-1, NONE)),
    "parquet uint8": File(parquet(pa.uint8()), WHOLE, (NONE,)),
    "parquet double": File(parquet(pa.float64()), REAL, (-1.0, NAN, NONE)),
    "parquet float": File(parquet(pa.float32()), REAL, (-1.0, NAN, NONE)),
    "parquet bool": File(parquet(pa.bool_()), TRUTH, (NONE,)),
}
ARRAYS = {
    "npy and npz of text": File(array(np.str_), TEXT, WORDS),
    "npy and npz of bytes": File(array(np.bytes_), BYTES, (b"", b"-1", b"-1.0")),
    "npy and npz of int16": File(array(np.int16), WHOLE, (-1,)),
    "npy and npz of float32": File(array(np.float32), REAL, (-1.0, NAN)),
}
DATASETS = {
    "data set of text": File(saved_dataset("string"), TEXT, (*WORDS, NONE)),
    "data set of int64": File(saved_dataset("int64"), WHOLE, (-1, NONE)),
    "data set of float32": File(saved_dataset("float32"), REAL, (-1.0, NAN, NONE)),
    "data set of bool": File(saved_dataset("bool"), TRUTH, (NONE,)),
}


@pytest.mark.parametrize(("file", "marker"), crossed(TABLES | ARRAYS | DATASETS))
def test_a_file_as_data(tmp_path: Path, file: File, marker: Any) -> None:
    path = file.write(tmp_path, Rows(list("uvwxyz"), file.kind.cells(marker), X.tolist()))
    found = open_samples(path)
    assert found.ids == tuple("uvwxyz")
    assert list(found.given) == file.kind.read


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Samples:
    """Six images in a folder."""
    folder = tmp_path_factory.mktemp("photos")
    for row in range(6):
        Image.fromarray(np.full((8, 8), 40 * row, dtype=np.uint8)).save(folder / f"{row}.png")
    return open_samples(folder)


@pytest.mark.parametrize(("file", "marker"), crossed(TABLES | ARRAYS))
def test_a_file_of_labels_and_of_truth(
    tmp_path: Path, photos: Samples, vectors: Samples, file: File, marker: Any
) -> None:
    for samples in (photos, vectors):
        path = file.write(tmp_path, Rows(list(samples.ids), file.kind.cells(marker)))
        assert list(join(samples, read_label_table(path, samples)).texts) == file.kind.read
        assert list(read_truth(path, samples)) == file.kind.read


@pytest.mark.parametrize(("dtype", "top"), [(np.uint8, 255), (np.uint16, 65535), (np.uint64, 2**64 - 1)])
def test_minus_one_that_wrapped_is_asked_about(vectors: Samples, tmp_path: Path, dtype: Any, top: int) -> None:
    y = np.array([3, top, 7, top, 3, top], dtype=dtype)
    np.savez(tmp_path / "wrapped.npz", X=X, y=y)
    readers: dict[str, Callable[[], Any]] = {
        "estimator": lambda: LabelSpreading(n_neighbors=1).fit(X, y),
        "score": lambda: LabelSpreading(n_neighbors=1).fit(X, WHOLE.cells(-1)).score(X, y),
        "labels": lambda: read_label_table(y, vectors),
        "tensor": lambda: read_label_table(torch.from_numpy(y), vectors),
        "frame": lambda: open_samples(pd.DataFrame({"embedding": X.tolist(), "label": y})),
        "arrow": lambda: open_samples(pa.table({"embedding": X.tolist(), "label": y})),
        "npz": lambda: open_samples(tmp_path / "wrapped.npz"),
    }
    for read in readers.values():
        with pytest.raises(DataError, match=f"holds {top} in 3 of 6 rows, the first is row 1.*was it -1"):
            read()
    near = np.array([top - 10, top, top - 10, top, 0, 1], dtype=dtype)
    assert len(LabelSpreading(n_neighbors=1).fit(X, near).classes_) == 4
    assert len(join(vectors, read_label_table(near.astype(np.int64 if top < 2**63 else dtype), vectors)).texts) == 6


@pytest.mark.parametrize("name", ["NA", "None", "nan", "<NA>", "null", "NaT"])
def test_words_for_nothing_are_classes_that_the_doctor_asks_about(name: str) -> None:
    y = ["ant", name, "bee", "", "ant", ""]
    assert sorted(LabelSpreading(n_neighbors=1).fit(X, y).classes_.tolist()) == sorted({"ant", "bee", name})
    findings = inspect(open_samples(X), y)
    assert [found.rows for found in findings if "may mean 'no label'" in found.text] == [("1",)]
