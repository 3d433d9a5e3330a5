"""The interface of a data source, and the raw data that it returns."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

from labelprop.core.errors import RequestError
from labelprop.core.row_cache import key_of
from labelprop.data.files.skipped import Skipped
from labelprop.data.images.pixels import Header, read_header
from labelprop.data.labels.findings import Finding

if TYPE_CHECKING:
    from PIL import Image

    from labelprop.data.tables.values import LabelType


@dataclass(frozen=True, slots=True)
class Columns:
    """Column names of a table (`--label-col` and so on); None means the usual name, where there is one.

    `embeddings` are many columns of a number each: names, or a text with `first:last` or a pattern. `encoding`, of
    text without a mark, is beside the point for data that have no columns: it does not count in `==`. Nor do
    `features`: the columns of a number each that a model takes, in the order in which it takes them.
    """

    label: str | None = None
    id: str | None = None
    image: str | None = None
    text: str | None = None
    embedding: str | None = None
    embeddings: str | Sequence[str] | None = None
    truth: str | None = None
    encoding: str | None = field(default=None, compare=False)
    features: tuple[str, ...] = field(default=(), compare=False)

    def refuse(self, what: str) -> None:
        """Raises RequestError where columns are named of data that have none."""
        if self != NO_COLUMNS:
            of_labels = " and ".join(f"--labels-{name}-col" for name in ("id", "label") if getattr(self, name))
            hint = f" The columns of a labels file are named with {of_labels}." if of_labels else ""
            raise RequestError(f"{what} no columns; leave out what names columns (--id-col and the like).{hint}")


NO_COLUMNS = Columns()


class Originals(Protocol):
    """Images as they were given, addressed by row of the source."""

    def __len__(self) -> int: ...

    def open(self, row: int) -> Image.Image:
        """The image of a row, not yet decoded. Raises OSError or ValueError where there is none."""
        ...

    def header(self, row: int) -> Header:
        """The header of a row, of which no more is read. Raises as `open`."""
        return read_header(self.open(row))

    def keyed(self, row: int) -> tuple[bytes, Image.Image]:
        """A key of the stored content of a row, equal for copies, and its image, in one reading. Raises as `open`."""
        return key_of(self.fingerprint(row)), self.open(row)

    def identity(self, row: int) -> bytes | None:
        """A key that changes when the content of a row does, without reading it; None where there is none."""
        return None

    def where(self, row: int) -> str:
        """How to point at a row: its file, where it has one."""
        return f"row {row}"

    def fingerprint(self, row: int) -> str:
        """A hash of the stored content of a row; equal for copies."""
        ...

    def digest(self) -> str:
        """A hash of all rows and their order."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class RawData:
    """All rows of a source before anything is decoded or checked.

    Exactly one of `images`, `vectors` (n, D) and `texts` is set. `given` holds label texts, None where
    unlabeled; `declared` the class names the source knows, also those without an example. What takes long to read
    may come as a function, which is then called with a folder for large files. `skipped` are files that are no rows,
    `beside` those that were read and are none; `findings` are what there is to say of the labels.
    """

    name: str
    ids: Sequence[str]
    given: Sequence[str | None]
    images: Originals | Callable[[Path], Originals] | None = None
    vectors: Any = None  # an array or tensor, or what reads one, as with `images`
    texts: Sequence[str | None] | None = None
    shown: Sequence[str | None] | None = None  # texts beside vectors, which only a reader looks at
    note: str | None = None  # what was taken for what, where that needs saying
    declared: tuple[str, ...] = ()
    lines: Sequence[int] | None = None  # line numbers of the rows in a text file
    features: tuple[str, ...] = ()  # the columns of a number each that the vectors are made of, if they are
    index: Any = None  # of a frame of pandas, an entry a row
    label_type: LabelType | None = None  # of the labels, where they were no texts
    unit: Literal["file", "row"] = "row"
    skipped: tuple[Skipped, ...] = ()
    beside: tuple[Path, ...] = ()
    findings: tuple[Finding, ...] = ()

    @property
    def modality(self) -> Literal["image", "vector", "text"]:
        return "image" if self.images is not None else "text" if self.texts is not None else "vector"


class Source(Protocol):
    """One kind of DATA. To add one: a class with these two methods and a line in `registry.SOURCES`."""

    def claims(self, data: object) -> bool:
        """Whether `data` (a path or an object) is of this kind. At most one source claims it."""
        ...

    def read(self, data: Any, columns: Columns) -> RawData:
        """All rows of it. Raises DataError naming file, row or column."""
        ...


def as_path(data: object) -> Path | None:
    """`data` as a path, or None where it is no path at all."""
    return Path(data).expanduser() if isinstance(data, str | PathLike) else None
