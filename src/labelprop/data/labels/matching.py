"""Rows of LABELS beside the examples: paths of another place, corrections, rows that say it twice, lists."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from labelprop.core.text import counted, quoted
from labelprop.data.labels.file_names import FileNames
from labelprop.data.labels.findings import Finding, blocking, note, warning
from labelprop.data.labels.lists import listed
from labelprop.data.labels.table import LabelRow
from labelprop.data.samples import Samples
from labelprop.data.tables.values import is_integer, sort_classes

_EXAMPLES = 3  # shown of each kind of problem


def by_file_names(rows: Sequence[LabelRow], names: FileNames) -> tuple[list[LabelRow], list[Finding]]:
    """The rows with the ids of DATA where these are other than written; and what is doubtful about that."""
    matched, found, unclear = [], [], []
    written: dict[tuple[str, str], LabelRow] = {}  # by file: each may have a way of its own
    twice: list[tuple[LabelRow, LabelRow, str]] = []
    for row in rows:
        ids = names.find(row.id)
        if len(ids) > 1:
            unclear.append((row, ids))
            continue
        matched.append(row._replace(id=ids[0]) if ids else row)
        if ids and row.label is not None:
            first = written.setdefault((row.file, ids[0]), row)
            if first.id.replace("\\", "/") != row.id.replace("\\", "/"):
                twice.append((first, row, ids[0]))
        if ids and ids[0] != row.id.replace("\\", "/"):
            found.append((row, ids[0]))
    return matched, [*_unclear(unclear), *_twice(twice), *_found(found)]


def _unclear(pairs: Sequence[tuple[LabelRow, list[str]]]) -> Iterator[Finding]:
    if pairs:
        shown = "; ".join(
            f"'{row.id}' ({row.where}) may be '{ids[0]}' or '{ids[1]}'" for row, ids in pairs[:_EXAMPLES]
        )
        yield blocking(
            f"{counted(len(pairs), 'id')} of the labels may each be more than one example: {shown}. Write ids as in "
            "DATA: the path inside the folder, with '/' and extension.",
            [row.id for row, _ in pairs],
        )


def _twice(pairs: Sequence[tuple[LabelRow, LabelRow, str]]) -> Iterator[Finding]:
    if pairs:
        shown = "; ".join(
            f"'{first.id}' ({first.where}) and '{row.id}' ({row.where}) would both be '{name}'"
            for first, row, name in pairs[:_EXAMPLES]
        )
        yield blocking(
            f"different ids of the labels for one example, by the names of files: {shown}. Write ids as in DATA, and "
            "remove rows about other files.",
            [name for _, _, name in pairs],
        )


def _found(pairs: Sequence[tuple[LabelRow, str]]) -> Iterator[Finding]:
    if pairs:
        row, name = pairs[0]
        yield note(
            f"{counted(len(pairs), 'id')} of the labels matched by the name of the file: '{row.id}' is '{name}'"
            + (", and so on." if len(pairs) > 1 else "."),
            [name for _, name in pairs],
        )


def corrected(pairs: Sequence[tuple[LabelRow, str | None]], samples: Samples) -> Iterator[Finding]:
    """Labels of DATA in whose place those of LABELS count."""
    if pairs:
        shown = "; ".join(f"'{row.id}' is '{row.label}', not '{there}'" for row, there in pairs[:_EXAMPLES])
        yield note(
            f"LABELS correct {counted(len(pairs), 'label')} of '{samples.name}', as --prefer labels says: {shown}.",
            [row.id for row, _ in pairs],
        )


def later_files(pairs: Sequence[tuple[LabelRow, LabelRow]]) -> Iterator[Finding]:
    """Rows of a file of LABELS that count in place of those of an earlier one."""
    if pairs:
        shown = "; ".join(
            f"'{row.id}' is '{row.label}' ({row.where}), not '{first.label}' ({first.where})"
            for row, first in pairs[:_EXAMPLES]
        )
        yield note(
            f"{counted(len(pairs), 'label')} of an earlier file corrected by a later one, as --prefer labels says: "
            f"{shown}.",
            [row.id for row, _ in pairs],
        )


def repeated_labels(pairs: Sequence[tuple[LabelRow, LabelRow]]) -> Iterator[Finding]:
    """The same label of an example in two rows."""
    if pairs:
        shown = "; ".join(f"'{first.id}' ({first.where} and {row.where})" for first, row in pairs[:_EXAMPLES])
        yield warning(
            f"{counted(len(pairs), 'label')} given more than once, each time the same: {shown}. Each counts once.",
            [row.id for _, row in pairs],
        )


def lists_of_labels(samples: Samples, rows: Sequence[LabelRow]) -> Iterator[Finding]:
    """Labels that are lists of labels: how many rows hold one, and the first row of each."""
    labels = {label for label in (*(row.label for row in rows), *samples.given) if label is not None}
    found = sorted(listed(labels))
    doubtful = sorted(label for label in labels if "|" in label and label not in found)
    cells: dict[str, list[tuple[str, str]]] = {label: [] for label in (*found, *doubtful)}  # where, and the id there
    for row in rows if cells else ():
        if row.label in cells:
            cells[row.label].append((row.where, row.id))
    for index, label in enumerate(samples.given if cells else ()):
        if label in cells:
            cells[label].append((f"'{samples.name}', {samples.place(index)}", samples.ids[index]))
    if doubtful:
        yield warning(
            f"{counted(len(doubtful), 'class name')} with '|': {quoted(doubtful)}. If these are lists, keep one "
            "label an example; if they are names, --literal-labels says so.",
            [cells[label][0][1] for label in doubtful],
        )
    if found:
        first = [(label, *cells[label][0]) for label in found[:_EXAMPLES]]
        shown = "; ".join(f"'{label}' ({where}, id '{name}')" for label, where, name in first)
        affected = [name for label in found for _, name in cells[label]]
        yield blocking(
            f"lists in the place of {counted(len(affected), 'label')}: {shown}. An example has one label: keep one, "
            "or leave the cell empty. If these are names of classes, say so with --literal-labels.",
            affected,
        )


def numbers_and_names(samples: Samples, rows: Sequence[LabelRow]) -> Iterator[Finding]:
    """Labels of one place that are whole numbers, beside those of another of which none is."""
    by_place: dict[str, set[str]] = {f"'{samples.name}'": {text for text in samples.given if text is not None}}
    for row in rows:
        if row.label is not None:
            by_place.setdefault(row.file or "the labels", set()).add(row.label)
    numbers = {place: found for place, found in by_place.items() if found and all(map(is_integer, found))}
    names = {place: found for place, found in by_place.items() if found and not any(map(is_integer, found))}
    if numbers and names:
        (one, numbered), (other, named) = next(iter(numbers.items())), next(iter(names.items()))
        yield warning(
            f"the labels in {one} are numbers ({quoted(sort_classes(numbered))}) and those in {other} are names "
            f"({quoted(sort_classes(named))}). They count as different classes; write both in the same way."
        )
