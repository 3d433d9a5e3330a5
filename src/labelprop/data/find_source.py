"""Which source reads DATA. Nothing here imports torch: what no source reads is refused before that is loaded."""

from __future__ import annotations

from typing import Any

from labelprop.core.errors import RequestError
from labelprop.core.registry import entries
from labelprop.data.source import Source, as_path
from labelprop.data.tables.kinds import TABLES, how_to_convert, is_known_file


def source_of(data: Any) -> Source:
    """The one source that claims `data`. Raises RequestError where none does, or where there is no such file."""
    path = as_path(data)
    if path is not None and is_known_file(path) and not path.exists():
        raise RequestError(f"no file '{path}'. Check the path.")
    for entry in entries("sources").values():
        source: Source = entry.load()()
        if source.claims(data):
            return source
    if path is not None and not path.exists():
        raise RequestError(f"no file or folder '{data}'. Check the path.")
    shown = f"an object of type {type(data).__name__}" if path is None else f"'{data}'"
    remedy = "" if path is None else how_to_convert(path)
    raise RequestError(
        f"cannot read {shown}: DATA is a folder of images, a table ({TABLES}; text also packed as .gz) or a folder "
        "of such, an array (.npy .npz, NumPy or torch), a frame (pandas, polars, Arrow) or a HuggingFace data "
        f"set.{remedy}"
    )
