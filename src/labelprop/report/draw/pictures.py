"""Sprite sheets: the pictures of the shown rows, a thousand to a sheet, small enough for one page."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from PIL import Image, UnidentifiedImageError

PER_SHEET = 1000  # so a sheet of the largest cells is 3,072 pixels square, which every browser can draw
COLUMNS = 32
EDGES = (96, 64, 48, 32, 24)  # pixels: the largest that the page has room for
LARGE = 192  # pixels: kept of a picture for the larger view
LARGE_FROM, LARGE_BYTES = 64, 1_200_000  # smaller pictures lose nothing in a sheet; room for about 200
QUALITY = 80  # of WebP
PALETTE = 256  # up to so many colors PNG is exact and small
GUESS = 1.1  # the first sheet may be a small one


@dataclass(frozen=True, slots=True)
class Sheet:
    """One sheet as a data address, and its number of rows."""

    address: str
    rows: int


@dataclass(frozen=True, slots=True)
class Sheets:
    """Cell j % 1000 of sheet j // 1000 holds the j-th picture, rows of 32 cells."""

    sheets: tuple[Sheet, ...]
    edge: int  # of a cell, pixels
    original: int  # the longest side of any picture, pixels; at most 192

    @staticmethod
    def cell(j: int) -> tuple[int, int, int]:
        """(sheet, column, row) of the j-th picture."""
        inside = j % PER_SHEET
        return j // PER_SHEET, inside % COLUMNS, inside // COLUMNS

    @property
    def nbytes(self) -> int:
        return sum(len(sheet.address) for sheet in self.sheets)


def make_sheets(pictures: Sequence[bytes | None], budget: int) -> Sheets | None:
    """Packs encoded pictures (None leaves a cell empty) at the largest edge of 96, 64, 48, 32, 24 whose sheets
    need at most `budget` bytes; at 24 whatever they need. None where there is no picture.

    Pictures are fitted, not cropped: aspect kept, centered, nothing behind them. Gray ones and ones with a
    palette are kept exactly (PNG), others as WebP.
    """
    opened, original = [], 0
    for picture in pictures:
        image = _open(picture)
        if image is not None:
            original = max(original, *image.size)
            if max(image.size) > EDGES[0]:
                image.thumbnail((EDGES[0], EDGES[0]))
        opened.append(image)
    if not original:
        return None
    gray = all(image is None or image.mode in ("1", "L", "LA") for image in opened)
    batches = [opened[start : start + PER_SHEET] for start in range(0, len(opened), PER_SHEET)]
    edges = sorted({min(edge, original) for edge in EDGES}, reverse=True)
    for edge in edges:
        first = _sheet(batches[0], edge, gray)
        smallest = edge == edges[-1]
        if len(first.address) * len(opened) / len(batches[0]) > GUESS * budget and not smallest:
            continue
        sheets = Sheets((first, *(_sheet(batch, edge, gray) for batch in batches[1:])), edge, original)
        if sheets.nbytes <= budget or smallest:
            break
    return sheets


def large_pictures(pictures: Mapping[int, bytes | None]) -> dict[int, str]:
    """Data addresses of pictures that are larger than a cell, in the order they come, while there is room."""
    found: dict[int, str] = {}
    room = LARGE_BYTES
    for place, picture in pictures.items():
        image = _open(picture)
        if picture is None or image is None or max(image.size) <= LARGE_FROM:
            continue
        kind = "webp" if picture[:4] == b"RIFF" else "png"
        address = f"data:image/{kind};base64,{base64.b64encode(picture).decode()}"
        room -= len(address)
        if room < 0:
            break
        found[place] = address
    return found


def _open(picture: bytes | None) -> Image.Image | None:
    if picture is None:
        return None
    try:
        image = Image.open(io.BytesIO(picture))
        image.load()
    except (OSError, UnidentifiedImageError):
        return None
    if image.mode.startswith("I") or image.mode == "F":
        return image.convert("L")
    return image


def _sheet(images: Sequence[Image.Image | None], edge: int, gray: bool) -> Sheet:
    rows = -(-len(images) // COLUMNS)
    sheet = Image.new("LA" if gray else "RGBA", (COLUMNS * edge, rows * edge))
    for j, image in enumerate(images):
        if image is not None:
            fitted = _fit(image.convert(sheet.mode), edge)
            x, y = j % COLUMNS * edge + (edge - fitted.width) // 2, j // COLUMNS * edge + (edge - fitted.height) // 2
            sheet.paste(fitted, (x, y))
    encoded, kind = _encode(sheet, gray)
    return Sheet(f"data:image/{kind};base64,{base64.b64encode(encoded).decode()}", rows)


def _fit(image: Image.Image, edge: int) -> Image.Image:
    """The longer side becomes `edge`; enlarged pixels stay pixels."""
    scale = edge / max(image.size)
    size = max(1, round(image.width * scale)), max(1, round(image.height * scale))
    if size == image.size:
        return image
    return image.resize(size, Image.Resampling.NEAREST if scale > 1 else Image.Resampling.LANCZOS)


def _encode(sheet: Image.Image, gray: bool) -> tuple[bytes, str]:
    out = io.BytesIO()
    if not gray:
        if sheet.getcolors(PALETTE) is None:
            sheet.save(out, "WEBP", quality=QUALITY, method=4)
            return out.getvalue(), "webp"
    elif sheet.getchannel("A").getextrema() == (255, 255):
        sheet = sheet.getchannel("L")
    sheet.save(out, "PNG", optimize=True)
    return out.getvalue(), "png"
