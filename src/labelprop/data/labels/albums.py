"""Sub-folders that are albums or years, and were taken for classes."""

from __future__ import annotations

from collections.abc import Sequence

from labelprop.core.text import counted, quoted
from labelprop.data.labels.table import LabelRow
from labelprop.data.samples import Samples
from labelprop.data.sources.folder import UNLABELED_FOLDER

_FEW = 3  # disagreements may be corrections


def say_albums(pairs: Sequence[tuple[LabelRow, str | None]], samples: Samples) -> str:
    """A sentence and its remedy where LABELS disagree with the folders and never name one of them; else ''."""
    folders = {folder for _, folder in pairs if folder is not None}
    if samples.unit != "file" or len(pairs) < _FEW or {*samples.declared} & {row.label for row, _ in pairs}:
        return ""
    n = counted(len(folders), "sub-folder")
    return (
        f" No label is the name of a sub-folder: {n} may be albums and not classes ({quoted(sorted(folders))}). Then "
        f"move them into a folder named '{UNLABELED_FOLDER}', where names are no labels."
    )
