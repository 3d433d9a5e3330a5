"""From originals to content: choose a format, decode once or stream, and list what cannot be read."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch

from labelprop.core.cache import Cache
from labelprop.core.files import content_key
from labelprop.core.row_cache import RowCache
from labelprop.data.contents import TensorContent, shared_tensor
from labelprop.data.images import choose_format as format_module
from labelprop.data.images.choose_format import ChosenFormat, Wanted, choose_format, describe_scaling
from labelprop.data.images.originals import PixelArray
from labelprop.data.images.pixel_file import load_pixels, over_rows, write_pixels
from labelprop.data.images.pixels import DECODER_VERSION, ForBackbone, Header, ImageFormat, to_pixels
from labelprop.data.images.streamed import StreamedImages
from labelprop.data.images.unchecked import UncheckedImages
from labelprop.data.source import Originals

_REMEMBERED_FROM = 1_000  # images: the headers of fewer are read in no time


@dataclass(frozen=True, slots=True, eq=False)
class DecodedImages:
    """Readable images as content, the rows they come from, and row and reason of the others."""

    content: TensorContent | StreamedImages
    rows: np.ndarray  # int64 (N,)
    failures: tuple[tuple[int, str], ...]
    digest: str
    note: str | None


def decode_images(originals: Originals, wanted: Wanted, cache: Cache) -> DecodedImages:
    """Make `originals` readable as uint8 (C, H, W) tensors of one format.

    Opening the same content in the same form again decodes nothing. Where no image can be read the content is empty
    and `failures` names all rows.

    Raises StorageError where the cache cannot be written.
    """
    raw = originals.digest()
    if isinstance(originals, PixelArray) and _usable_as_is(originals, wanted):
        content = TensorContent(shared_tensor(originals.channels_first()), torch.uint8)
        return DecodedImages(content, np.arange(len(originals)), (), content_key("pixels", raw), None)
    limits = (format_module.SMALL_PIXELS, format_module.LARGEST_SIDE, format_module.CACHE_LIMIT_BYTES)
    whole, side = (wanted, None) if isinstance(wanted, ImageFormat) else (None, wanted)
    asked = f"Wish(format={whole}, size={side})"  # its name in 0.1.0, whose cached pixels are found again
    key = content_key("images", DECODER_VERSION, raw, asked, *limits)
    pixels_key = f"pixels-{key}.npy"
    record_path = cache.build(
        f"images-{key}.json", lambda path: _write_record(path, originals, wanted, cache, pixels_key)
    )
    record = json.loads(record_path.read_text(encoding="utf-8"))
    chosen = ChosenFormat(ImageFormat(**record["format"]), record["cached"], record["note"])
    failures = tuple((int(row), str(reason)) for row, reason in record["failures"])
    rows = np.delete(np.arange(len(originals)), [row for row, _ in failures])
    digest = content_key("images", DECODER_VERSION, raw, chosen.format)
    if not chosen.cached:
        return DecodedImages(StreamedImages(originals, rows, chosen.format), rows, failures, digest, chosen.note)
    pixels = load_pixels(cache, pixels_key, originals, rows, chosen.format)
    return DecodedImages(TensorContent(pixels, torch.uint8), rows, failures, digest, chosen.note)


def open_for_backbone(originals: Originals, asked: ForBackbone, side: int | None, cache: Cache) -> DecodedImages:
    """Make `originals` readable as a backbone wants them, of a `side` if one is given: headers are read, no more.

    `failures` are those whose header cannot be read; others may follow. The digest is empty: nothing was hashed.
    """
    wanted = asked.format() if callable(asked.format) else asked.format
    if isinstance(originals, PixelArray) and wanted is None and _usable_as_is(originals, side):
        return decode_images(originals, None, cache)  # nothing to decode
    headers = _headers(originals, cache)
    failures = tuple((row, header) for row, header in enumerate(headers) if isinstance(header, str))
    read = [header for header in headers if isinstance(header, Header)]
    target = wanted or choose_format(read, side).format
    rows = np.delete(np.arange(len(originals)), [row for row, _ in failures])
    content = UncheckedImages(originals, rows, target, asked.scaling)
    return DecodedImages(content, rows, failures, "", describe_scaling(read, target, asked.scaling))


def _headers(originals: Originals, cache: Cache) -> list[Header | str]:
    """The header of each image, or why it cannot be read. Those of many files are remembered."""
    n = len(originals)
    if n < _REMEMBERED_FROM:
        return [*over_rows(originals.header, np.arange(n))]
    kept, identities = RowCache(cache, "headers", np.int32), [originals.identity(row) for row in range(n)]
    places, found = kept.find(identities)
    headers: dict[int, Header | str] = {
        place: Header(width, height, bool(gray))
        for place, (width, height, gray) in zip(places.tolist(), found.tolist(), strict=True)
    }
    left = np.delete(np.arange(n), places)
    headers |= dict(zip(left.tolist(), over_rows(originals.header, left), strict=True))
    fresh = {
        identity: (header.width, header.height, int(header.gray))
        for row in left.tolist()
        if (identity := identities[row]) is not None and isinstance(header := headers[row], Header)
    }
    kept.add([*fresh], np.array([*fresh.values()], np.int32))
    return [headers[row] for row in range(n)]


def _usable_as_is(originals: PixelArray, wanted: Wanted) -> bool:
    if not originals.direct or isinstance(wanted, int) or not len(originals):
        return False
    _, channels, height, width = originals.channels_first().shape
    if wanted is not None:
        return wanted.shape == (channels, height, width)
    return bool(height * width <= format_module.SMALL_PIXELS)


def _write_record(path: Path, originals: Originals, wanted: Wanted, cache: Cache, pixels_key: str) -> None:
    """Look at all headers, decide, decode once, and note the outcome."""
    headers = list(over_rows(originals.header, np.arange(len(originals))))
    failures = {row: header for row, header in enumerate(headers) if isinstance(header, str)}
    chosen = choose_format([header for header in headers if isinstance(header, Header)], wanted)
    candidates = np.delete(np.arange(len(originals)), list(failures))
    if chosen.cached:
        cache.write(
            pixels_key, lambda file: failures.update(write_pixels(file, originals, candidates, chosen.format))
        )
    else:
        outcomes = over_rows(lambda row: to_pixels(originals.open(row), chosen.format).shape, candidates)
        failures |= {
            int(row): outcome for row, outcome in zip(candidates, outcomes, strict=True) if isinstance(outcome, str)
        }
    record = {"format": asdict(chosen.format), "cached": chosen.cached, "note": chosen.note}
    path.write_text(json.dumps(record | {"failures": sorted(failures.items())}), encoding="utf-8")
