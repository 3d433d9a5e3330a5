"""The file of one image: a single example, whose id is the file's name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from labelprop.data.files.listing import shown_name
from labelprop.data.images.kinds import is_image_name
from labelprop.data.images.originals import EncodedImages
from labelprop.data.source import Columns, RawData, as_path


def is_image_file(data: object) -> bool:
    """Whether `data` is the path of one image."""
    path = as_path(data)
    return path is not None and is_image_name(path.name) and path.is_file()


class ImageSource:
    """A file with one image, without a label."""

    def claims(self, data: object) -> bool:
        return is_image_file(data)

    def read(self, data: Any, columns: Columns) -> RawData:
        columns.refuse(f"'{data}' is one image and has")
        path = Path(data).expanduser()
        name = shown_name(path.name)
        return RawData(name=name, ids=[name], given=[None], images=EncodedImages([path]), unit="file")
