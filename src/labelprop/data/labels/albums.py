"""Sub-folders that are albums or years, and were taken for classes."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from labelprop.core.text import counted, quoted
from labelprop.data.labels.findings import Finding, warning
from labelprop.data.labels.table import LabelRow
from labelprop.data.samples import Samples
from labelprop.data.sources.folder import UNLABELED_FOLDER

Pairs = Sequence[tuple[LabelRow, str | None]]  # a row of LABELS, and the label that DATA give the example


def albums(pairs: Pairs, samples: Samples, labels: Collection[str]) -> list[str]:
    """The sub-folders that disagree with LABELS, where none of the `labels` there is the name of a class of DATA."""
    known = {name.casefold() for name in samples.declared}
    if samples.unit != "file" or known & {label.casefold() for label in labels}:
        return []
    return sorted({there for row, there in pairs if there is not None and row.id.startswith(f"{there}/")})


def say_albums(folders: Sequence[str]) -> str:
    """What they may be, and the remedy."""
    n = counted(len(folders), "sub-folder")
    return (
        f"No label is the name of a sub-folder: {n} may be albums and not classes ({quoted(folders)}). Then move "
        f"them into a folder named '{UNLABELED_FOLDER}', where names are no labels."
    )


def albums_beside(folders: Sequence[str], samples: Samples, texts: Collection[str | None]) -> list[Finding]:
    """Where LABELS count all the same: names of folders are classes beside theirs, for images without a row."""
    left = [name for name in samples.declared if name in texts]
    if not folders or not left:
        return []
    return [
        warning(f"names of folders count as classes beside those of LABELS: {quoted(left)}. {say_albums(folders)}")
    ]
