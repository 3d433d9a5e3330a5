"""Which files LABELS are. Nothing here imports torch: wrong paths are refused before that is loaded."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import Any

from labelprop.core.errors import RequestError
from labelprop.data.source import as_path
from labelprop.data.tables.kinds import TABLES, how_to_convert, is_known_file, table_kind


def label_files(labels: Any) -> list[Path]:
    """The paths of LABELS, if that is a file or a list of files; else none.

    A list of texts is one of files where each of them has a file's name or is one, and else labels aligned with the
    rows.
    """
    path = as_path(labels)
    if path is not None:
        return [path]
    parts = labels if isinstance(labels, list | tuple) else []
    paths = [path for part in parts if (path := as_path(part)) is not None and _names_file(part, path)]
    return paths if parts and len(paths) == len(parts) else []


def _names_file(part: Any, path: Path) -> bool:
    return isinstance(part, PathLike) or is_known_file(path) or path.is_file()


def check_files(files: Sequence[Path], what: str) -> None:
    """Raises RequestError for a path that leads nowhere, or to a file of a kind that `what` cannot be read from."""
    for path in files:
        if not path.exists():
            raise RequestError(f"no file '{path}'. Check the path of the {what}.")
        if path.suffix.lower() != ".npy" and table_kind(path) is None:
            kind = "a folder" if path.is_dir() else f"of the kind '{path.suffix or 'without an ending'}'"
            remedy = (
                " Save its array of labels alone, as .npy." if path.suffix.lower() == ".npz" else how_to_convert(path)
            )
            raise RequestError(
                f"cannot read {what} from '{path}', {kind}: give a table with columns id and label ({TABLES}; text "
                f"also packed as .gz), or a .npy with one label a row.{remedy}"
            )
