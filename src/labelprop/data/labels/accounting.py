"""How many files, and rows of them, were used, skipped and refused: each that was seen, once."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from labelprop.data.files.listing import list_files
from labelprop.data.files.skipped import account
from labelprop.data.labels.findings import Finding, note
from labelprop.data.labels.label_files import label_files
from labelprop.data.samples import Samples
from labelprop.data.source import as_path
from labelprop.data.sources.folder import FolderSource


def account_for(samples: Samples, findings: Sequence[Finding], labels: Any, *, labels_used: bool) -> Finding:
    """Refused are the examples that a blocking finding names, and files of labels that are not `labels_used`."""
    blocked = {name for finding in findings if finding.severity == "blocking" for name in finding.rows}
    refused = sum(name in blocked for name in samples.ids)
    used = len(samples) - refused
    beside = {path.resolve() for path in samples.beside}
    of_labels = len({path.resolve() for path in label_files(labels) if path.is_file()} - beside)
    of_labels_refused = 0 if labels_used else of_labels
    of_labels -= of_labels_refused
    if samples.unit == "file":
        files = {"examples": used, "of metadata": len(beside), "of labels": of_labels}
        return note(f"{account('file', files, samples.skipped, refused + of_labels_refused)}.")
    rows = account("row", {"": used}, [skip for skip in samples.skipped if skip.row is not None], refused)
    files = {"of data": len(beside), "of labels": of_labels}
    if not any(files.values()) and not of_labels_refused:  # all of it is in memory
        return note(f"{rows}.")
    of_files = account("file", files, [skip for skip in samples.skipped if skip.row is None], of_labels_refused)
    return note(f"{rows}; {of_files}.")


def account_refused(data: Any) -> list[Finding]:
    """The files of DATA that cannot be opened: what is not skipped is refused. Nothing for data in memory."""
    path = as_path(data)
    if FolderSource().claims(data):
        found = list_files(Path(data).expanduser())
        n_refused, skipped = len(found.images) + len(found.tables), found.skipped
    elif path is not None and path.is_file():
        n_refused, skipped = 1, []
    else:
        return []
    return [note(f"{account('file', {}, skipped, n_refused)}.")]
