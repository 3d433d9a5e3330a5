"""Examples with stable ids: what every stage reads. Holds given labels, never the truth of the others."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from labelprop.core.cache import Cache
from labelprop.core.errors import DataError, RequestError
from labelprop.core.files import Digest, content_key
from labelprop.core.text import counted, quoted
from labelprop.data.contents import Content
from labelprop.data.find_source import source_of
from labelprop.data.images.choose_format import Wanted
from labelprop.data.images.decoding import decode_images
from labelprop.data.images.pixels import ImageFormat, to_eight_bit
from labelprop.data.repeated import place_of, repeated_ids
from labelprop.data.source import NO_COLUMNS, Columns, Originals, RawData
from labelprop.data.tables.vectors import describe_bad_row, scan, vector_content

if TYPE_CHECKING:
    from PIL import Image

SKIPPED = "Skipped."  # how a warning of skipped rows ends; `inspect` lists those itself


@dataclass(frozen=True, slots=True)
class Skipped:
    """A row that was left out, and why."""

    id: str
    reason: str
    row: int


@dataclass(frozen=True, slots=True, eq=False)
class Samples:
    """N examples: ids and given label texts (None where unlabeled) in input order, and their content.

    `digest` is a hash of the content and its order, as it is read. `declared` are class names the data know,
    also those without an example. `skipped` rows are in none of the other fields.
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

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def n_rows(self) -> int:
        """Rows of the source, with those that were skipped."""
        return len(self.ids) + len(self.skipped)

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
    return source_of(data).read(data, columns)


def open_samples(
    data: Any,
    *,
    columns: Columns = NO_COLUMNS,
    image_format: ImageFormat | None = None,
    image_size: int | None = None,
    strict: bool = False,
    check: bool = True,
    cache: Path | None = None,
    warn: Callable[[str], None] = _warn,
) -> Samples:
    """Open a folder, table, array or HuggingFace data set.

    `image_format` forces channels, height and width (what a saved model expects), `image_size` height and width. What
    was chosen and skipped is passed to `warn`; with `strict` skipped rows are refused. `check=False` lets rows with
    NaN and repeated ids pass, so that `inspect` can report all of them.

    Raises RequestError or DataError naming file, row or column; StorageError where the cache cannot be written.
    """
    if image_size is not None and image_size < 1:
        raise RequestError(f"--image-size must be at least 1 pixel, got {image_size}.")
    raw = read_source(data, columns)
    if raw.images is None and (image_format is not None or image_size is not None):
        what = "the model takes images" if image_format is not None else "so --image-size means nothing for it"
        raise RequestError(f"'{raw.name}' holds no images; {what}. Give data of the right kind.")
    if not len(raw.ids):
        raise DataError(f"'{raw.name}' has no rows. Check that it is the right file.")
    if raw.note is not None:
        warn(f"'{raw.name}': {raw.note}.")
    if check:
        _refuse_repeated(raw)
    if raw.images is not None:
        samples = _open_images(raw, image_format or image_size, Cache(cache), warn)
    elif raw.texts is not None:
        samples = _open_texts(raw)
    else:
        samples = _open_vectors(raw, Cache(cache), warn, check=check)
    _report_skipped(samples, strict=strict, warn=warn)
    return samples


def _refuse_repeated(raw: RawData) -> None:
    repeated, where = repeated_ids(raw.ids, range(len(raw.ids)), raw.lines)
    if repeated:
        raise DataError(f"'{raw.name}' uses {where}. Make ids unique, or choose another column with --id-col.")


def _open_images(raw: RawData, wanted: Wanted, cache: Cache, warn: Callable[[str], None]) -> Samples:
    originals: Any = raw.images(cache.root) if callable(raw.images) else raw.images
    decoded = decode_images(originals, wanted, cache)
    if decoded.note is not None and len(decoded.rows):
        warn(f"'{raw.name}': {decoded.note}.")
    skipped = [Skipped(raw.ids[row], reason, row) for row, reason in decoded.failures]
    parts = {"content": decoded.content, "originals": originals, "digest": decoded.digest}
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
        skipped=tuple(skipped),
        declared=raw.declared,
        lines=raw.lines,
        shown=tuple(raw.shown[row] for row in rows) if raw.shown is not None else None,
        **parts,
    )


def _report_skipped(samples: Samples, *, strict: bool, warn: Callable[[str], None]) -> None:
    if not samples.skipped:
        return
    n, what = len(samples.skipped), "image" if samples.modality == "image" else "row"
    listed = "; ".join(f"'{skip.id}' ({skip.reason})" for skip in samples.skipped[:5])
    listed += f"; and {n - 5:,} more" if n > 5 else ""
    if not len(samples):
        raise DataError(f"'{samples.name}': none of its {counted(n, what)} can be read: {listed}.")
    message = f"'{samples.name}': cannot read {counted(n, what)} of {samples.n_rows:,}: {listed}."
    if strict:
        raise DataError(f"{message} Repair or remove them, or leave --strict out to skip them.")
    warn(f"{message} {SKIPPED}")
