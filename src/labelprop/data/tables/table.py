"""A table: named columns of unconverted values, whatever file they come from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from labelprop.core.errors import DataError, UnknownNameError
from labelprop.core.text import quoted
from labelprop.data.repeated import place_of
from labelprop.data.tables.values import LabelType, id_text, label_texts, label_type

BATCH_ROWS = 4096  # of columns that are read in parts, at most
_BATCH_CELLS = 2**20
NAMES_SHOWN = 8  # of columns, in an error


def rows_at_once(n_columns: int) -> int:
    """Rows of a part in which so many columns are read."""
    return max(1, min(BATCH_ROWS, _BATCH_CELLS // max(n_columns, 1)))


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """Columns of equal length. `load(name)` gives a list (text files) or a `pyarrow.ChunkedArray`.

    `stream(names)` gives parts of these columns, one after the other: of each column a list or an Arrow array.
    Raises DataError where columns have one name.
    """

    where: str
    folder: Path
    names: tuple[str, ...]
    n_rows: int
    load: Callable[[str], Any]
    stream: Callable[[Sequence[str]], Iterator[list[Any]]]
    class_names: Mapping[str | None, tuple[str, ...]]  # column (None: all others) -> names of the codes 0, 1, ...
    lines: Sequence[int] | None = None  # line numbers of the rows in a text file
    undecoded: Mapping[str, int] = field(default_factory=dict)  # column -> first row with bytes that are not UTF-8

    def __post_init__(self) -> None:
        double = [name for name, n in Counter(self.names).items() if n > 1]
        if double:
            raise DataError(
                f"{self.where} has two columns of the same name: {quoted(double, NAMES_SHOWN)}. Rename one."
            )

    def column(self, name: str) -> Any:
        """The column `name`. Raises UnknownNameError, with the nearest name, where there is none."""
        self._check(name)
        return self.load(name)

    def _check(self, name: str) -> None:
        if name not in self.names:
            raise UnknownNameError(f"column of {self.where}", name, self.names, NAMES_SHOWN)

    def parts(self, names: Sequence[str]) -> Iterator[list[Any]]:
        """Several columns in parts of moderate length, of each column a list or an Arrow array."""
        for name in names:
            self._check(name)
        yield from self.stream(names)

    def arrays(self, name: str, convert: Callable[[Any, int], Any]) -> Iterator[Any]:
        """The column in Arrow arrays of moderate length; those of a text file hold `convert(value, row)`."""
        import pyarrow as pa

        start = 0
        for (part,) in self.parts([name]):
            is_text = isinstance(part, list)
            yield pa.array([convert(value, start + row) for row, value in enumerate(part)]) if is_text else part
            start += len(part)

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
                f"{self.row(row)}: '{values[row][:60]}' in column {name} is not UTF-8. Name the encoding of the file "
                "(--encoding cp1252, for instance), save it as UTF-8 (a spreadsheet calls it CSV UTF-8), or convert "
                "it: iconv -f WINDOWS-1252 -t UTF-8 OLD > NEW."
            )
        return values

    def labels(self, name: str) -> list[str | None]:
        """The column as labels, by the names that the table declares; None where unlabeled."""
        column = self.column(name)
        return label_texts(self.texts(name) if isinstance(column, list) else column, self.codes(name), self.where)

    def label_type(self, name: str) -> LabelType | None:
        """What the labels in the column came as; None for text, and for codes of names."""
        return None if self.codes(name) else label_type(self.column(name))

    def ids(self, name: str, needed: Sequence[object] | None = None) -> list[str]:
        """The column as ids. Raises DataError naming the row without one; where `needed` is None, '' is one."""
        found = [id_text(value) for value in self.values(name)]
        for row, text in enumerate(found):
            if not text and (needed is None or needed[row] is not None):
                raise DataError(f"{self.row(row)}: column '{name}' is empty; every row needs an id.")
        return found

    def row(self, index: int) -> str:
        """How to point at a row."""
        return f"{self.where}, {place_of(index, self.lines)}"

    def codes(self, name: str) -> tuple[str, ...]:
        """Class names behind the whole numbers of a column; none where none are declared."""
        return self.class_names.get(name, self.class_names.get(None, ()))
