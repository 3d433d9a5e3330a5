"""A folder of images: class sub-folders are labels; loose files and `unlabeled/` are not."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from labelprop.core.errors import DataError, RequestError
from labelprop.data.images.originals import EncodedImages
from labelprop.data.source import Columns, RawData, as_path
from labelprop.data.tables.kinds import ARRAY_SUFFIXES, table_kind

UNLABELED_FOLDER = "unlabeled"
IMAGE_SUFFIXES = frozenset(
    {".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm", ".pbm"}
    | {".pnm", ".jp2", ".avif", ".tga"}
)
_HF_MARKERS = ("dataset_info.json", "dataset_dict.json", "state.json")  # that `datasets` writes


class FolderSource:
    """Image files below a folder. Ids are relative paths with `/`; hidden files and folders are left out."""

    def claims(self, data: object) -> bool:
        path = as_path(data)
        return path is not None and path.is_dir() and not is_hf_folder(path)

    def read(self, data: Any, columns: Columns) -> RawData:
        columns.refuse(f"'{data}' is a folder of images and has")
        root = Path(data).expanduser()
        names, folders = _walk(root)
        if not names:
            raise DataError(_nothing_found(root))
        ids = {shown_name(name): name for name in names}
        if len(ids) < len(names):
            clash = next(name for name in names if ids[shown_name(name)] != name)
            raise DataError(f"two files in '{root}' are both shown as '{shown_name(clash)}'; rename one of them.")
        return RawData(
            name=root.resolve().name or str(root),
            ids=list(ids),
            given=[_label(name) for name in ids],
            images=EncodedImages([os.path.join(root, name) for name in ids.values()]),
            declared=tuple(shown_name(folder) for folder in folders if folder != UNLABELED_FOLDER),
        )


def is_hf_folder(path: Path) -> bool:
    """Whether a folder was written by `datasets.save_to_disk`."""
    return any((path / marker).is_file() for marker in _HF_MARKERS)


def shown_name(name: str) -> str:
    """A file name as text: `/` between folders, bytes that are not UTF-8 as \\xNN."""
    return os.fsencode(name).decode("utf-8", "backslashreplace").replace(os.sep, "/")


def _label(shown: str) -> str | None:
    folder, slash, _ = shown.partition("/")
    return folder if slash and folder != UNLABELED_FOLDER else None


def _walk(root: Path) -> tuple[list[str], list[str]]:
    """Relative paths of all image files, and the names of all first-level folders; both sorted."""
    try:
        with os.scandir(root) as entries:
            folders = sorted(entry.name for entry in entries if entry.is_dir() and _visible(entry.name))
    except OSError as error:
        raise RequestError(f"cannot read the folder '{root}': {error.strerror or error}.") from error
    names = [os.path.relpath(path, root) for path in _files(str(root), set())]
    return sorted(names), folders


def _files(folder: str, visited: set[str]) -> Iterator[str]:
    """Image files below `folder`; links are followed, each real folder is entered once."""
    real = os.path.realpath(folder)
    if real in visited:
        return
    visited.add(real)
    with os.scandir(folder) as entries:
        for entry in sorted(entries, key=lambda entry: entry.name):
            if not _visible(entry.name):
                continue
            if entry.is_dir():
                yield from _files(entry.path, visited)
            elif os.path.splitext(entry.name)[1].lower() in IMAGE_SUFFIXES:
                yield entry.path


def _visible(name: str) -> bool:
    return not name.startswith(".") and name != "__MACOSX"  # which macOS puts beside a folder it packs


def _nothing_found(root: Path) -> str:
    tables = sorted(path for path in root.iterdir() if table_kind(path) or path.suffix.lower() in ARRAY_SUFFIXES)
    if tables:
        return f"the folder '{root}' holds no images, but '{tables[0].name}': to read that, pass '{tables[0]}'."
    return f"the folder '{root}' holds no images. Put images ({' '.join(sorted(IMAGE_SUFFIXES))}) into it."
