"""Labels that are lists of labels in one cell: an example has one label here, so they are no class of their own.

`["cat"]` is a list as it is written. `cat|dog` is one where a part is itself a label of another row, or every part
stands in a list of other parts too; `cat,dog`, `cat;dog` and `cat/dog` only where every part is itself a label, since
names of classes have commas and slashes in them ("Washington, D.C.", "n/a").
"""

from __future__ import annotations

import ast
import json
from collections import defaultdict
from collections.abc import Iterable
from contextlib import suppress


def listed(labels: Iterable[str]) -> set[str]:
    """Those of the labels that are lists."""
    names = set(labels)
    found = {name for name in names if _is_written_as_list(name)}
    cells_of: dict[str, set[str]] = defaultdict(set)
    barred = {name: _parts(name, "|") for name in names if "|" in name}
    for name, parts in barred.items():
        for part in parts:
            cells_of[part].add(name)
    for name, parts in barred.items():
        alone = any(part in names for part in parts)
        if len(parts) > 1 and (alone or all(len(cells_of[part]) > 1 for part in parts)):
            found.add(name)
    for mark in ",;/":
        for name in names:
            parts = _parts(name, mark) if mark in name else set()
            if len(parts) > 1 and parts <= names:
                found.add(name)
    return found


def _parts(name: str, mark: str) -> set[str]:
    return {part.strip() for part in name.split(mark)} - {""}


def _is_written_as_list(name: str) -> bool:
    """Whether a text is a list or an object, of JSON or as Python prints one."""
    text = name.strip()
    if (text[:1], text[-1:]) not in (("[", "]"), ("{", "}")):
        return False
    with suppress(ValueError):
        return isinstance(json.loads(text), list | dict)
    with suppress(ValueError, SyntaxError, MemoryError, RecursionError):
        return isinstance(ast.literal_eval(text), list | set | dict)
    return False
