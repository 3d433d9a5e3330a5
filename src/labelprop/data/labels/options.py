"""How LABELS are written, and how they are joined with the labels in DATA."""

from __future__ import annotations

from dataclasses import dataclass

from labelprop.core.errors import UnknownNameError


@dataclass(frozen=True, slots=True)
class LabelOptions:
    """`id` and `label` name the columns of a file (None: the usual names), `encoding` is that of text without a mark.

    `prefer`: "labels" where LABELS count when they and DATA disagree, None where that is refused. `literal` takes
    what looks like a list of labels (`cat|dog`) as a name.
    """

    id: str | None = None
    label: str | None = None
    encoding: str | None = None
    prefer: str | None = None
    literal: bool = False

    def __post_init__(self) -> None:
        if self.prefer not in (None, "labels"):
            raise UnknownNameError("--prefer", str(self.prefer), ("labels",))


USUAL = LabelOptions()
