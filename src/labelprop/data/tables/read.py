"""Tables: CSV, TSV, JSON lines, Parquet and HuggingFace data sets, as named columns of unconverted values."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO, TypeVar

from labelprop.core.errors import DataError, RequestError, UnknownNameError
from labelprop.data.tables.values import label_texts, plain_text

TEXT_SUFFIXES = {".csv": ",", ".tsv": "\t"}
JSON_SUFFIXES = frozenset({".jsonl", ".ndjson"})
PARQUET_SUFFIXES = frozenset({".parquet", ".pq"})
TABLE_SUFFIXES = frozenset(TEXT_SUFFIXES) | JSON_SUFFIXES | PARQUET_SUFFIXES
_LONGEST_CELL = 64 * 2**20  # letters: an embedding as text passes csv's own limit of 131,072
BATCH_ROWS = 4096  # of a column that is read in parts, at most
_BATCH_BYTES = 32 * 2**20  # rows may be images: a batch stays small however wide they are
_BUFFER = 8 * 2**20  # read at once from a column chunk, in place of the whole chunk
_BAD_BYTE = re.compile("[\udc80-\udcff]")  # as `surrogateescape` writes one
T = TypeVar("T")


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """Columns of equal length. `load(name)` gives a list (text files) or a `pyarrow.ChunkedArray`."""

    where: str
    folder: Path
    names: tuple[str, ...]
    n_rows: int
    load: Callable[[str], Any]
    class_names: Mapping[str | None, tuple[str, ...]]  # column (None: all others) -> names of the codes 0, 1, ...
    lines: Sequence[int] | None = None  # line numbers of the rows in a text file
    batches: Callable[[str], Iterator[Any]] | None = None  # a column in Arrow arrays, read from disk one by one
    undecoded: Mapping[str, int] = field(default_factory=dict)  # column -> first row with bytes that are not UTF-8

    def column(self, name: str) -> Any:
        """The column `name`. Raises UnknownNameError, with the nearest name, where there is none."""
        self._check(name)
        return self.load(name)

    def _check(self, name: str) -> None:
        if name not in self.names:
            raise UnknownNameError(f"column of {self.where}", name, self.names)

    def arrays(self, name: str, convert: Callable[[Any, int], Any]) -> Iterator[Any]:
        """The column in Arrow arrays of moderate length; those of a text file hold `convert(value, row)`."""
        import pyarrow as pa

        self._check(name)
        if self.batches is not None:
            yield from self.batches(name)
            return
        column = self.load(name)
        chunks = [column] if isinstance(column, list) else column.chunks
        for chunk in chunks:
            for start in range(0, len(chunk), BATCH_ROWS):
                part = chunk[start : start + BATCH_ROWS]
                if isinstance(part, list):
                    part = pa.array([convert(value, start + row) for row, value in enumerate(part)])
                yield part

    def values(self, name: str) -> list[Any]:
        """The column as Python objects."""
        column = self.column(name)
        return list(column) if isinstance(column, list) else list(column.to_pylist())

    def texts(self, name: str) -> list[Any]:
        """The column as Python objects, where it holds texts or labels. Raises DataError where it is not UTF-8."""
        values = self.values(name)
        if name in self.undecoded:
            row = self.undecoded[name]
            raise DataError(
                f"{self.row(row)}: '{values[row][:60]}' in column {name} is not UTF-8. Save the file as UTF-8 (a "
                "spreadsheet calls it CSV UTF-8), or convert it: iconv -f WINDOWS-1252 -t UTF-8 OLD > NEW."
            )
        return values

    def labels(self, name: str) -> list[str | None]:
        """The column as labels, by the names that the table declares; None where unlabeled."""
        return label_texts(self.texts(name), self.codes(name), self.where)

    def ids(self, name: str) -> list[str]:
        """The column as ids. Raises DataError naming the row without one."""
        found = [plain_text(value) or "" for value in self.values(name)]
        if "" in found:
            raise DataError(f"{self.row(found.index(''))}: column '{name}' is empty; every row needs an id.")
        return found

    def row(self, index: int) -> str:
        """How to point at a row."""
        place = f"row {index}" if self.lines is None else f"line {self.lines[index]}"
        return f"{self.where}, {place}"

    def codes(self, name: str) -> tuple[str, ...]:
        """Class names behind the whole numbers of a column; none where none are declared."""
        return self.class_names.get(name, self.class_names.get(None, ()))


def read_table(path: Path) -> Table:
    """Open a table by its suffix. Raises RequestError or DataError naming the file and, if possible, the line."""
    suffix = path.suffix.lower()
    if not path.is_file():
        raise RequestError(f"no file '{path}'. Check the path.")
    try:
        if suffix in TEXT_SUFFIXES:
            return _read_delimited(path, TEXT_SUFFIXES[suffix])
        if suffix in JSON_SUFFIXES:
            return _read_json_lines(path)
        if suffix in PARQUET_SUFFIXES:
            return _read_parquet(path)
    except OSError as error:
        raise RequestError(f"cannot read '{path}': {error.strerror or error}.") from error
    raise RequestError(f"'{path}' is not a table; known are {', '.join(sorted(TABLE_SUFFIXES))}.")


def _delimiter(first_line: str, usual: str) -> str:
    """The usual one, unless the first line holds only another: spreadsheets write ";" in some countries."""
    there = [mark for mark in (usual, ";", "\t") if mark in first_line]  # none: a table of one column
    return there[0] if there else usual


def _read_delimited(path: Path, usual: str) -> Table:
    """Text only: no type is inferred. Bytes that are not UTF-8 appear as \\xNN, as they do in ids of files."""
    (rows, lines), whole = _decoded(path, lambda handle: _rows_of(handle, path, usual))
    if not rows:
        raise DataError(f"{path} is empty; its first line must name the columns.")
    names = tuple(_shown(name.strip()) for name in rows.pop(0))
    lines.pop(0)
    if len(set(names)) < len(names):
        raise DataError(f"{path} has two columns of the same name in its first line: {', '.join(names)}. Rename one.")
    columns = dict(zip(names, (list(cells) for cells in zip(*rows, strict=True)), strict=True)) if rows else {}
    return _of_texts(path, names, lines, {name: columns.get(name, []) for name in names}, whole)


def _rows_of(handle: TextIO, path: Path, usual: str) -> tuple[list[list[str]], list[int]]:
    """Cells of each line that has any, as many as the first has, and its number."""
    rows, lines = [], []
    before = csv.field_size_limit(_LONGEST_CELL)
    try:
        delimiter = _delimiter(handle.readline(), usual)
        handle.seek(0)
        reader = csv.reader(handle, delimiter=delimiter, strict=True)
        for row in reader:
            if row:
                rows.append(row)
                lines.append(reader.line_num)
    except csv.Error as error:
        raise DataError(
            f"{path}, line {reader.line_num}: {error}. Put a cell with quotes in it in quotes."
        ) from error
    finally:
        csv.field_size_limit(before)
    for row, line in zip(rows, lines, strict=True):
        if len(row) != len(rows[0]):
            raise DataError(
                f"{path}, line {line}: {len(row)} cells where the first line has {len(rows[0])} "
                f"({', '.join(name.strip() for name in rows[0])}). Put cells that contain '{delimiter}' in quotes."
            )
    return rows, lines


def _read_json_lines(path: Path) -> Table:
    (records, lines), whole = _decoded(path, lambda handle: _records_of(handle, path))
    names = tuple(dict.fromkeys(name for record in records for name in record))
    return _of_texts(path, names, lines, {name: [record.get(name) for record in records] for name in names}, whole)


def _records_of(handle: TextIO, path: Path) -> tuple[list[dict[str, Any]], list[int]]:
    """The object of each line that is not empty, and its number."""
    records, lines = [], []
    for number, line in enumerate(handle, start=1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except json.JSONDecodeError as error:
            raise DataError(f"{path}, line {number}: not JSON ({error.msg}). Each line is one object.") from error
        if not isinstance(record, dict):
            raise DataError(f"{path}, line {number}: not a JSON object. Each line is one object.")
        records.append(record)
        lines.append(number)
    return records, lines


def _decoded(path: Path, read: Callable[[TextIO], T]) -> tuple[T, bool]:
    """What `read` makes of the file, and whether that is UTF-8; where it is not, bad bytes are lone surrogates."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as handle:
            return read(handle), True
    except UnicodeDecodeError:
        with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as handle:
            return read(handle), False


def _of_texts(
    path: Path, names: tuple[str, ...], lines: list[int], columns: dict[str, list[Any]], whole: bool
) -> Table:
    """The table of a text file; where not the whole of it is UTF-8, with the first row of each column that is not."""
    undecoded = {} if whole else _show_bad_bytes(columns)
    return Table(str(path), path.parent, names, len(lines), columns.__getitem__, {}, lines=lines, undecoded=undecoded)


def _show_bad_bytes(columns: Mapping[str, list[Any]]) -> dict[str, int]:
    """Writes lone surrogates as \\xNN, in place. Returns the first row of each column that has any."""
    first: dict[str, int] = {}
    for name, values in columns.items():
        for row, value in enumerate(values):
            if isinstance(value, str) and _BAD_BYTE.search(value):
                values[row] = _shown(value)
                first.setdefault(name, row)
    return first


def _shown(text: str) -> str:
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def _read_parquet(path: Path) -> Table:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(path)
    except pa.ArrowInvalid as error:
        raise DataError(f"'{path}' is not a Parquet file, or is damaged: {error}") from error
    schema = file.schema_arrow
    class_names = _declared_names(schema.metadata or {})

    def load(name: str) -> Any:
        try:
            return pq.read_table(path, columns=[name]).column(0)
        except pa.ArrowException as error:
            raise DataError(f"cannot read column '{name}' of '{path}': {error}") from error

    def batches(name: str) -> Iterator[Any]:
        """By itself pyarrow would keep every row group it has read until the end, and read each of them whole."""
        try:
            with pq.ParquetFile(path, buffer_size=_BUFFER, pre_buffer=False) as streamed:
                for batch in streamed.iter_batches(_rows_of_a_batch(streamed.metadata, name), columns=[name]):
                    yield batch.column(0)
        except pa.ArrowException as error:
            raise DataError(f"cannot read column '{name}' of '{path}': {error}") from error

    names = tuple(schema.names)
    return Table(
        str(path), path.parent, names, file.metadata.num_rows, load, class_names, batches=batches
    )  # fmt: skip


def _rows_of_a_batch(metadata: Any, name: str) -> int:
    """As many as make a batch of moderate size, by what a row of the column takes in the mean."""
    groups = (metadata.row_group(number) for number in range(metadata.num_row_groups))
    chunks = (group.column(place) for group in groups for place in range(group.num_columns))
    of_column = (chunk for chunk in chunks if chunk.path_in_schema.partition(".")[0] == name)
    nbytes: int = sum(chunk.total_uncompressed_size for chunk in of_column)
    rows: int = metadata.num_rows
    return max(1, min(BATCH_ROWS, _BATCH_BYTES * rows // max(nbytes, 1)))


def _declared_names(metadata: dict[bytes, bytes]) -> dict[str | None, tuple[str, ...]]:
    """Class names by column (the HuggingFace convention), and those under `class_names`, from schema metadata."""
    found: dict[str | None, tuple[str, ...]] = {}
    try:
        features = json.loads(metadata.get(b"huggingface", b"{}")).get("info", {}).get("features", {})
        for column, feature in features.items():
            if isinstance(feature, dict) and feature.get("_type") == "ClassLabel":
                found[column] = tuple(str(name) for name in feature["names"])
        if b"class_names" in metadata:
            found[None] = tuple(str(name) for name in json.loads(metadata[b"class_names"]))
    except (ValueError, TypeError, KeyError, AttributeError):
        return {}  # metadata of another convention
    return found


def dataset_table(dataset: Any, name: str) -> Table:
    """A `datasets.Dataset` as a table; its ClassLabel features name the classes."""
    table = dataset.with_format("arrow")[:]
    names = {
        column: tuple(feature.names)
        for column, feature in dataset.features.items()
        if type(feature).__name__ == "ClassLabel" and feature.names
    }
    return Table(name, Path(), tuple(table.column_names), table.num_rows, table.column, names)
