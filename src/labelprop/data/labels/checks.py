"""Checks of given labels: counts, and names that look like mistakes."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterator

from labelprop.core.text import counted, quoted
from labelprop.data.labels.findings import Finding, note, warning
from labelprop.data.samples import Samples
from labelprop.data.tables.values import sort_classes

_MISSING = frozenset(
    {"na", "n/a", "nan", "nat", "<na>", "none", "null", "nil", "unknown", "?", "-", "missing"}
    | {"unlabeled", "unlabelled"}
)
_SPLITS = frozenset({"train", "training", "test", "testing", "val", "valid", "validation", "dev"})
_IMBALANCE = 10  # times as many labels as the rarest class: worth a note

Texts = tuple[str | None, ...]


def check_counts(samples: Samples, texts: Texts) -> Iterator[Finding]:
    """No labels, no unlabeled examples, classes with none or one, one class only, imbalance."""
    counts = Counter(text for text in texts if text is not None)
    unreadable = {skip.label for skip in samples.skipped}  # of which `join` speaks
    empty = [name for name in samples.declared if name not in counts and name not in unreadable]
    if not counts:
        yield note(
            "no example has a label yet. Label a few of each class (about 10 is a good start) in a table with "
            "columns id and label, and pass it with --labels."
        )
        return
    if empty:
        yield warning(
            f"no label for {counted(len(empty), 'class')}: {quoted(empty)}. "
            "Nothing will be assigned to a class without a label."
        )
    yield from check_few(samples, texts)
    if None not in texts:
        yield warning("every example has a label, so there is nothing to propagate to.")
    most, least = counts.most_common()[0], counts.most_common()[-1]
    if most[1] >= _IMBALANCE * least[1] and len(counts) > 1:
        yield note(f"labels are uneven: '{most[0]}' has {most[1]:,}, '{least[0]}' has {least[1]:,}.")


def check_few(samples: Samples, texts: Texts) -> Iterator[Finding]:
    """Classes with one label, and one class only."""
    counts = Counter(text for text in texts if text is not None)
    single = [name for name in sort_classes(counts) if counts[name] == 1]
    if single:
        yield warning(
            f"one label only in {counted(len(single), 'class')}: {quoted(single)}. "
            "Label a few more; nothing can be checked with one.",
            [samples.ids[texts.index(name)] for name in single],
        )
    if len(counts) == 1:
        yield warning(
            f"all labels are '{next(iter(counts))}': with one class there is nothing to tell apart. "
            "Label some of another."
        )


def check_class_names(samples: Samples, texts: Texts) -> Iterator[Finding]:
    """Spaces around a name, names alike but for case or as numbers, names that mean "no label", of splits."""
    names = {text for text in texts if text is not None}
    places = _by_name(samples, texts)
    spaced = sorted(name for name in names if name != name.strip())
    if spaced:
        yield warning(
            f"{counted(len(spaced), 'class name')} with a space at the beginning or end: {quoted(spaced)}. "
            "They count as classes of their own; remove the spaces.",
            places(spaced),
        )
    for alike in _groups(names, lambda name: " ".join(name.split()).casefold()):
        yield warning(
            f"class names that differ only in case or spaces: {quoted(alike)}. They count as different classes.",
            places(alike[1:]),
        )
    for equal in _groups({name for name in names if _number(name) is not None}, _number):
        yield warning(
            f"class names that are the same number: {quoted(equal)}. They count as different classes.",
            places(equal[1:]),
        )
    for name in sorted(names):
        if name[:1] == "-" and name[1:].isdecimal():  # as other programs mark rows that have no label
            text = f"'{name}' is taken as a class; only -1 and empty cells mark unlabeled examples."
            yield warning(text, places([name]))
    missing = sorted(name for name in names if name.strip().casefold() in _MISSING)
    if missing:
        yield warning(
            f"class names that may mean 'no label': {quoted(missing)}. If so, leave the cell empty or write -1"
            + (", and name the folder 'unlabeled'." if samples.modality == "image" else "."),
            places(missing),
        )
    if len(names) > 0 and all(name.casefold() in _SPLITS for name in names):
        yield warning(
            f"the classes are {quoted(sorted(names))}, which look like parts of a data set. Pass one part, for "
            "instance the folder 'train', as DATA."
        )


def _by_name(samples: Samples, texts: Texts) -> Callable[[list[str]], list[str]]:
    return lambda names: [name for name, text in zip(samples.ids, texts, strict=True) if text in names]


def _number(name: str) -> float | None:
    """What a spreadsheet may have written in two ways: 3 and 3.0, but not 007, which is a name."""
    return float(name) if re.fullmatch(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?", name) else None


def _groups(names: set[str], key: Callable[[str], Hashable]) -> list[list[str]]:
    groups = defaultdict(list)
    for name in sorted(names):
        groups[key(name)].append(name)
    return [group for group in groups.values() if len(group) > 1]
