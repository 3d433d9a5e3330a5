"""The request's data as read: examples, given labels, and apart from them the truth and the test set."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from labelprop.core.errors import RequestError
from labelprop.core.files import Digest
from labelprop.core.progress import Reporter
from labelprop.core.text import counted
from labelprop.data.images.look import Look
from labelprop.data.labels.checks import check_class_names, check_few
from labelprop.data.labels.join import GivenLabels, NoLabelsError, join_labels, note_lost, read_truth
from labelprop.data.labels.label_files import label_files
from labelprop.data.labels.lost_classes import lost_classes
from labelprop.data.labels.options import LabelOptions
from labelprop.data.samples import ReadAs, Samples, open_samples
from labelprop.data.source import Columns
from labelprop.evaluation.truth import HeldBackTruth
from labelprop.runs.requests import Labeled, NewRun, Reading


def columns_of(reading: Reading, features: Sequence[str] = ()) -> Columns:
    """The columns of a table that were named, and its encoding; `features` are those that a model takes."""
    return Columns(
        label=reading.label_col,
        id=reading.id_col,
        image=reading.image_col,
        text=reading.text_col,
        embedding=reading.embedding_col,
        embeddings=reading.embedding_cols,
        truth=reading.truth_col,
        encoding=reading.encoding,
        features=tuple(features),
    )


def label_options(request: Labeled) -> LabelOptions:
    """How LABELS are read and joined. Raises UnknownNameError for another word than `labels` after --prefer."""
    return LabelOptions(
        id=request.labels_id_col,
        label=request.labels_label_col,
        encoding=request.encoding,
        prefer=request.prefer,
        literal=request.literal_labels,
    )


def open_data(
    reading: Reading, image_format: ReadAs | Callable[[Look], ReadAs] = None, features: Sequence[str] = ()
) -> Samples:
    """DATA as it is asked for; images in `image_format`, columns of numbers by `features`, where a model wants so."""
    apart = [path for name in ("labels", "truth") for path in label_files(getattr(reading, name, None))]
    return open_samples(
        reading.data,
        columns=columns_of(reading, features),
        image_format=image_format,
        image_size=reading.image_size,
        strict=reading.strict,
        one_image=reading.takes_one_image,
        labeled=isinstance(reading, Labeled),
        apart=apart,
        cache=Path(reading.cache) if reading.cache else None,
        warn=reading.reporter.say,
    )


@dataclass(frozen=True, slots=True, eq=False)
class Inputs:
    """Examples with their given labels; the truth, if any, by row."""

    samples: Samples
    given: GivenLabels
    truth: tuple[str | None, ...] | None = None
    noun: str = "example"

    def only_labeled(self) -> Inputs:
        """Without the examples that have no label."""
        labeled = np.flatnonzero(self.given.labels_N >= 0)
        given = replace(self.given, labels_N=self.given.labels_N[labeled], weights_N=self.given.weights_N[labeled])
        truth = None if self.truth is None else tuple(self.truth[i] for i in labeled)
        return replace(self, samples=self.samples.take(labeled), given=given, truth=truth)

    def only_read(self, samples: Samples, reporter: Reporter) -> Inputs:
        """Those of its examples that a backbone could read; says what labels went with the others.

        Raises NoLabelsError where no label is left.
        """
        left = np.flatnonzero(np.isin(self.samples.rows, samples.rows))
        lost = np.flatnonzero(~np.isin(self.samples.rows, samples.rows) & (self.given.labels_N >= 0))
        if len(left) == len(self.samples):
            return replace(self, samples=samples)
        codes, labels_N = np.unique(self.given.labels_N[left], return_inverse=True)
        classes = tuple(self.given.classes[code] for code in codes if code >= 0)
        if not classes:
            raise NoLabelsError(
                f"no labels: no labeled example of '{samples.name}' can be read. Repair them, or label others."
            )
        given = replace(
            self.given,
            classes=classes,
            labels_N=labels_N.astype(np.int64) - int(codes[0] < 0),
            weights_N=self.given.weights_N[left],
            warnings=(),
            notes=(),
        )
        gone = samples.skipped[len(self.samples.skipped) :]
        for found in (*note_lost([self.samples.ids[i] for i in lost]), *lost_classes(gone, (), classes)):
            reporter.say(f"warning: {found.text}")
        truth = None if self.truth is None else tuple(self.truth[i] for i in left)
        inputs = replace(self, samples=samples, given=given, truth=truth)
        reporter.say(f"{samples.name}: {inputs.counts}")
        return inputs

    @property
    def label_texts(self) -> tuple[str | None, ...]:
        """The given label of each example, None where there is none."""
        return tuple(self.given.classes[code] if code >= 0 else None for code in self.given.labels_N.tolist())

    @property
    def counts(self) -> str:
        n, given = len(self.samples.ids), int((self.given.labels_N >= 0).sum())
        classes = counted(len(self.given.classes), "class")
        return f"{counted(n, self.noun)}, {given:,} labeled in {classes}, {n - given:,} unlabeled"


def read_inputs(
    request: NewRun, image_format: ReadAs | Callable[[Look], ReadAs] = None, features: Sequence[str] = ()
) -> Inputs:
    """Reads DATA, LABELS and the truth, and joins them by id. A model, if any, wants what `open_data` says."""
    options = label_options(request)
    samples = open_data(request, image_format, features)
    if not samples.ids:
        raise RequestError(f"{samples.name} holds no readable example.")
    given = join_labels(samples, request.labels, options)
    known = None
    if request.truth is not None or request.truth_col is not None:
        told: list[str] = []
        known = read_truth(
            request.truth,
            samples,
            data=request.data,
            columns=columns_of(request, features),
            classes=given.classes,
            options=options,
            tell=told.append,
        )
        given = replace(given, notes=(*given.notes, *told))
    noun = {"image": "image", "text": "text"}.get(samples.modality, "example")
    return Inputs(samples, given, known, noun)


def truth_of(inputs: Inputs) -> HeldBackTruth | None:
    """The truth, for evaluation only."""
    if inputs.truth is None:
        return None
    return HeldBackTruth.of(inputs.truth, inputs.given.classes, inputs.given.labels_N >= 0)


def say_counts(inputs: Inputs, reporter: Reporter) -> None:
    """Reports what is doubtful about labels and truth, and how many examples, classes and labels there are."""
    given, truth = inputs.given, truth_of(inputs)
    texts = inputs.label_texts
    checked = (*check_few(inputs.samples, texts), *check_class_names(inputs.samples, texts))
    odd = [found.text for found in checked if found.severity == "warning"]
    for text in (*given.warnings, *odd, *(truth.doubts(given.classes) if truth is not None else ())):
        reporter.say(f"warning: {text}")
    for text in given.notes:
        reporter.say(text)
    reporter.say(f"{inputs.samples.name}: {inputs.counts}")


def labels_digest(given: GivenLabels) -> str:
    """A hash of classes, labels and weights: what must not change between a run and its continuation."""
    arrays = (given.labels_N.tobytes(), given.weights_N.tobytes())
    return Digest("\0".join(given.classes), *arrays, size=16).hex()
