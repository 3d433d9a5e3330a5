"""Which columns of a labels file hold ids and labels, where they have other names than `id` and `label`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from labelprop.core.errors import DataError, UnknownNameError
from labelprop.core.text import quoted
from labelprop.data.labels.options import LabelOptions
from labelprop.data.tables.table import NAMES_SHOWN, Table
from labelprop.data.tables.values import id_text

IDS = (
    *("id", "filename", "file_name", "file", "image", "path", "image_id", "img", "image_name", "image_path"),
    *("img_path", "filepath", "file_path", "img_id", "image_file"),
)
LABELS = ("label", "class", "target", "category", "labels", "choice", "class_name", "class_label", "y")
_ONES = frozenset({"1", "1.0", "True", "true"})
_BITS = _ONES | {"0", "0.0", "False", "false", ""}
_LABEL_STUDIO = {"annotation_id", "lead_time"}  # in its exports `id` is its own number of a task


class FileColumns(NamedTuple):
    """The columns of ids and labels, and a note where they have other names than these."""

    id: str
    label: str
    note: str | None


def check_named(tables: Sequence[Table], options: LabelOptions) -> None:
    """Raises UnknownNameError for a column that was named and is in none of the files."""
    for name in (options.id, options.label):
        if name is not None and tables and not any(name in table.names for table in tables):
            where = ", ".join(table.where for table in tables)
            raise UnknownNameError(
                f"column of {where}", name, {one for table in tables for one in table.names}, NAMES_SHOWN
            )


def find_columns(table: Table, options: LabelOptions, known: Callable[[str], bool]) -> FileColumns:
    """The columns that were named, where the file has them (of several files not all may); else those usually named.

    Of several that may hold ids it is the first of which any is `known`. Raises DataError where none is found, or
    more than one may hold the labels.
    """
    label = options.label if options.label in table.names else None
    ids = [options.id] if options.id in table.names else _usual(table, IDS)
    ids = [name for name in ids if name is not None and name != label]
    if options.id is None and set(table.names) >= _LABEL_STUDIO:
        ids = [name for name in ids if name != "id"]
    if not ids:
        raise DataError(f"{table.where} has no column 'id', or of a usual name for it. {_say_which(table, known)}")
    chosen = ids[0]
    if len(ids) > 1:
        chosen = next((name for name in ids if any(map(known, _texts(table, name)))), chosen)
    labels = [label] if label is not None else [name for name in _usual(table, LABELS) if name != chosen]
    if not labels:
        which = _say_one_hot(table, chosen) or _say_which(table, known)
        raise DataError(f"{table.where} has no column 'label', or of a usual name for it. {which}")
    if len(labels) > 1 and labels[0].casefold() != "label":
        raise DataError(f"{table.where}: the labels may be in {quoted(labels)}. {_say_which(table, known)}")
    usual = (chosen.casefold(), labels[0].casefold()) == ("id", "label")
    note = None if usual else f"{table.where}: ids are taken from the column '{chosen}', labels from '{labels[0]}'"
    return FileColumns(chosen, labels[0], note)


def _usual(table: Table, names: Sequence[str]) -> list[str]:
    """The columns that have one of these names in any case, in the order of the names."""
    return [name for usual in names for name in table.names if name.casefold() == usual]


def _texts(table: Table, name: str) -> list[str]:
    return [id_text(value) for value in table.values(name)]


def _say_one_hot(table: Table, ids: str) -> str:
    """The remedy where all other columns hold 0 and 1 alone; else ''."""
    others = [name for name in table.names if name != ids]
    found = {text for name in others for text in _texts(table, name)}
    if len(others) < 2 or not found <= _BITS or not found & _ONES:
        return ""
    return (
        f"Its columns {quoted(others, NAMES_SHOWN)} hold 0 and 1 alone (one-hot): write one column 'label' in their "
        "place, with the name of the column that holds 1."
    )


def _say_which(table: Table, known: Callable[[str], bool]) -> str:
    headless = [name for name in table.names if known(name)]
    if headless:
        return (
            f"Its first line should name the columns and holds an id of DATA, '{headless[0]}': write `id,label` as "
            "its first line."
        )
    return (
        "Labels need ids and labels (and may have weight): name their columns with --labels-id-col and "
        f"--labels-label-col. The first line names {quoted(table.names, NAMES_SHOWN, mark='') or 'nothing'}."
    )
