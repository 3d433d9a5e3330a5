"""How many files (or rows) were used, skipped and refused."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from labelprop.data.files.listing import list_files
from labelprop.data.files.skipped import account
from labelprop.data.labels.findings import Finding, note
from labelprop.data.samples import Samples
from labelprop.data.sources.folder import FolderSource


def account_for(samples: Samples, findings: Sequence[Finding]) -> Finding:
    """Every file that was seen, or every row of a table or array; refused are those that a blocking finding names."""
    blocked = {name for finding in findings if finding.severity == "blocking" for name in finding.rows}
    refused = sum(name in blocked for name in samples.ids)
    rows = [skip for skip in samples.skipped if skip.row is not None]
    files = [skip for skip in samples.skipped if skip.row is None]
    used = len(samples) - refused
    if samples.unit == "file":
        return note(f"{account('file', used + samples.n_beside, samples.skipped, refused)}.")
    of_rows = account("row", used, rows, refused)
    if not samples.n_beside:
        return note(f"{of_rows}.")
    return note(f"{of_rows}; {account('file', samples.n_beside, files, 0)}.")


def account_refused(data: Any) -> list[Finding]:
    """The files of a folder that cannot be opened: what is not skipped is refused. Nothing for other data."""
    if not FolderSource().claims(data):
        return []
    found = list_files(Path(data).expanduser())
    n_skipped = sum(skip.n_files for skip in found.skipped)
    return [note(f"{account('file', 0, found.skipped, found.n_files - n_skipped)}.")]
