"""Given labels: those in DATA and those in LABELS joined, with all errors reported at once."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from labelprop.core.errors import DataError, RequestError
from labelprop.core.text import counted, quoted
from labelprop.core.types import UNLABELED
from labelprop.data.labels.albums import Pairs, albums, albums_beside, say_albums
from labelprop.data.labels.file_names import FileNames
from labelprop.data.labels.findings import Finding, blocking, refuse_blocking, warning
from labelprop.data.labels.lost_classes import lost_classes
from labelprop.data.labels.matching import (
    by_file_names,
    corrected,
    later_files,
    lists_of_labels,
    numbers_and_names,
    repeated_labels,
)
from labelprop.data.labels.options import USUAL, LabelOptions
from labelprop.data.labels.table import LabelRow, read_label_table
from labelprop.data.samples import Samples, read_source
from labelprop.data.source import NO_COLUMNS, Columns
from labelprop.data.tables.values import LabelType, common_type, sort_classes

_COMPARED = 20_000  # ids that are compared letter by letter in search of the nearest
_NEAR = 3  # ids that are shown of those most alike
_EXAMPLES = 5  # shown of each kind of problem; the finding carries more ids


@dataclass(frozen=True, slots=True, eq=False)
class GivenLabels:
    """Labels that training may use: class texts, and for each example a class index (-1 unlabeled) and a weight."""

    classes: tuple[str, ...]
    labels_N: np.ndarray  # int64
    weights_N: np.ndarray  # float32; 1 unless LABELS has weights
    warnings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()  # good to know: what was taken for what
    type: LabelType | None = None  # what the labels came as, where that was no text


@dataclass(frozen=True, slots=True, eq=False)
class Joined:
    """Label text and weight of every example, and what is wrong with them."""

    texts: tuple[str | None, ...]
    weights: tuple[float, ...]
    findings: tuple[Finding, ...]
    types: frozenset[LabelType | None] = frozenset()


class NoLabelsError(DataError):
    """Not one example has a label."""


def join_labels(samples: Samples, labels: Any = None, options: LabelOptions = USUAL) -> GivenLabels:
    """The labels found in DATA joined with LABELS.

    A label of weight 0 counts as none. Raises DataError with all errors at once: unknown ids (with the nearest), two
    labels for one id, a disagreement between DATA and LABELS, no labels at all.
    """
    told: list[str] = []
    rows = [] if labels is None else read_label_table(labels, samples, options, told.append)
    joined = join(samples, rows, options)
    refuse_blocking(joined.findings, "")
    classes = sort_classes(text for text in joined.texts if text is not None)
    if not classes:
        folders = ", or put labeled images into sub-folders named after their class"
        raise NoLabelsError(
            f"no labels: none of the {counted(len(samples), 'example')} of '{samples.name}' has one. Give "
            f"--labels with a table of columns id and label{folders if samples.modality == 'image' else ''}."
        )
    index = {name: place for place, name in enumerate(classes)}
    labels_N = np.array([UNLABELED if text is None else index[text] for text in joined.texts], dtype=np.int64)
    texts_of: dict[str, list[str]] = {severity: [] for severity in ("warning", "note")}
    for finding in joined.findings:
        texts_of[finding.severity].append(finding.text)
    weights_N = np.array(joined.weights, dtype=np.float32)
    warnings, notes = tuple(texts_of["warning"]), (*told, *texts_of["note"])
    return GivenLabels(classes, labels_N, weights_N, warnings, notes, common_type(joined.types, classes))


def join(samples: Samples, rows: Sequence[LabelRow], options: LabelOptions = USUAL) -> Joined:
    """Match rows of LABELS with examples by id, collecting all problems."""
    index = {name: place for place, name in enumerate(samples.ids)}
    skipped = {skip.id for skip in samples.skipped}
    rows, by_name = by_file_names(rows, FileNames(samples.known_ids()))
    rows, outscored = best_scored(rows)
    unknown = [row for row in rows if row.id not in index and row.id not in skipped]
    known: dict[str, LabelRow] = {}
    conflicting: dict[str, tuple[LabelRow, LabelRow]] = {}
    repeated: list[tuple[LabelRow, LabelRow]] = []
    overruled: list[tuple[LabelRow, LabelRow]] = []
    for row in rows:
        if row.label is None or row.id not in index:
            continue
        first = known.setdefault(row.id, row)
        if first is row:
            continue
        if (first.label, first.weight) == (row.label, row.weight):
            repeated.append((first, row))
        elif options.prefer == "labels" and first.file != row.file:
            known[row.id] = row
            overruled.append((row, first))
        else:
            conflicting.setdefault(row.id, (first, row))
    texts, weights = list(samples.given), [1.0] * len(samples)
    disagreeing = []
    for name, row in known.items():
        place = index[name]
        if texts[place] not in (None, row.label):
            disagreeing.append((row, texts[place]))
        texts[place], weights[place] = row.label, row.weight
    weightless = [samples.ids[place] for place, weight in enumerate(weights) if weight == 0]
    texts = [None if weight == 0 else text for text, weight in zip(texts, weights, strict=True)]
    guessed = [row.id for row in known.values() if row.guessed]
    lost = [row.id for row in rows if row.id in skipped and row.label is not None]
    folders = albums(disagreeing, samples, {row.label for row in rows if row.label is not None})
    if options.prefer == "labels":
        of_data = [*corrected(disagreeing, samples), *albums_beside(folders, samples, set(texts))]
    else:
        of_data = _disagreeing(disagreeing, samples, folders)
    findings = [
        *by_name,
        *_unknown(unknown, samples),
        *_conflicting(list(conflicting.values())),
        *of_data,
        *later_files(overruled),
        *([] if options.literal else lists_of_labels(samples, rows)),
        *repeated_labels(repeated),
        *_note(outscored, "of examples selected for several classes", "The class with the best score counts."),
        *_note(guessed, "that a run found, nobody gave", "They are trained on as if they had been given."),
        *note_lost(lost),
        *lost_classes(samples.skipped, rows, texts),
        *_note(weightless, "of weight 0", "These examples count as unlabeled."),
        *numbers_and_names(samples, rows),
    ]
    data_types = {samples.label_type} if any(text is not None for text in samples.given) else set()
    types = frozenset(data_types.union(row.type for row in known.values()))
    return Joined(tuple(texts), tuple(weight or 1.0 for weight in weights), tuple(findings), types)


def best_scored(rows: Sequence[LabelRow]) -> tuple[list[LabelRow], list[str]]:
    """Keeps each id's best-scored row of a selection, and rows without a score; also gives the ids of dropped rows.

    Equal scores: the earlier row counts.
    """
    best: dict[str, tuple[float, LabelRow]] = {}
    for row in rows:
        if row.score is not None and (row.id not in best or row.score > best[row.id][0]):
            best[row.id] = (row.score, row)
    outscored = [row for row in rows if row.score is not None and best[row.id][1] is not row]
    left_out = set(map(id, outscored))
    return [row for row in rows if id(row) not in left_out], [row.id for row in outscored]


def _blocking(ids: Sequence[str], text: str) -> list[Finding]:
    return [blocking(text, ids)] if ids else []


def _unknown(rows: Sequence[LabelRow], samples: Samples) -> list[Finding]:
    examples = "; ".join(f"'{row.id}' ({row.where}{_nearest(row.id, samples.ids)})" for row in rows[:3])
    rule = (
        "Ids of images in a folder are paths relative to it, with '/' and extension."
        if samples.unit == "file"
        else f"The first ids of the data are {quoted(samples.ids[:3])}."
    )
    text = f"{counted(len(rows), 'id')} of the labels not found in '{samples.name}': {examples}. {rule} "
    return _blocking([row.id for row in rows], text + "Correct or remove these rows.")


def _nearest(name: str, ids: Sequence[str]) -> str:
    """The most similar ids: but for case and spaces the same, of the same file name or stem, or alike in spelling."""
    bare = name.strip()
    alike = [candidate for candidate in ids if candidate.strip().casefold() == bare.casefold()]
    if alike:
        cased, spaced = bare not in map(str.strip, alike), any(text != text.strip() for text in (name, *alike))
        what = " and ".join(text for text, there in (("case", cased), ("spaces around it", spaced)) if there)
        return f"; differs only in {what} from {quoted(alike, _NEAR)}"
    last = bare.casefold().rpartition("/")[2]
    stem = last.rpartition(".")[0] or last
    near = [candidate for candidate in ids if stem and stem in _file_names(candidate)]
    near = near or difflib.get_close_matches(bare, ids[:_COMPARED], n=1, cutoff=0.6)
    return f"; nearest {quoted(near, _NEAR)}" if near else ""


def _file_names(name: str) -> tuple[str, str]:
    """The file's name and its stem, in small letters."""
    last = name.strip().casefold().rpartition("/")[2]
    return last, last.rpartition(".")[0]


def _conflicting(pairs: Sequence[tuple[LabelRow, LabelRow]]) -> list[Finding]:
    examples = "; ".join(
        f"'{first.id}' is '{first.label}' ({first.where}) and '{second.label}' ({second.where})"
        if first.label != second.label
        else f"'{first.id}' has weight {first.weight:g} ({first.where}) and {second.weight:g} ({second.where})"
        for first, second in pairs[:_EXAMPLES]
    )
    text = f"two different labels or weights for {counted(len(pairs), 'id')}: {examples}. Keep one row for each"
    if any(first.file != second.file for first, second in pairs):
        text += ", or let the later file count with --prefer labels"
    return _blocking([first.id for first, _ in pairs], f"{text}.")


def _disagreeing(pairs: Pairs, samples: Samples, folders: Sequence[str]) -> list[Finding]:
    examples = "; ".join(
        f"'{row.id}' is '{there}' in '{samples.name}' and '{row.label}' in {row.where}"
        for row, there in pairs[:_EXAMPLES]
    )
    remedy = f"{say_albums(folders)} Else correct one of the two" if folders else "Correct one of the two"
    text = f"DATA and LABELS disagree on {counted(len(pairs), 'id')}: {examples}. {remedy}, or let LABELS count with "
    return _blocking([row.id for row, _ in pairs], f"{text}--prefer labels.")


def _note(ids: Sequence[str], what: str, so: str) -> list[Finding]:
    return [warning(f"{counted(len(ids), 'label')} {what}: {quoted(ids)}. {so}", ids)] if ids else []


def note_lost(ids: Sequence[str]) -> list[Finding]:
    """Labels whose examples cannot be read."""
    return _note(ids, "for examples that cannot be read", "Left out.")


def read_truth(
    truth: Any,
    samples: Samples,
    *,
    data: Any = None,
    columns: Columns = NO_COLUMNS,
    classes: Sequence[str] = (),
    options: LabelOptions = USUAL,
    tell: Callable[[str], None] = lambda note: None,
) -> tuple[str | None, ...]:
    """Label texts for scoring, one an example, None where unknown: `--truth F`, or `--truth-col` of DATA.

    For the evaluation alone; nothing that trains may call it. With `classes`, a truth that shares no class with
    the labels is refused: it is almost always written in other names. `tell` gets notes of what was taken for what.
    """
    if truth is not None and columns.truth is not None:
        raise RequestError("--truth and --truth-col both give the truth; leave one out.")
    if columns.truth is not None:
        given = columns.label or ("label" if columns.truth != "label" else None)
        raw = read_source(data, replace(columns, label=columns.truth, truth=given))
        joined = join(replace(samples, given=tuple(raw.given[row] for row in samples.rows)), (), options)
    elif truth is None:
        return (None,) * len(samples)
    else:
        blank = replace(samples, given=(None,) * len(samples))
        joined = join(blank, read_label_table(truth, samples, options, tell, of_others=True), options)
    refuse_blocking(joined.findings, "the truth cannot be used. ")
    texts = joined.texts
    known = {text for text in texts if text is not None}
    if classes and known and not known & set(classes):
        raise DataError(
            f"the truth and the labels have no class in common: {quoted(sort_classes(known))} against "
            f"{quoted(classes)}. Write both in the same names."
        )
    return texts
