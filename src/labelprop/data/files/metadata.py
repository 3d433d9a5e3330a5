"""`metadata.csv`, `.jsonl` or `.parquet` among images, as in a HuggingFace imagefolder: labels by `file_name`."""

from __future__ import annotations

import posixpath
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import NamedTuple

from labelprop.core.text import counted, quoted
from labelprop.data.files.listing import FolderFiles, shown_name
from labelprop.data.labels.findings import Finding, blocking, note
from labelprop.data.source import Columns
from labelprop.data.sources.table import label_column
from labelprop.data.tables.read import read_table
from labelprop.data.tables.table import NAMES_SHOWN, Table
from labelprop.data.tables.values import LabelType

_STEM, _FILE_NAME = "metadata", "file_name"


class MetadataLabel(NamedTuple):
    """A label, and the row that gives it."""

    label: str
    where: str


@dataclass(slots=True)
class Metadata:
    """What the files say of images, by id. `declared` are class names they know."""

    files: frozenset[str] = frozenset()
    labels: dict[str, MetadataLabel] = field(default_factory=dict)
    declared: tuple[str, ...] = ()
    types: set[LabelType | None] = field(default_factory=set)  # that labels came as
    findings: list[Finding] = field(default_factory=list)


def metadata_files(found: FolderFiles) -> list[str]:
    """The tables whose name says that they describe the images below them."""
    return [name for name in found.tables if PurePath(name).name.lower().partition(".")[0] == _STEM]


def read_metadata(found: FolderFiles, names: Sequence[str], ids: Collection[str], columns: Columns) -> Metadata:
    """Labels in these tables of a folder of images `ids`; all other tables among the images are left out.

    Names of files are relative to the table. Raises RequestError or DataError where a table cannot be read.
    """
    tables = {name: read_table(found.root / name, columns.encoding) for name in names}
    tables = {name: table for name, table in tables.items() if _FILE_NAME in table.names}
    for name in found.tables:
        if name not in tables:
            lacks = f": metadata need a column {_FILE_NAME}" if name in names else ""
            found.leave_out(name, f"not an image{lacks}")
    metadata = Metadata(frozenset(tables))
    known = {*ids, *(skip.id for skip in found.skipped)}
    for name, table in tables.items():
        _add(metadata, table, posixpath.dirname(shown_name(name)), known, columns)
    metadata.labels = {name: given for name, given in metadata.labels.items() if name in ids}
    return metadata


def _add(metadata: Metadata, table: Table, folder: str, known: Collection[str], columns: Columns) -> None:
    column = label_column(table, columns)
    if column is None and columns.truth is None:
        names = quoted(table.names, NAMES_SHOWN, mark="")
        metadata.findings.append(note(f"{table.where} has no column label; name one with --label-col: {names}"))
    labels = table.labels(column) if column is not None else [None] * table.n_rows
    n_labels = sum(label is not None for label in labels)
    if column is not None and n_labels:
        metadata.types.add(table.label_type(column))
        metadata.findings.append(note(f"{counted(n_labels, 'label')} found in {table.where}"))
    if column is not None:
        metadata.declared = tuple(dict.fromkeys([*metadata.declared, *table.codes(column)]))
    lost, torn = [], []
    for row, (name, label) in enumerate(zip(table.ids(_FILE_NAME), labels, strict=True)):
        found = _id(folder, name, known)
        if found is None:
            lost.append((name, table.row(row)))
        elif label is not None:
            first = metadata.labels.setdefault(found, MetadataLabel(label, table.row(row)))
            if first.label != label:
                torn.append((found, first, MetadataLabel(label, table.row(row))))
    if lost:
        text = "; ".join(f"'{name}' ({where})" for name, where in lost[:5])
        more = f" and {len(lost) - 5:,} more" if len(lost) > 5 else ""
        metadata.findings.append(
            blocking(
                f"{counted(len(lost), 'row')} of {table.where} without a file: {text}{more}. Remove them, or put the "
                f"files where {_FILE_NAME} says, relative to the table.",
                [name for name, _ in lost],
            )
        )
    if torn:
        text = "; ".join(
            f"'{name}' is '{first.label}' ({first.where}) and '{other.label}' ({other.where})"
            for name, first, other in torn[:5]
        )
        ids = list(dict.fromkeys(name for name, _, _ in torn))
        metadata.findings.append(
            blocking(f"two different labels in the metadata for {quoted(ids)}: {text}. Keep one row for each.", ids)
        )


def _id(folder: str, name: str, known: Collection[str]) -> str | None:
    """The id that a name relative to `folder` stands for, also where it has `\\` between folders."""
    for written in (name, name.replace("\\", "/")):
        found = posixpath.normpath(posixpath.join(folder, written))
        if found in known:
            return found
    return None
