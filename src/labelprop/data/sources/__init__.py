"""One file a kind of DATA, each with one line in `labelprop.core.registry.SOURCES`; and all names that one needs.

A source reads `DATA` to `RawData`; one that turns into a `Table` is read on by `data_in_table`.
"""

from typing import TYPE_CHECKING

from labelprop.core.lazy import handed_on

if TYPE_CHECKING:
    from labelprop.core.entry import Entry as Entry
    from labelprop.core.errors import DataError as DataError
    from labelprop.core.errors import RequestError as RequestError
    from labelprop.data.files.skipped import Skipped as Skipped
    from labelprop.data.images.originals import EncodedImages as EncodedImages
    from labelprop.data.images.originals import PixelArray as PixelArray
    from labelprop.data.source import NO_COLUMNS as NO_COLUMNS
    from labelprop.data.source import Columns as Columns
    from labelprop.data.source import Originals as Originals
    from labelprop.data.source import RawData as RawData
    from labelprop.data.source import Source as Source
    from labelprop.data.source import as_path as as_path
    from labelprop.data.sources.table import data_in_table as data_in_table
    from labelprop.data.tables.table import Table as Table
    from labelprop.data.tables.values import label_text as label_text
    from labelprop.data.tables.values import plain_text as plain_text

__all__, __getattr__, __dir__ = handed_on(__name__)
