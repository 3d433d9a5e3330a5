"""A CSV, TSV, Parquet or JSON-lines table with a column of images, texts or embeddings."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from labelprop.core.errors import RequestError
from labelprop.data.images.column import read_images
from labelprop.data.source import Columns, RawData, as_path
from labelprop.data.tables.embedding_column import read_embeddings
from labelprop.data.tables.kinds import table_kind
from labelprop.data.tables.read import read_table
from labelprop.data.tables.table import Table
from labelprop.data.tables.values import plain_text

USUAL_NAMES = {"image": ("image", "img"), "text": ("text",), "embedding": ("embedding", "features")}


class TableSource:
    """Rows of a table file."""

    def claims(self, data: object) -> bool:
        path = as_path(data)
        return path is not None and table_kind(path) is not None and not path.is_dir()

    def read(self, data: Any, columns: Columns) -> RawData:
        path = Path(data).expanduser()
        return data_in_table(read_table(path), columns, path.stem)


def data_in_table(table: Table, columns: Columns, name: str) -> RawData:
    """Ids, labels and the one column of content of a table.

    Raises RequestError where the column of content is not clear, DataError where a cell is wrong.
    """
    kind, column = _content_column(table, columns)
    label = label_column(table, columns)
    return RawData(
        name=name,
        ids=ids_of(table, columns.id),
        given=table.labels(label) if label is not None else [None] * table.n_rows,
        images=partial(read_images, table, column) if kind == "image" else None,
        vectors=partial(read_embeddings, table, column) if kind == "embedding" else None,
        texts=[_text(value) for value in table.texts(column)] if kind == "text" else None,
        declared=table.codes(label) if label is not None else (),
    )


def label_column(table: Table, columns: Columns) -> str | None:
    """The column of given labels: `--label-col`, else `label`, unless that is the column of the truth."""
    if columns.label is not None:
        if columns.label == columns.truth:
            raise RequestError(f"--label-col and --truth-col both name '{columns.label}'; the truth is only scored.")
        return columns.label
    return "label" if "label" in table.names and columns.truth != "label" else None


def _content_column(table: Table, columns: Columns) -> tuple[str, str]:
    asked = {"image": columns.image, "text": columns.text, "embedding": columns.embedding}
    chosen = [(kind, column) for kind, column in asked.items() if column is not None]
    if not chosen:
        taken = {columns.id, columns.label, columns.truth}
        chosen = [
            (kind, usual)
            for kind, names in USUAL_NAMES.items()
            for usual in names
            if usual in table.names and usual not in taken
        ]
    if len(chosen) == 1:
        return chosen[0]
    several = "more than one column could be the content: " + ", ".join(column for _, column in chosen)
    problem = several if chosen else "no column of content was found"
    raise RequestError(
        f"{table.where}: {problem}. Name one with --image-col, --text-col or --embedding-col; "
        f"its columns are {', '.join(table.names) or 'none'}."
    )


def _text(value: Any) -> str | None:
    """A cell as text; None where there is nothing to read in it."""
    text = plain_text(value)
    return text if text and not text.isspace() else None


def ids_of(table: Table, name: str | None) -> list[str]:
    """Ids of the rows as text: the column `name`, else the column `id`, else row numbers from 0.

    Raises DataError naming the row without an id.
    """
    if name is None and "id" not in table.names:
        return [str(row) for row in range(table.n_rows)]
    return table.ids(name or "id")
