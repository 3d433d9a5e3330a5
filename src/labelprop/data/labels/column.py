"""A column of labels as one NumPy array, whatever holds it: arrays, tensors, frames, series, Arrow, lists."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from labelprop.core.errors import DataError


def made_by(value: object, package: str) -> bool:
    """Whether a value's class, or one that it inherits from, is of this package, which need not be installed."""
    return any(base.__module__.partition(".")[0] == package for base in type(value).__mro__)


def as_column(y: Any) -> np.ndarray:
    """`y` as an array: (N,), or (N, C) where it has columns. Missing entries are None, NaN or masked.

    Nullable types keep theirs: integers stay integers beside a missing entry.
    """
    if made_by(y, "torch"):
        y = y.detach().cpu()
        return np.asarray(y.float() if y.dtype.is_floating_point and y.itemsize == 2 else y)  # bfloat16 as well
    if made_by(y, "datasets"):
        y = list(y)
    if isinstance(y, list | tuple):
        return _of_list(y)
    if len(getattr(y, "shape", ())) == 2 and not isinstance(y, np.ndarray):
        return _of_frame(y)
    arrow = _as_arrow(y)
    if arrow is not None:
        return _of_arrow(arrow)
    array = y if isinstance(y, np.ma.MaskedArray) else np.asarray(y)
    if array.dtype.kind == "T":  # NumPy's own texts of any length
        return array.astype(object)
    return array


def _of_list(values: Any) -> np.ndarray:
    """NumPy's own reading, unless it would write what is no text as text: ["a", nan], or [1, "a"]."""
    try:
        array = np.asarray(values)
    except ValueError as error:
        raise DataError(f"the labels are lists of different lengths: {error}") from error
    if array.ndim == 1 and array.dtype.kind in "US" and not all(isinstance(value, str | bytes) for value in values):
        return as_objects(values)
    return array


def as_objects(values: Sequence[Any]) -> np.ndarray:
    """Values as they are, one a row; NumPy would make columns of lists, and texts of numbers beside them."""
    return np.fromiter(values, dtype=object, count=len(values))


def _of_frame(frame: Any) -> np.ndarray:
    """The columns of a frame or an Arrow table side by side; of a single one the column, (N, 1)."""
    if made_by(frame, "pandas"):
        columns = [frame.iloc[:, place] for place in range(frame.shape[1])]
    elif made_by(frame, "polars"):
        columns = list(frame)
    elif made_by(frame, "pyarrow"):
        columns = frame.columns
    else:
        return np.asarray(frame)
    arrays = [as_column(column) for column in columns]
    if len(arrays) == 1:
        return arrays[0].reshape(-1, 1)
    floats = [np.ma.filled(array.astype(float), np.nan) if array.dtype.kind in "iufb" else array for array in arrays]
    return np.stack(floats, axis=1) if floats else np.empty((len(frame), 0))


def _as_arrow(y: Any) -> Any:
    """An Arrow array of what NumPy knows no type for; None where it does."""
    if made_by(y, "polars"):
        return y.to_arrow()
    if made_by(y, "pandas") and not isinstance(y.dtype, np.dtype):
        import pyarrow as pa

        try:
            arrow = pa.array(y, from_pandas=True)
        except (pa.ArrowException, TypeError, ValueError):  # of another package's type
            return None
        return None if isinstance(arrow.type, pa.BaseExtensionType) else arrow  # periods as numbers, say
    return y if made_by(y, "pyarrow") else None


def plain_arrow(column: Any) -> Any:
    """An Arrow column in chunks, with the values in place of codes of them."""
    import pyarrow as pa

    column = pa.chunked_array([column]) if isinstance(column, pa.Array) else column
    return column.cast(column.type.value_type) if pa.types.is_dictionary(column.type) else column


def _of_arrow(column: Any) -> np.ndarray:
    """Numbers with nulls are masked; in columns of anything else null is None."""
    import pyarrow as pa

    column = plain_arrow(column)
    kind = column.type
    if pa.types.is_nested(kind):
        return as_objects(column.to_pylist())
    if column.null_count and (pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind)):
        missing_N = column.is_null().to_numpy()
        zero = pa.scalar(0, pa.int64()).cast(kind)
        return np.ma.MaskedArray(column.fill_null(zero).to_numpy(), missing_N)
    return np.asarray(column.to_numpy())
