"""Ids of DATA, found by paths of another place: by the ends of the paths.

A labels file of another program names an image by its path there: in another folder, in a copy that was uploaded, or
without the extension. Such a path stands for an example where one of the two paths is the end of the other and no
other example comes into question.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Set
from functools import cached_property
from urllib.parse import parse_qs, unquote, urlsplit

from labelprop.data.images.kinds import is_image_name

_UPLOADED = re.compile(r"/data/upload/(?:\d+/)?[0-9a-f]{8}-(?P<name>[^/]+)\Z")  # as Label Studio keeps a file


class FileNames:
    """Ids of DATA, to be found by a path that may be written otherwise."""

    def __init__(self, ids: Set[str]) -> None:
        self._ids = ids

    @cached_property
    def _by_stem(self) -> dict[str, list[str]]:
        names = defaultdict(list)
        for name in sorted(self._ids):
            if _stem(name) != _last(name):  # only ids of files are paths
                names[_stem(name)].append(name)
        return names

    def find(self, text: str) -> list[str]:
        """The example that an id of LABELS stands for: none, one, or several that it may be."""
        if text in self._ids:
            return [text]
        for path in _readings(text):
            if path in self._ids:
                return [path]
            common = {name: _common(name, path) for name in self._by_stem.get(_stem(path), ())}
            if longest := max(common.values(), default=0):
                return [name for name, length in common.items() if length == longest]
        return []


def _readings(text: str) -> Iterator[str]:
    """The path as it may have been before another program or another system wrote it so."""
    path = text.replace("\\", "/")
    parts = urlsplit(path)
    if "://" in path or "?d=" in path:  # Label Studio serves local files as /data/local-files/?d=PATH
        served = parse_qs(parts.query).get("d")
        path = served[0] if served else unquote(parts.path)
    if uploaded := _UPLOADED.search(path):
        yield uploaded["name"]
    yield re.sub(r"^(\./|/)+", "", path)


def _last(path: str) -> str:
    return path.rpartition("/")[2]


def _stem(path: str) -> str:
    """The name of the file, without the extension of an image."""
    return _last(path).rpartition(".")[0] if is_image_name(_last(path)) else _last(path)


def _common(name: str, path: str) -> int:
    """How many parts two paths of equal stem share from the end; 0 where neither is the end of the other."""
    if _last(name) != _last(path) and _stem(path) != _last(path):  # two extensions
        return 0
    here, there = name.split("/")[:-1], path.split("/")[:-1]
    shared = min(len(here), len(there))
    return shared + 1 if here[len(here) - shared :] == there[len(there) - shared :] else 0
