"""The truth of unlabeled examples: read here, kept here, shown to nothing that trains."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from labelprop.core.text import counted, quoted
from labelprop.evaluation.metrics import OTHER, UNKNOWN


@dataclass(frozen=True, slots=True, eq=False)
class HeldBackTruth:
    """Class index of each row's truth; UNKNOWN where it was not given, OTHER where no label names its class.

    Given rows are UNKNOWN: scores are of the unlabeled rows only.
    """

    codes_N: np.ndarray
    names_N: tuple[str | None, ...]

    @classmethod
    def of(cls, names_N: Sequence[str | None], classes: Sequence[str], given_N: np.ndarray) -> HeldBackTruth:
        """`names_N` the true label text of each row (None: not known), `given_N` True on labeled rows."""
        return cls(np.where(given_N, UNKNOWN, encode(names_N, classes)), tuple(names_N))

    def with_given(self, given_N: np.ndarray) -> np.ndarray:
        """Class index of every row: the given label (-1 is none) where there is one, else the truth."""
        return np.where(given_N >= 0, given_N, self.codes_N)

    def doubts(self, classes: Sequence[str]) -> list[str]:
        """Reasons why fewer rows are scored, or more count as wrong, than the user may expect."""
        texts = []
        if self.n == 0 and any(name is not None for name in self.names_N):
            texts.append("all rows that the truth names have a given label: none is left to score")
        strange = sorted({str(self.names_N[row]) for row in np.flatnonzero(self.codes_N == OTHER)})
        if strange:
            n, alike = int((self.codes_N == OTHER).sum()), {name.casefold(): name for name in classes}
            spelled = [alike[name.casefold()] for name in strange if name.casefold() in alike]
            texts.append(
                f"the truth has classes that no label names, {quoted(strange)}, in {counted(n, 'row')}, "
                "counted as wrong" + (f"; labels write {quoted(dict.fromkeys(spelled))}" if spelled else "")
            )
        return texts

    @property
    def n(self) -> int:
        return int((self.codes_N != UNKNOWN).sum())


def encode(names_N: Sequence[str | None], classes: Sequence[str]) -> np.ndarray:
    """Label texts to class indices: UNKNOWN for None, OTHER for a class without labels."""
    index = {name: code for code, name in enumerate(classes)}
    return np.array([UNKNOWN if name is None else index.get(name, OTHER) for name in names_N], dtype=np.int64)
