"""A CSV, TSV, Parquet or JSON-lines table with a column of images, texts or embeddings, or a column a dimension."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from labelprop.core.errors import RequestError
from labelprop.core.text import counted, quoted
from labelprop.data.images.column import read_images
from labelprop.data.source import Columns, RawData, as_path
from labelprop.data.tables.embedding_column import read_embeddings
from labelprop.data.tables.kinds import table_kind
from labelprop.data.tables.number_columns import expected_columns, number_columns, read_number_columns
from labelprop.data.tables.read import read_table
from labelprop.data.tables.table import NAMES_SHOWN, Table
from labelprop.data.tables.values import plain_text

USUAL_NAMES = {"image": ("image", "img"), "text": ("text",), "embedding": ("embedding", "features")}


class TableSource:
    """Rows of a table file."""

    def claims(self, data: object) -> bool:
        path = as_path(data)
        return path is not None and table_kind(path) is not None and not path.is_dir()

    def read(self, data: Any, columns: Columns) -> RawData:
        path = Path(data).expanduser()
        return replace(data_in_table(open_table(path, columns), columns, path.stem), beside=(path,))


def open_table(path: Path, columns: Columns) -> Table:
    """The table in a file, in the encoding and with the wide content that `columns` say."""
    return read_table(path, columns.encoding, lambda names: _wide(names, columns))


def data_in_table(table: Table, columns: Columns, name: str) -> RawData:
    """Ids, labels and the content of a table: one column of it, or many of a number each.

    Beside vectors a text may be shown. Raises RequestError where it is not clear which column is the content,
    DataError where a cell is wrong.
    """
    content = _content_columns(table, columns)
    label = label_column(table, columns)
    texts = [_text(value) for value in table.texts(content["text"])] if "text" in content else None
    vectors: Any = None
    note = None
    wide = _wide(table.names, columns)
    if columns.embeddings is not None:
        vectors = partial(read_number_columns, table, wide)
        note = f"vectors of {counted(len(wide), 'column')}, '{wide[0]}' to '{wide[-1]}'"
        if columns.features:
            note += _left_out(table, {*wide, columns.id or "id", label, content.get("text")})
    elif "embedding" in content:
        vectors = partial(read_embeddings, table, content["embedding"])
        note = f"vectors of the column '{content['embedding']}'" if texts is not None else None
    if vectors is not None and texts is not None:
        note = f"{note}; the text in '{content['text']}' is shown only"
    return RawData(
        name=name,
        ids=ids_of(table, columns.id),
        given=table.labels(label) if label is not None else [None] * table.n_rows,
        images=partial(read_images, table, content["image"]) if "image" in content else None,
        vectors=vectors,
        texts=texts if vectors is None else None,
        shown=texts if vectors is not None else None,
        note=note,
        declared=table.codes(label) if label is not None else (),
        lines=table.lines,
        features=wide,
        label_type=table.label_type(label) if label is not None else None,
    )


def label_column(table: Table, columns: Columns) -> str | None:
    """The column of given labels: `--label-col`, else `label`, unless that is the column of the truth."""
    if columns.label is not None:
        if columns.label == columns.truth:
            raise RequestError(f"--label-col and --truth-col both name '{columns.label}'; the truth is only scored.")
        return columns.label
    return "label" if "label" in table.names and columns.truth != "label" else None


def _content_columns(table: Table, columns: Columns) -> dict[str, str]:
    """The column of each kind of content: one, or a text beside vectors."""
    asked = {"image": columns.image, "text": columns.text, "embedding": columns.embedding}
    chosen = [(kind, column) for kind, column in asked.items() if column is not None]
    if not chosen and columns.embeddings is None:
        taken = {columns.id, columns.label, columns.truth}
        chosen = [
            (kind, usual)
            for kind, names in USUAL_NAMES.items()
            for usual in names
            if usual in table.names and usual not in taken
        ]
    kinds = sorted(kind for kind, _ in chosen)
    if columns.embeddings is not None:
        if kinds not in ([], ["text"]):
            raise RequestError("--embedding-cols names all of the content; beside it only --text-col can be shown.")
        return dict(chosen)
    if len(chosen) == 1 or kinds == ["embedding", "text"]:
        return dict(chosen)
    several = "more than one column could be the content: " + ", ".join(column for _, column in chosen)
    problem = several if chosen else "no column of content was found"
    raise RequestError(
        f"{table.where}: {problem}. Name one with --image-col, --text-col, --embedding-col or --embedding-cols; "
        f"its columns are {quoted(table.names, NAMES_SHOWN, mark='') or 'none'}."
    )


def _wide(names: tuple[str, ...], columns: Columns) -> tuple[str, ...]:
    """The columns of a number each that are asked for; none where none are."""
    if columns.embeddings is None:
        return ()
    if columns.features:
        return expected_columns(names, columns.features)
    taken = {"id", "label", columns.id, columns.label, columns.text, columns.truth}
    return number_columns(names, columns.embeddings, {name for name in taken if name is not None})


def _left_out(table: Table, taken: Collection[str | None]) -> str:
    """A clause for columns that a model was not trained on."""
    names = [name for name in table.names if name not in taken]
    return f"; {quoted(names)} left out, which the model does not take" if names else ""


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
