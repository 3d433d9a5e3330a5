"""The findings of `labelprop doctor`: all at once, also where no example has a label yet."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from labelprop.core.errors import RequestError
from labelprop.core.text import counted
from labelprop.data.images.choose_format import describe_sizes, sizes_of
from labelprop.data.images.look import Look
from labelprop.data.images.pixels import Header
from labelprop.data.images.unchecked import UncheckedImages
from labelprop.data.labels.accounting import account_for, account_refused
from labelprop.data.labels.checks import check_class_names, check_counts
from labelprop.data.labels.content_checks import (
    check_copies,
    check_ids,
    check_sizes,
    check_skipped,
    check_vectors,
    headers_of,
)
from labelprop.data.labels.findings import Finding, blocking, note
from labelprop.data.labels.join import join
from labelprop.data.labels.label_files import label_files
from labelprop.data.labels.options import USUAL, LabelOptions
from labelprop.data.labels.table import read_label_table
from labelprop.data.samples import ReadAs, Samples, open_samples
from labelprop.data.source import NO_COLUMNS, Columns

LISTED = 100  # ids of a finding; its text has the whole count

__all__ = ["Finding", "inspect", "inspect_data"]


def inspect_data(
    data: Any,
    labels: Any = None,
    *,
    columns: Columns = NO_COLUMNS,
    options: LabelOptions = USUAL,
    image_format: ReadAs | Callable[[Look], ReadAs] = None,
    image_size: int | None = None,
    cache: Path | None = None,
) -> tuple[Samples | None, tuple[Finding, ...]]:
    """Opens DATA as `open_samples` does, and inspects it. All images are decoded.

    Where DATA cannot be opened, the reason is a finding and the samples are None.
    """
    warnings: list[str] = []
    try:
        samples = open_samples(
            data,
            columns=columns,
            image_format=image_format,
            image_size=image_size,
            check=False,
            apart=label_files(labels),
            cache=cache,
            warn=warnings.append,
        )
    except RequestError as error:
        return None, (blocking(str(error)), *account_refused(data))
    if isinstance(samples.content, UncheckedImages) and (failures := samples.content.failures()):
        samples = samples.without(failures, samples.given)
    *found, accounts = inspect(samples, labels, options)
    return samples, (*found, *map(note, warnings), accounts)


def inspect(samples: Samples, labels: Any = None, options: LabelOptions = USUAL) -> tuple[Finding, ...]:
    """All findings about samples and labels: blocking ones first, then warnings, then notes.

    Where labels cannot be used as they are, nothing is said of how many there are. The last finding is the account.
    """
    findings = [*samples.findings, *check_ids(samples), *check_skipped(samples)]
    headers = headers_of(samples)
    findings += [*check_vectors(samples), *check_sizes(samples, headers)]
    told: list[str] = []
    refused = []
    try:
        rows = [] if labels is None else read_label_table(labels, samples, options, told.append)
    except RequestError as error:  # LABELS cannot be read at all; go on with the labels in DATA
        refused, rows = [blocking(str(error))], []
    joined = join(samples, rows, options)
    of_labels = [*refused, *joined.findings]
    all_count = not any(finding.severity == "blocking" for finding in of_labels)
    findings += [*of_labels, *map(note, told), *check_copies(samples, joined.texts)]
    findings += check_counts(samples, joined.texts) if all_count else ()
    findings += check_class_names(samples, joined.texts)
    findings.append(note(_describe(samples, headers, joined.texts if all_count else None)))
    order = ("blocking", "warning", "note")
    findings.sort(key=lambda finding: order.index(finding.severity))
    findings.append(account_for(samples, findings, labels, labels_used=not refused))
    return tuple(replace(finding, rows=tuple(finding.rows[:LISTED])) for finding in findings)


def _describe(samples: Samples, headers: Sequence[Header], texts: tuple[str | None, ...] | None) -> str:
    """What DATA are, and how many have a label, where that is known."""
    n = len(samples)
    what = counted(n, samples.modality)
    shape = ""
    if headers:
        gray = sum(header.gray for header in headers)
        colors = {0: "color", len(headers): "gray"}.get(gray, f"{gray:,} of them gray")
        shape = f" of {describe_sizes(sizes_of(headers))} pixels, {colors}"
    elif samples.modality == "vector" and samples.content is not None:
        shape = f" of {counted(samples.content.shape[0], 'dimension')}"
    if texts is None:
        return f"'{samples.name}': {what}{shape}; how many are labeled is known once the labels can be used."
    n_labeled, n_classes = sum(text is not None for text in texts), len(set(texts) - {None})
    classes = f" in {counted(n_classes, 'class')}" if n_labeled else ""
    return f"'{samples.name}': {what}{shape}; {n_labeled:,} labeled{classes}, {n - n_labeled:,} unlabeled."
