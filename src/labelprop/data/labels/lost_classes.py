"""Classes that have no example left because their files or rows cannot be read."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

from labelprop.data.files.skipped import Skipped, by_reason
from labelprop.data.labels.findings import Finding, warning
from labelprop.data.labels.table import LabelRow


def lost_classes(
    skipped: Sequence[Skipped], rows: Sequence[LabelRow], texts: Sequence[str | None]
) -> Iterator[Finding]:
    """A finding for each class whose every label, in DATA or in the `rows` of LABELS, is of something `skipped`.

    `texts` are the labels of the examples that can be read.
    """
    labels = {row.id: row.label for row in rows if row.label is not None}
    left = set(texts)
    groups = defaultdict(list)
    for skip in skipped:
        label = labels.get(skip.id, skip.label)
        if label is not None and label not in left:
            groups[label].append(skip)
    for label, group in sorted(groups.items()):
        reasons = "; ".join(sentence for _, sentence, _ in by_reason(group))
        yield warning(
            f"class '{label}' is left out, since no example of it can be read: {reasons}.",
            [skip.id for skip in group],
        )
