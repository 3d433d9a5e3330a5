"""The request's data as read: examples, given labels, and apart from them the truth and the test set."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from labelprop.core.errors import RequestError, UnknownNameError
from labelprop.core.files import Digest
from labelprop.core.progress import Reporter
from labelprop.core.text import counted
from labelprop.data.labels.checks import check_class_names, check_few
from labelprop.data.labels.join import GivenLabels, join_labels, read_truth
from labelprop.data.samples import Samples, open_samples
from labelprop.data.source import Columns, as_path
from labelprop.evaluation.truth import HeldBackTruth

if TYPE_CHECKING:
    from labelprop.data.images.pixels import ImageFormat


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadOptions:
    """How DATA is read: columns of a table, size of images, what to do about unreadable files."""

    label_col: str | None = None
    id_col: str | None = None
    image_col: str | None = None
    text_col: str | None = None
    embedding_col: str | None = None
    truth_col: str | None = None
    image_size: int | None = None
    strict: bool = False
    cache: str | Path | None = None

    @classmethod
    def names(cls) -> list[str]:
        return [field.name for field in fields(cls)]

    @property
    def columns(self) -> Columns:
        return Columns(
            label=self.label_col,
            id=self.id_col,
            image=self.image_col,
            text=self.text_col,
            embedding=self.embedding_col,
            truth=self.truth_col,
        )

    @property
    def given(self) -> dict[str, Any]:
        """The options that differ from their defaults."""
        return {f.name: getattr(self, f.name) for f in fields(self) if getattr(self, f.name) != f.default}

    @property
    def content_columns(self) -> dict[str, str]:
        """The columns that were named, of those that new data of the same kind will have too."""
        named = {name: getattr(self, name) for name in ("id_col", "image_col", "text_col", "embedding_col")}
        return {name: column for name, column in named.items() if column is not None}

    def open(self, data: Any, reporter: Reporter, image_format: ImageFormat | None = None) -> Samples:
        return open_samples(
            data,
            columns=self.columns,
            image_format=image_format,
            image_size=self.image_size,
            strict=self.strict,
            cache=Path(self.cache) if self.cache else None,
            warn=reporter.say,
        )


def split_options(options: Mapping[str, Any], known: Collection[str] = ()) -> dict[str, Any]:
    """Keyword options: those of a request (`known`) as they are, those of reading as its `read`.

    Raises UnknownNameError for any other.
    """
    reading = set(ReadOptions.names())
    for name in options:
        if name not in reading.union(known):
            raise UnknownNameError("option", name, reading.union(known))
    own = {name: value for name, value in options.items() if name in known}
    return own | {"read": ReadOptions(**{name: value for name, value in options.items() if name in reading})}


def read_options(options: Mapping[str, Any]) -> ReadOptions:
    """How to read, where that is all there is to say."""
    read: ReadOptions = split_options(options)["read"]
    return read


@dataclass(frozen=True, slots=True, eq=False)
class Inputs:
    """Examples with their given labels; the truth, if any, by row."""

    samples: Samples
    given: GivenLabels
    truth: tuple[str | None, ...] | None = None
    noun: str = field(default="example")

    def only_labeled(self) -> Inputs:
        """Without the examples that have no label."""
        labeled = np.flatnonzero(self.given.labels_N >= 0)
        given = replace(self.given, labels_N=self.given.labels_N[labeled], weights_N=self.given.weights_N[labeled])
        truth = None if self.truth is None else tuple(self.truth[i] for i in labeled)
        return replace(self, samples=self.samples.take(labeled), given=given, truth=truth)

    @property
    def counts(self) -> str:
        n, given = len(self.samples.ids), int((self.given.labels_N >= 0).sum())
        classes = counted(len(self.given.classes), "class")
        return f"{n:,} {self.noun}s, {given:,} labeled in {classes}, {n - given:,} unlabeled"


def read_inputs(
    data: Any,
    labels: Any,
    truth: Any,
    options: ReadOptions,
    reporter: Reporter,
    image_format: ImageFormat | None = None,
) -> Inputs:
    """Reads DATA, LABELS and the truth, and joins them by id."""
    for name, given in (("labels", labels), ("truth", truth)):
        path = as_path(given)
        if path is not None and not path.exists():  # before DATA, which may take long
            raise RequestError(f"no file '{path}'. Check the path of the {name}.")
    samples = options.open(data, reporter, image_format)
    if not samples.ids:
        raise RequestError(f"{samples.name} holds no readable example.")
    given = join_labels(samples, labels)
    known = None
    if truth is not None or options.truth_col is not None:
        known = read_truth(truth, samples, data=data, columns=options.columns, classes=given.classes)
    noun = {"image": "image", "text": "text"}.get(samples.modality, "example")
    return Inputs(samples, given, known, noun)


def truth_of(inputs: Inputs) -> HeldBackTruth | None:
    """What only evaluation may look at."""
    if inputs.truth is None:
        return None
    return HeldBackTruth.of(inputs.truth, inputs.given.classes, inputs.given.labels_N >= 0)


def tell(inputs: Inputs, reporter: Reporter) -> None:
    """What is doubtful about the labels and the truth, and how many of everything there are."""
    given, truth = inputs.given, truth_of(inputs)
    texts = tuple(given.classes[code] if code >= 0 else None for code in given.labels_N.tolist())
    checked = (*check_few(inputs.samples, texts), *check_class_names(inputs.samples, texts))
    odd = [found.text for found in checked if found.severity == "warning"]
    for text in (*given.warnings, *odd, *(truth.doubts(given.classes) if truth is not None else ())):
        reporter.say(f"warning: {text}")
    reporter.say(f"{inputs.samples.name}: {inputs.counts}")


def labels_digest(given: GivenLabels) -> str:
    """A hash of classes, labels and weights: what must not change between a run and its continuation."""
    arrays = (given.labels_N.tobytes(), given.weights_N.tobytes())
    return Digest("\0".join(given.classes), *arrays, size=16).hex()
