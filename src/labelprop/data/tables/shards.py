"""Tables of the same columns that are read as one, one after the other."""

from __future__ import annotations

import bisect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any

from labelprop.core.errors import DataError
from labelprop.core.text import quoted
from labelprop.data.tables.table import Table


@dataclass(frozen=True, slots=True, eq=False)
class ShardedTable(Table):
    """All rows of the `shards` in order. What goes wrong is said of the shard and its own row."""

    shards: tuple[Table, ...] = ()

    def texts(self, name: str) -> list[Any]:
        return [text for shard in self.shards for text in shard.texts(name)]

    def labels(self, name: str) -> list[str | None]:
        return [label for shard in self.shards for label in shard.labels(name)]

    def row(self, index: int) -> str:
        starts = [0, *accumulate(shard.n_rows for shard in self.shards[:-1])]
        place = bisect.bisect_right(starts, index) - 1
        return self.shards[place].row(index - starts[place])


def read_shards(paths: Sequence[Path], read: Callable[[Path], Table]) -> Table:
    """Tables as one, in this order. Raises DataError naming the shard and the column where their columns differ."""
    first, *others = shards = [read(path) for path in paths]
    for shard in others:
        lacks = [name for name in first.names if name not in shard.names]
        extra = [name for name in shard.names if name not in first.names]
        if lacks or extra:
            less, more = (shard, first) if lacks else (first, shard)
            raise DataError(
                f"'{more.where}' has the column {quoted(lacks or extra)}, '{less.where}' has not; the tables of a "
                "folder are read as one and need the same columns. Pass one file as DATA, or move away what does not "
                "belong to it."
            )
        if shard.class_names != first.class_names:
            raise DataError(
                f"'{shard.where}' declares other class names than '{first.where}'; write both with the same ones."
            )
    return ShardedTable(
        where=f"'{paths[0].parent}', a folder of tables without images",
        folder=paths[0].parent,
        names=first.names,
        n_rows=sum(shard.n_rows for shard in shards),
        load=lambda name: _joined([shard.column(name) for shard in shards]),
        stream=lambda names: (part for shard in shards for part in shard.stream(names)),
        class_names=first.class_names,
        shards=tuple(shards),
    )


def _joined(columns: Sequence[Any]) -> Any:
    """One column of several: as they are where all are Arrow's of one type, else a list."""
    import pyarrow as pa

    kinds = {None if isinstance(column, list) else column.type for column in columns}
    if len(kinds) == 1 and None not in kinds:
        return pa.chunked_array([chunk for column in columns for chunk in column.chunks], type=kinds.pop())
    return [value for column in columns for value in (column if isinstance(column, list) else column.to_pylist())]
