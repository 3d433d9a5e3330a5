"""Examples with stable ids: what every stage reads. Holds given labels, never the truth of the others."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from labelprop.core.cache import Cache
from labelprop.core.errors import DataError, RequestError
from labelprop.core.files import Digest, content_key
from labelprop.core.text import composed, counted, quoted
from labelprop.data.contents import Content
from labelprop.data.files.listing import shown_name
from labelprop.data.files.skipped import Skipped, by_reason
from labelprop.data.find_source import source_of
from labelprop.data.images.decoding import decode_images, open_for_backbone
from labelprop.data.images.look import Look, look_at
from labelprop.data.images.pixels import ForBackbone, ImageFormat, to_eight_bit
from labelprop.data.labels.findings import Finding, refuse_blocking
from labelprop.data.repeated import place_of, repeated_ids
from labelprop.data.source import NO_COLUMNS, Columns, Originals, RawData, as_path
from labelprop.data.sources.image import is_image_file
from labelprop.data.tables.values import LabelType, label_text
from labelprop.data.tables.vectors import describe_bad_row, scan, vector_content

if TYPE_CHECKING:
    from PIL import Image

_REASONS_TOLD = 5

ReadAs = ImageFormat | ForBackbone | None  # how images are to be read


@dataclass(frozen=True, slots=True, eq=False)
class Samples:
    """N examples: ids and given label texts (None where unlabeled) in input order, and their content.

    `digest` is a hash of the content and its order, as it is read; empty for images that a backbone is still to read.
    `declared` are class names the data know, also those without an example. `skipped` rows and files are in none of
    the other fields. `unit` is what an example is to the source; files `beside` were read and are none.
    """

    ids: tuple[str, ...]
    modality: Literal["image", "vector", "text"]
    given: tuple[str | None, ...]
    name: str
    digest: str
    rows: np.ndarray  # int64 (N,): the row of each example in the source
    content: Content | None = None
    texts: tuple[str, ...] | None = None
    shown: tuple[str | None, ...] | None = None  # texts beside vectors, to be shown only
    skipped: tuple[Skipped, ...] = ()
    declared: tuple[str, ...] = ()
    originals: Originals | None = None
    lines: Sequence[int] | None = None  # line numbers of the rows of the source, where that is a text file
    features: tuple[str, ...] = ()  # the columns of a number each that the vectors are made of, if they are
    index: Any = None  # of the frame of pandas that they come from, an entry a row of it
    label_type: LabelType | None = None  # of the given labels, where they were no texts
    unit: Literal["file", "row"] = "row"
    beside: tuple[Path, ...] = ()
    findings: tuple[Finding, ...] = ()
    look: Look | None = None  # at images, where their format was to be chosen by it

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def n_rows(self) -> int:
        """Rows of the source, with those that were skipped."""
        return len(self.ids) + sum(skip.row is not None for skip in self.skipped)

    def known_ids(self) -> frozenset[str]:
        """Ids of all that was seen: also of what was skipped."""
        return frozenset(self.ids).union(skip.id for skip in self.skipped)

    def place(self, index: int) -> str:
        """How to point at an example in its source."""
        return place_of(int(self.rows[index]), self.lines)

    def take(self, indices: np.ndarray) -> Samples:
        """These examples alone, as if there were no others."""
        return replace(
            self,
            ids=tuple(self.ids[i] for i in indices),
            given=tuple(self.given[i] for i in indices),
            content=self.content.take(indices) if self.content is not None else None,
            texts=tuple(self.texts[i] for i in indices) if self.texts is not None else None,
            shown=tuple(self.shown[i] for i in indices) if self.shown is not None else None,
            rows=self.rows[indices],
            digest=content_key(self.digest, np.ascontiguousarray(indices, np.int64).tobytes()),
        )

    def without(self, failures: Mapping[int, str], labels: Sequence[str | None]) -> Samples:
        """Without the examples that turned out to be unreadable: index and reason. `labels` are those of all."""
        left = np.delete(np.arange(len(self)), list(failures))
        skipped = [
            Skipped(self.ids[index], reason, int(self.rows[index]), label=labels[index])
            for index, reason in sorted(failures.items())
        ]
        return replace(self.take(left), skipped=(*self.skipped, *skipped))

    def picture(self, index: int) -> Image.Image | None:
        """The original image in mode L or RGB, upright, neither scaled nor normalized; None if there is none."""
        if self.originals is None:
            return None
        return to_eight_bit(self.originals.open(int(self.rows[index])))


def _warn(text: str) -> None:
    warnings.warn(text, stacklevel=3)


def read_source(data: Any, columns: Columns) -> RawData:
    """Everything `data` holds, before decoding, by the one source that claims it.

    Raises RequestError where no source does.
    """
    return _composed(source_of(data).read(data, columns))


def _composed(raw: RawData) -> RawData:
    """With ids and labels as the rules want them, also those of another package's source."""
    declared = tuple(dict.fromkeys(map(composed, raw.declared)))
    return replace(raw, ids=[*map(composed, raw.ids)], given=[*map(label_text, raw.given)], declared=declared)


def open_samples(
    data: Any,
    *,
    columns: Columns = NO_COLUMNS,
    image_format: ReadAs | Callable[[Look], ReadAs] = None,
    image_size: int | None = None,
    strict: bool = False,
    check: bool = True,
    one_image: bool = False,
    labeled: bool = True,
    apart: Sequence[Any] = (),
    cache: Path | None = None,
    warn: Callable[[str], None] = _warn,
) -> Samples:
    """Open a folder, table, array or HuggingFace data set; with `one_image` also the file of an image.

    `image_format` forces channels, height and width (what a saved model expects), or is asked for them after a look
    at the headers, and may leave them open; `image_size` forces height and width. For a backbone only headers are
    read, and what cannot be decoded is found when it sees the images. What was chosen and skipped is passed to
    `warn`; with `strict` what cannot be read is refused. `check=False` lets everything pass that `inspect` reports;
    without `labeled` what is wrong with labels is not looked at.
    Files `apart`, as those of labels, are read by others and not skipped.

    Raises RequestError or DataError naming file, row or column; StorageError where the cache cannot be written.
    """
    if image_size is not None and image_size < 1:
        raise RequestError(f"--image-size must be at least 1 pixel, got {image_size}.")
    if is_image_file(data) and not one_image:
        raise RequestError(f"'{data}' is one image, which only predict takes; put it into a folder and give that.")
    raw = _without(read_source(data, columns), data, apart)
    if isinstance(image_format, ForBackbone) and image_format.kinds is not None:
        image_format.kinds.check(raw.name, raw.modality)
    expected = isinstance(image_format, ImageFormat)
    if raw.images is None and (expected or image_size is not None):
        what = "the model takes images" if expected else "so --image-size means nothing for it"
        raise RequestError(f"'{raw.name}' holds no images; {what}. Give data of the right kind.")
    if not len(raw.ids):
        raise DataError(f"'{raw.name}' has no rows. Check that it is the right file.")
    if raw.note is not None:
        warn(f"'{raw.name}': {raw.note}.")
    if check:
        _refuse_repeated(raw)
    if check and labeled:
        refuse_blocking(raw.findings, f"'{raw.name}': ")
        for finding in raw.findings:
            warn(f"'{raw.name}': {finding.text}.")
    if raw.images is not None:
        samples = _open_images(raw, image_format, image_size, Cache(cache), warn)
    elif raw.texts is not None:
        samples = _open_texts(raw)
    else:
        samples = _open_vectors(raw, Cache(cache), warn, check=check)
    if check:
        report_skipped(samples, strict=strict, warn=warn)
    return samples


def _without(raw: RawData, data: Any, apart: Sequence[Any]) -> RawData:
    """`raw` without the skipped files that are read all the same, as labels or truth."""
    root, paths = as_path(data), [path for path in map(as_path, apart) if path is not None]
    if root is None or not paths:
        return raw
    places = [path.parent.resolve() / path.name for path in paths]  # a link itself is in the folder
    names = {shown_name(os.path.relpath(place, root.resolve())) for place in places}
    return replace(raw, skipped=tuple(skip for skip in raw.skipped if skip.id not in names))


def _refuse_repeated(raw: RawData) -> None:
    repeated, where = repeated_ids(raw.ids, range(len(raw.ids)), raw.lines)
    if repeated:
        raise DataError(f"'{raw.name}' uses {where}. Make ids unique, or choose another column with --id-col.")


def _open_images(
    raw: RawData,
    image_format: ReadAs | Callable[[Look], ReadAs],
    image_size: int | None,
    cache: Cache,
    warn: Callable[[str], None],
) -> Samples:
    originals: Any = raw.images(cache.root) if callable(raw.images) else raw.images
    look = None
    if callable(image_format):
        look = look_at(originals, image_size)
        image_format = image_format(look)
    if isinstance(image_format, ForBackbone):
        decoded = open_for_backbone(originals, image_format, image_size, cache)
    else:
        decoded = decode_images(originals, image_format or image_size, cache)
    if decoded.note is not None and len(decoded.rows):
        warn(f"'{raw.name}': {decoded.note}.")
    skipped = [Skipped(raw.ids[row], reason, row, label=raw.given[row]) for row, reason in decoded.failures]
    parts = {"content": decoded.content, "originals": originals, "digest": decoded.digest, "look": look}
    return _samples(raw, decoded.rows, skipped, modality="image", **parts)


def _open_texts(raw: RawData) -> Samples:
    assert raw.texts is not None
    rows = np.array([row for row, text in enumerate(raw.texts) if text is not None], dtype=np.int64)
    texts = tuple(text for text in raw.texts if text is not None)
    skipped = [Skipped(raw.ids[row], "no text", row) for row, text in enumerate(raw.texts) if text is None]
    digest = Digest()
    for text in texts:
        digest.add_sized(text)
    return _samples(raw, rows, skipped, modality="text", texts=texts, digest=digest.hex())


def _open_vectors(raw: RawData, cache: Cache, warn: Callable[[str], None], *, check: bool) -> Samples:
    vectors = raw.vectors(cache.root) if callable(raw.vectors) else raw.vectors
    content = vector_content(vectors, f"'{raw.name}'")
    result = scan(content)
    if check and len(result.bad_rows):
        first = int(result.bad_rows[0])
        raise DataError(
            f"'{raw.name}': NaN or infinite numbers in {counted(len(result.bad_rows), 'row')} of {len(content):,}; "
            f"the first is row {first} (id '{raw.ids[first]}'): {describe_bad_row(content, first)}. "
            "Remove or repair these rows; `labelprop doctor` lists them."
        )
    if check and len(result.zero_rows):
        warn(
            f"'{raw.name}': nothing but zeros in {counted(len(result.zero_rows), 'row')}: "
            f"{quoted([raw.ids[row] for row in result.zero_rows])}. They have no direction, hence no neighbors."
        )
    return _samples(raw, np.arange(len(content)), modality="vector", content=content, digest=result.digest)


def _samples(raw: RawData, rows: np.ndarray, skipped: Sequence[Skipped] = (), **parts: Any) -> Samples:
    """The examples in these rows of the source; `parts` is what they are made of."""
    return Samples(
        ids=tuple(raw.ids[row] for row in rows),
        given=tuple(raw.given[row] for row in rows),
        name=raw.name,
        rows=rows,
        skipped=(*skipped, *raw.skipped),
        declared=raw.declared,
        lines=raw.lines,
        index=raw.index,
        features=raw.features,
        label_type=raw.label_type,
        shown=tuple(raw.shown[row] for row in rows) if raw.shown is not None else None,
        unit=raw.unit,
        beside=raw.beside,
        findings=raw.findings,
        **parts,
    )


def report_skipped(samples: Samples, *, strict: bool, warn: Callable[[str], None], already: int = 0) -> None:
    """Says what was skipped, but for what was said `already`.

    Raises DataError where nothing is left, and with `strict` where something cannot be read.
    """
    unreadable = [skip for skip in samples.skipped if skip.kind == "unreadable"]
    if not len(samples) or (strict and unreadable):
        refused = "; ".join(sentence for _, sentence, _ in by_reason(unreadable, "refused"))
        if not len(samples):
            raise DataError(f"'{samples.name}' holds nothing that can be read: {refused}.")
        remedy = "Repair or remove them, or leave --strict out to skip them."
        raise DataError(f"'{samples.name}': {refused}. {remedy}")
    told = [sentence for kind, sentence, _ in by_reason(samples.skipped[already:]) if kind != "system"]
    for sentence in told[:_REASONS_TOLD]:
        warn(f"'{samples.name}': {sentence}.")
    if len(told) > _REASONS_TOLD:
        more = counted(len(told) - _REASONS_TOLD, "other reason")
        warn(f"'{samples.name}': more skipped for {more}; `labelprop doctor` lists all.")
