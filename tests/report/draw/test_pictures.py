import base64
import io

import numpy as np
import pytest
from PIL import Image

from labelprop.report.draw import pictures
from labelprop.report.draw.pictures import large_pictures, make_sheets


def encoded(array, kind="PNG"):
    out = io.BytesIO()
    Image.fromarray(array).save(out, kind)
    return out.getvalue()


def decode(sheet):
    header, content = sheet.address.split(",", 1)
    return Image.open(io.BytesIO(base64.b64decode(content))), header


def noise(size, seed, channels=3):
    shape = (*size, channels) if channels > 1 else size
    return np.random.default_rng(seed).integers(0, 255, shape, dtype=np.uint8)


def cell(image, column, row, edge):
    return np.asarray(image.crop((column * edge, row * edge, (column + 1) * edge, (row + 1) * edge)))


def test_gray_pictures_are_kept_exactly():
    originals = [noise((8, 8), k, channels=1) for k in range(40)]
    sheets = make_sheets([encoded(original) for original in originals], 10**6)
    image, header = decode(sheets.sheets[0])
    assert (header, sheets.edge, sheets.original) == ("data:image/png;base64", 8, 8)
    for j in (0, 31, 32, 39):
        _, column, row = sheets.cell(j)
        assert (cell(image.getchannel(0), column, row, 8) == originals[j]).all()


def test_a_thousand_to_a_sheet():
    picture = encoded(np.zeros((8, 8), dtype=np.uint8))
    sheets = make_sheets([picture] * 1001, 10**6)
    assert [sheet.rows for sheet in sheets.sheets] == [32, 1]
    assert sheets.cell(1000) == (1, 0, 0)
    assert sheets.cell(999) == (0, 999 % 32, 999 // 32)


def test_pictures_are_fitted_not_cropped():
    wide = np.full((20, 40), 255, dtype=np.uint8)
    sheets = make_sheets([encoded(wide)], 10**6)
    image, _ = decode(sheets.sheets[0])
    assert (image.mode, sheets.edge) == ("LA", 40)
    alpha = np.asarray(image)[:40, :40, 1]
    assert (alpha[10:30] == 255).all()
    assert (alpha[:10] == 0).all()


def test_photos_shrink_until_they_fit():
    pictures = [encoded(noise((64, 64), k), "PNG") for k in range(64)]
    largest = make_sheets(pictures, 10**7)
    assert largest.edge == 64
    assert decode(largest.sheets[0])[1] == "data:image/webp;base64"
    smaller = make_sheets(pictures, largest.nbytes // 2)
    assert smaller.edge in (32, 48)
    assert smaller.nbytes <= largest.nbytes // 2
    assert smaller.original == 64
    assert make_sheets(pictures, 0).edge == 24


def test_missing_and_broken_pictures_leave_an_empty_cell():
    sheets = make_sheets([None, b"not a picture", encoded(np.full((8, 8), 9, dtype=np.uint8))], 10**6)
    image, _ = decode(sheets.sheets[0])
    alpha = np.asarray(image)[..., 1]
    assert (alpha[:, :16] == 0).all()
    assert (alpha[:, 16:24] == 255).all()


def test_few_colors_are_kept_exactly():
    flat = np.zeros((16, 16, 3), dtype=np.uint8)
    flat[4:12] = (200, 30, 90)
    image, header = decode(make_sheets([encoded(flat)], 10**6).sheets[0])
    assert header == "data:image/png;base64"
    assert image.convert("RGB").getpixel((5, 5)) == (200, 30, 90)


@pytest.mark.parametrize("pictures", [[], [None, None]])
def test_no_pictures(pictures):
    assert make_sheets(pictures, 10**6) is None


def test_sixteen_bit_pictures_are_read():
    deep = Image.fromarray(np.full((8, 8), 40_000, dtype=np.uint16))
    out = io.BytesIO()
    deep.save(out, "PNG")
    assert make_sheets([out.getvalue()], 10**6).edge == 8


def test_larger_pictures_are_handed_on_as_they_are_while_there_is_room(monkeypatch):
    large, small = encoded(noise((100, 192), 0), "WEBP"), encoded(noise((64, 64), 1))
    found = large_pictures({7: large, 2: small, 5: None, 4: b"no picture", 9: large})
    assert list(found) == [7, 9], "small ones lose nothing in a sheet"
    header, content = found[7].split(",", 1)
    assert (header, base64.b64decode(content)) == ("data:image/webp;base64", large)
    monkeypatch.setattr(pictures, "LARGE_BYTES", len(found[7]))
    assert list(large_pictures({7: large, 9: large})) == [7]


def test_large_pictures_are_reduced_to_the_largest_cell():
    sheets = make_sheets([encoded(noise((150, 192), 0))], 10**6)
    assert (sheets.edge, sheets.original) == (96, 192)
    image, _ = decode(sheets.sheets[0])
    assert image.size == (32 * 96, 96)
