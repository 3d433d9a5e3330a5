"""A HuggingFace data set: an object, a folder of `save_to_disk`, or a name on the hub, `owner/name` (needs `hf`)."""

from __future__ import annotations

import re
from typing import Any

from labelprop.core.errors import DataError, RequestError
from labelprop.core.extras import require
from labelprop.data.files.listing import is_hf_folder
from labelprop.data.images.kinds import is_image_name
from labelprop.data.labels.column import made_by
from labelprop.data.source import Columns, RawData, as_path
from labelprop.data.sources.table import data_in_table
from labelprop.data.tables.arrow import dataset_table
from labelprop.data.tables.kinds import is_known_file

_HUB_NAME = re.compile(r"[\w-][\w.-]*/[\w-][\w.-]*\Z")
_SPLIT = "train"  # the one read of several; the others are for tests


class HfSource:
    """Images, texts or embeddings of a `datasets.Dataset`; of several splits, `train`."""

    def claims(self, data: object) -> bool:
        path = as_path(data)
        if path is None:
            return made_by(data, "datasets")
        if path.is_dir():
            return is_hf_folder(path)
        mistyped = path.parent.is_dir()  # 'photos/trian' beside 'photos/train' is no name on the hub
        hub_name = _HUB_NAME.match(str(data)) is not None
        return hub_name and not (path.exists() or is_known_file(path) or is_image_name(path.name) or mistyped)

    def read(self, data: Any, columns: Columns) -> RawData:
        path = as_path(data)
        dataset = data if path is None else _open(str(data), on_disk=path.is_dir())
        if isinstance(dataset, dict):  # a DatasetDict
            if _SPLIT not in dataset and len(dataset) > 1:
                raise RequestError(f"the data set has the splits {', '.join(dataset)}; pass one of them.")
            dataset = dataset.get(_SPLIT) or next(iter(dataset.values()))
        if not hasattr(dataset, "with_format") or not hasattr(dataset, "__len__"):
            raise RequestError("streamed data sets have no fixed rows; load the data set without streaming.")
        name = "dataset" if path is None else path.name
        return data_in_table(dataset_table(dataset, name), columns, name)


def _open(name: str, *, on_disk: bool) -> Any:
    asked = f"'{name}'" if on_disk else f"no file or folder '{name}'; a HuggingFace data set of this name"
    datasets = require("datasets", "hf", asked)
    if on_disk:
        try:
            return datasets.load_from_disk(name)
        except (OSError, ValueError) as error:
            raise DataError(f"cannot read the HuggingFace data set in '{name}': {error}") from error
    try:
        return datasets.load_dataset(name)
    except Exception as error:  # the library raises many kinds: not found, offline, gated, damaged
        first_line = str(error).partition("\n")[0]
        raise RequestError(
            f"no file or folder '{name}', and no HuggingFace data set of this name could be loaded: {first_line}"
        ) from error
