"""A folder of images, in which class sub-folders are labels; or of tables, which are read as one."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path, PurePath
from typing import Any

from labelprop.core.errors import DataError, RequestError
from labelprop.core.text import counted, quoted
from labelprop.data.files.listing import FolderFiles, is_hf_folder, list_files, shown_name
from labelprop.data.files.metadata import MetadataLabel, metadata_files, read_metadata
from labelprop.data.files.skipped import by_reason
from labelprop.data.images.kinds import IMAGE_SUFFIXES
from labelprop.data.images.originals import EncodedImages
from labelprop.data.labels.findings import Finding, blocking, note
from labelprop.data.source import Columns, RawData, as_path
from labelprop.data.sources.table import data_in_table, open_table
from labelprop.data.tables.kinds import ARRAY_SUFFIXES
from labelprop.data.tables.shards import read_shards

UNLABELED_FOLDER = "unlabeled"


class FolderSource:
    """Images below a folder: loose files and those in `unlabeled/` have no label. Ids are relative paths with `/`.

    `metadata.csv`, `.jsonl` or `.parquet` of a HuggingFace imagefolder are read. Without images the tables on the
    first level are one table. Every other file is listed as skipped.
    """

    def claims(self, data: object) -> bool:
        path = as_path(data)
        return path is not None and path.is_dir() and not is_hf_folder(path)

    def read(self, data: Any, columns: Columns) -> RawData:
        found = list_files(Path(data).expanduser())
        if found.images:
            return _images(found, columns)
        shards = found.shards
        if not shards:
            raise DataError(_nothing_found(found))
        table = read_shards([found.root / name for name in shards], lambda path: open_table(path, columns))
        for name in found.tables:
            if name not in shards:
                found.leave_out(name, "a table in a sub-folder; only those in the folder itself are one table")
        raw = data_in_table(table, columns, _name(found.root))
        skipped = [replace(skip, reason=skip.reason.replace("not an image", "not a table")) for skip in found.skipped]
        return replace(raw, skipped=tuple(skipped), beside=tuple(found.root / name for name in shards))


def _images(found: FolderFiles, columns: Columns) -> RawData:
    tables = metadata_files(found)
    if not tables:
        columns.refuse(f"'{found.root}' is a folder of images and has")
    elif columns != Columns(label=columns.label, truth=columns.truth):
        what = "only --label-col and --truth-col name columns of its metadata"
        raise RequestError(f"'{found.root}' is a folder of images: {what}; leave the others out.")
    ids = {shown_name(name): name for name in found.images}
    if len(ids) < len(found.images):
        clash = next(name for name in found.images if ids[shown_name(name)] != name)
        both = f"{os.fsencode(clash)!r} and {os.fsencode(ids[shown_name(clash)])!r}"
        raise DataError(
            f"two files in '{found.root}' are both shown as '{shown_name(clash)}': {both}; rename one of them."
        )
    metadata = read_metadata(found, tables, ids, columns)
    no_classes = _no_classes(metadata.labels)
    by_folder = {name: _label(name, no_classes) for name in ids}
    types = metadata.types | ({None} if any(by_folder.values()) else set())  # names of folders are text
    declared = [shown_name(folder) for folder in found.folders]
    declared = [folder for folder in declared if folder != UNLABELED_FOLDER and folder not in no_classes]
    return RawData(
        name=_name(found.root),
        ids=list(ids),
        given=[metadata.labels[name].label if name in metadata.labels else by_folder[name] for name in ids],
        images=EncodedImages([os.path.join(found.root, name) for name in ids.values()]),
        declared=tuple(dict.fromkeys([*declared, *metadata.declared])),
        skipped=tuple(found.skipped),
        label_type=types.pop() if len(types) == 1 else None,
        unit="file",
        beside=tuple(found.root / name for name in metadata.files),
        findings=(*metadata.findings, *_compare(metadata.labels, by_folder, no_classes)),
    )


def _name(root: Path) -> str:
    return shown_name(root.resolve().name) or str(root)


def _label(shown: str, no_classes: Collection[str] = ()) -> str | None:
    folder, slash, _ = shown.partition("/")
    return folder if slash and folder != UNLABELED_FOLDER and folder not in no_classes else None


def _no_classes(labels: Mapping[str, MetadataLabel]) -> set[str]:
    """Folders, as `train` or `images`, whose images have several labels in the metadata, none of them its name."""
    within: dict[str, set[str]] = {}
    for name, given in labels.items():
        if (folder := _label(name)) is not None:
            within.setdefault(folder, set()).add(given.label)
    return {folder for folder, names in within.items() if len(names) > 1 and folder not in names}


def _compare(
    labels: Mapping[str, MetadataLabel], by_folder: Mapping[str, str | None], no_classes: Collection[str]
) -> list[Finding]:
    """Where metadata and names of folders say different things."""
    found = []
    if no_classes:
        named = quoted(sorted(no_classes))
        found.append(note(f"not taken for classes, since the metadata give other labels there: folders {named}"))
    torn = [name for name, given in labels.items() if by_folder[name] not in (None, given.label)]
    if torn:
        shown = "; ".join(
            f"'{name}' is '{by_folder[name]}' by its folder and '{labels[name].label}' in {labels[name].where}"
            for name in torn[:5]
        )
        text = f"metadata and folders disagree on {counted(len(torn), 'image')}: {shown}. Correct one of the two."
        found.append(blocking(text, torn))
    return found


def _nothing_found(found: FolderFiles) -> str:
    arrays = [skip.id for skip in found.skipped if PurePath(skip.id).suffix.lower() in ARRAY_SUFFIXES]
    nothing = f"the folder '{found.root}' holds no images"
    for name in (*found.tables, *arrays):
        return f"{nothing}, but '{shown_name(name)}': to read that, pass '{found.root / name}'."
    seen = "".join(f" {sentence}." for _, sentence, _ in by_reason(found.skipped))
    return f"{nothing}. Put images ({' '.join(sorted(IMAGE_SUFFIXES))}) into it.{seen}"
