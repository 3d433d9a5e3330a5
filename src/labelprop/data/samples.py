"""Examples with stable ids: what every stage reads. Holds given labels, never the truth of the others."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

import numpy as np

from labelprop.core.cache import Cache
from labelprop.core.errors import DataError, RequestError
from labelprop.core.files import Digest, content_key
from labelprop.core.registry import table
from labelprop.core.text import counted, quoted
from labelprop.data.found import NO_COLUMNS, Columns, Content, Found, Originals, Source
from labelprop.data.images.decoding import decode_images
from labelprop.data.images.pixels import ImageFormat, to_eight_bit
from labelprop.data.images.plan import Wanted
from labelprop.data.sources.folder import IMAGE_SUFFIXES
from labelprop.data.tables.vectors import describe_bad_row, scan, vector_content

if TYPE_CHECKING:
    from PIL import Image

__all__ = ["NO_COLUMNS", "SKIPPED", "Columns", "Content", "ImageFormat", "Samples", "Skipped", "find", "open_samples"]

SKIPPED = "Skipped."


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
    content: Content | None
    texts: tuple[str, ...] | None
    given: tuple[str | None, ...]
    name: str
    digest: str
    rows: np.ndarray  # int64 (N,): the row of each example in the source
    skipped: tuple[Skipped, ...] = ()
    declared: tuple[str, ...] = ()
    originals: Originals | None = None

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def n_rows(self) -> int:
        """Rows of the source, with those that were skipped."""
        return len(self.ids) + len(self.skipped)

    def take(self, indices: np.ndarray) -> Samples:
        """These examples alone, as if there were no others."""
        return replace(
            self,
            ids=tuple(self.ids[i] for i in indices),
            given=tuple(self.given[i] for i in indices),
            content=self.content.take(indices) if self.content is not None else None,
            texts=tuple(self.texts[i] for i in indices) if self.texts is not None else None,
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


def find(data: Any, columns: Columns) -> Found:
    """Everything `data` holds, before decoding, by the one source that claims it.

    Raises RequestError where no source does.
    """
    for entry in table("sources").values():
        source: Source = entry.load()()
        if source.claims(data):
            return source.read(data, columns)
    if isinstance(data, str | Path) and not Path(data).expanduser().exists():
        raise RequestError(f"no file or folder '{data}'. Check the path.")
    shown = f"'{data}'" if isinstance(data, str | Path) else f"an object of type {type(data).__name__}"
    if isinstance(data, str | Path) and Path(data).suffix.lower() in IMAGE_SUFFIXES:
        raise RequestError(f"'{data}' is a single image; put it into a folder and give that as DATA.")
    raise RequestError(
        f"cannot read {shown}: DATA is a folder of images, a table (.csv .tsv .parquet .jsonl), an array "
        "(.npy .npz, NumPy or torch) or a HuggingFace data set."
    )


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

    `image_format` forces channels, height and width (what a saved model expects), `image_size` height and width.
    What was chosen and skipped is told through `warn`, or refused with `strict`. `check=False` lets rows with NaN
    and repeated ids pass, so that `inspect` can report all of them.

    Raises RequestError or DataError naming file, row or column; StorageError where the cache cannot be written.
    """
    if image_size is not None and image_size < 1:
        raise RequestError(f"--image-size must be at least 1 pixel, got {image_size}.")
    found = find(data, columns)
    if found.images is None and (image_format is not None or image_size is not None):
        what = "the model takes images" if image_format is not None else "so --image-size means nothing for it"
        raise RequestError(f"'{found.name}' holds no images; {what}. Give data of the right kind.")
    if not len(found.ids):
        raise DataError(f"'{found.name}' has no rows. Check that it is the right file.")
    if check:
        _refuse_repeated(found)
    if found.images is not None:
        samples = _open_images(found, image_format or image_size, Cache(cache), warn)
    elif found.texts is not None:
        samples = _open_texts(found)
    else:
        samples = _open_vectors(found, Cache(cache), warn, check=check)
    _report_skipped(samples, strict=strict, warn=warn)
    return samples


def _refuse_repeated(found: Found) -> None:
    repeated = [name for name, count in Counter(found.ids).items() if count > 1]
    if repeated:
        raise DataError(
            f"'{found.name}' uses {counted(len(repeated), 'id')} more than once: {quoted(repeated)}. "
            "Make ids unique, or choose another column with --id-col."
        )


def _open_images(found: Found, wanted: Wanted, cache: Cache, warn: Callable[[str], None]) -> Samples:
    originals: Any = found.images(cache.root) if callable(found.images) else found.images
    decoded = decode_images(originals, wanted, cache)
    if decoded.note is not None and len(decoded.rows):
        warn(f"'{found.name}': {decoded.note}.")
    skipped = [Skipped(found.ids[row], reason, row) for row, reason in decoded.failures]
    samples = Samples(
        (), "image", cast("Content", decoded.content), None, (), found.name, decoded.digest, decoded.rows,
        originals=originals,
    )  # fmt: skip
    return _with_rows(samples, found, skipped)


def _open_texts(found: Found) -> Samples:
    assert found.texts is not None
    rows = np.array([row for row, text in enumerate(found.texts) if text is not None], dtype=np.int64)
    texts = tuple(text for text in found.texts if text is not None)
    skipped = [Skipped(found.ids[row], "no text", row) for row, text in enumerate(found.texts) if text is None]
    digest = Digest()
    for text in texts:
        digest.add_sized(text)
    samples = Samples((), "text", None, texts, (), found.name, digest.hex(), rows)
    return _with_rows(samples, found, skipped)


def _open_vectors(found: Found, cache: Cache, warn: Callable[[str], None], *, check: bool) -> Samples:
    vectors = found.vectors(cache.root) if callable(found.vectors) else found.vectors
    content = vector_content(vectors, f"'{found.name}'")
    result = scan(content)
    if check and len(result.bad_rows):
        first = int(result.bad_rows[0])
        raise DataError(
            f"'{found.name}': NaN or infinite numbers in {counted(len(result.bad_rows), 'row')} of {len(content):,}; "
            f"the first is row {first} (id '{found.ids[first]}'): {describe_bad_row(content, first)}. "
            "Remove or repair these rows; `labelprop doctor` lists them."
        )
    if check and len(result.zero_rows):
        warn(
            f"'{found.name}': nothing but zeros in {counted(len(result.zero_rows), 'row')}: "
            f"{quoted([found.ids[row] for row in result.zero_rows])}. They have no direction, hence no neighbors."
        )
    samples = Samples((), "vector", content, None, (), found.name, result.digest, np.arange(len(content)))
    return _with_rows(samples, found, [])


def _with_rows(samples: Samples, found: Found, skipped: list[Skipped]) -> Samples:
    return replace(
        samples,
        ids=tuple(found.ids[row] for row in samples.rows),
        given=tuple(found.given[row] for row in samples.rows),
        skipped=tuple(skipped),
        declared=found.declared,
    )


def _report_skipped(samples: Samples, *, strict: bool, warn: Callable[[str], None]) -> None:
    if not samples.skipped:
        return
    n, what = len(samples.skipped), "image" if samples.modality == "image" else "row"
    listed = "; ".join(f"'{skip.id}' ({skip.reason})" for skip in samples.skipped[:5])
    listed += f"; and {n - 5:,} more" if n > 5 else ""
    if not len(samples):
        raise DataError(f"'{samples.name}': none of its {counted(n, what)} can be read: {listed}.")
    told = f"'{samples.name}': cannot read {counted(n, what)} of {samples.n_rows:,}: {listed}."
    if strict:
        raise DataError(f"{told} Repair or remove them, or leave --strict out to skip them.")
    warn(f"{told} {SKIPPED}")
