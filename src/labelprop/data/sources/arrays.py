"""`.npy` and `.npz` files (memory-mapped) and arrays in memory: vectors, or images of 8 bits."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from labelprop.core.errors import DataError, RequestError
from labelprop.core.text import counted
from labelprop.data.images.originals import PixelArray
from labelprop.data.source import Columns, RawData, as_path
from labelprop.data.tables.kinds import ARRAY_SUFFIXES
from labelprop.data.tables.values import id_text, label_texts, label_type

_LOCAL_HEADER = 30  # bytes of a ZIP member's header before its name


class ArraySource:
    """2-D = vectors; 3-D or 4-D uint8 (n, h, w[, c]) = images. `.npz`: `X`, optional `y` (labels) and `ids`."""

    def claims(self, data: object) -> bool:
        path = as_path(data)
        if path is not None:
            return path.suffix.lower() in ARRAY_SUFFIXES and not path.is_dir()
        return isinstance(data, np.ndarray) or type(data).__name__ in ("Tensor", "Parameter")

    def read(self, data: Any, columns: Columns) -> RawData:
        columns.refuse("arrays have")
        path = as_path(data)
        arrays = {"X": data} if path is None else load_arrays(path)
        name, where = ("array", "the array") if path is None else (path.stem, f"'{path}'")
        if "X" not in arrays:
            raise DataError(f"{where} has no array 'X'; it holds {', '.join(arrays) or 'nothing'}.")
        array = arrays["X"]
        n_rows = len(array) if array.ndim else 0
        images = array.ndim in (3, 4)
        named, y = _column(arrays, "ids", n_rows, where), _column(arrays, "y", n_rows, where)
        ids = [id_text(value) for value in (range(n_rows) if named is None else named.tolist())]
        if "" in ids:
            raise DataError(f"{where}: 'ids' has no value for row {ids.index('')}.")
        return RawData(
            name=name,
            ids=ids,
            given=[None] * n_rows if y is None else label_texts(y, where=f"{where}, 'y'"),
            label_type=None if y is None else label_type(y),
            images=PixelArray(_pixels(array, where)) if images else None,
            vectors=None if images else array,
            beside=() if path is None else (path,),
        )


def _pixels(array: Any, where: str) -> np.ndarray:
    pixels = np.asarray(array)
    if pixels.dtype != np.uint8:
        raise DataError(f"{where} holds {pixels.dtype} of shape {pixels.shape}; images must be uint8 (0 to 255).")
    if pixels.ndim == 3 and pixels.shape[2] in (3, 4) and pixels.shape[1] > 4:  # as gray images, 3 or 4 pixels wide
        raise DataError(
            f"{where} has shape {pixels.shape}, that of one color image; give an array of images, X[None]."
        )
    if pixels.ndim == 4 and pixels.shape[3] not in (1, 3, 4):
        remedy = ""
        if pixels.shape[1] in (1, 3, 4):
            remedy = " It seems to have its channels first: move them last with X.transpose(0, 2, 3, 1)."
        raise DataError(f"{where} has shape {pixels.shape}; images must be (n, h, w) or (n, h, w, 1|3|4).{remedy}")
    return pixels


def _column(arrays: dict[str, Any], key: str, n_rows: int, where: str) -> np.ndarray | None:
    """The values of an array beside X, one a row of it; None where there is no such array."""
    if key not in arrays:
        return None
    if np.shape(arrays[key]) not in ((n_rows,), (n_rows, 1)):
        raise DataError(f"{where}: '{key}' has shape {np.shape(arrays[key])} where X has {counted(n_rows, 'row')}.")
    return np.asarray(arrays[key]).reshape(-1)


def load_arrays(path: Path) -> dict[str, Any]:
    """The arrays of a file by name (a `.npy` under `X`), memory-mapped unless compressed.

    Raises RequestError where there is no such file, DataError where it is damaged or holds Python objects.
    """
    if not path.is_file():
        raise RequestError(f"no file '{path}'. Check the path.")
    try:
        if path.suffix.lower() == ".npy":
            return {"X": np.load(path, mmap_mode="r", allow_pickle=False)}
        with zipfile.ZipFile(path) as archive:
            members = [info for info in archive.infolist() if info.filename.endswith(".npy")]
            return {info.filename.removesuffix(".npy"): _member(path, archive, info) for info in members}
    except (ValueError, EOFError, zipfile.BadZipFile) as error:
        reason = "it is damaged or holds Python objects" if "pickle" in str(error) else str(error)
        raise DataError(f"cannot read '{path}': {reason}. Save arrays of numbers or fixed-width text.") from error
    except OSError as error:
        raise RequestError(f"cannot read '{path}': {error.strerror or error}.") from error


def _member(path: Path, archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> np.ndarray:
    """An array of a `.npz`; mapped where it is stored uncompressed (`np.savez`), since NumPy would copy it."""
    with archive.open(info) as member:
        version = np.lib.format.read_magic(member)
        read_header = (
            np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        )
        shape, fortran, dtype = read_header(member)
        header = member.tell()
    if info.compress_type != zipfile.ZIP_STORED or dtype.hasobject or 0 in shape or not shape:
        with archive.open(info) as member:
            return np.asarray(np.lib.format.read_array(member, allow_pickle=False))
    with path.open("rb") as file:
        file.seek(info.header_offset)
        local = file.read(_LOCAL_HEADER)
    name_and_extra = int.from_bytes(local[26:28], "little") + int.from_bytes(local[28:30], "little")
    offset = info.header_offset + _LOCAL_HEADER + name_and_extra + header
    return np.memmap(path, dtype=dtype, mode="r", offset=offset, shape=shape, order="F" if fortran else "C")
