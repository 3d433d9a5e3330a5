"""The finding of a check: a sentence, with the ids it concerns."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal

from labelprop.core.errors import DataError


@dataclass(frozen=True, slots=True)
class Finding:
    """A sentence about the data and the ids it is about; what `inspect` gives lists at most the first 100 of them."""

    severity: Literal["blocking", "warning", "note"]
    text: str
    rows: Sequence[str] = ()


blocking = partial(Finding, "blocking")  # the work cannot start before this is repaired
warning = partial(Finding, "warning")  # the work can start, and may not give what is wanted
note = partial(Finding, "note")  # good to know


def refuse_blocking(findings: Iterable[Finding], what: str) -> None:
    """Raises DataError with all that is blocking; `what` stands before it."""
    blocked = [finding.text for finding in findings if finding.severity == "blocking"]
    if blocked:
        raise DataError(what + "\n".join(blocked))
