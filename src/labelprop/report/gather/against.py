"""Two runs on the same data, side by side.

Shapes: P rows that neither run was given and whose truth is known or not, C classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from labelprop.core.errors import RequestError
from labelprop.core.run_folder import RunFolder
from labelprop.evaluation.metrics import wilson
from labelprop.report.gather.finished_run import FinishedRun, read_run
from labelprop.report.words import brief, listed, number

MOST_NAMED = 3  # classes and ids in an error


@dataclass(frozen=True, slots=True)
class RowsOfBoth:
    """The rows that neither run was given, as both labeled them."""

    n: int
    same: int  # the label
    known: int  # with truth
    only_own: int  # right in this run alone
    only_other: int

    @property
    def discordant(self) -> int:
        return self.only_own + self.only_other

    @property
    def difference(self) -> tuple[float, float, float]:
        """This run's share right minus the other's, and its 95% interval given how many rows tell them apart.

        Wilson's interval for this run's part of those rows (the pairs of McNemar 1947), times their share.
        """
        scale = self.discordant / self.known if self.known else 0.0
        low, high = wilson(self.only_own, self.discordant)
        middle = (self.only_own - self.only_other) / self.known if self.known else 0.0
        return (middle, scale * (2 * low - 1), scale * (2 * high - 1)) if self.discordant else (0.0, 0.0, 0.0)


def read_other(path: Path, run: FinishedRun) -> FinishedRun:
    """The other run. RequestError where it is no finished run of ours, or of other classes or examples."""
    if not (path / "run.json").is_file():
        raise RequestError(
            f"--against {path} is not a labelprop run (it has no run.json); give the folder of a finished run."
        )
    if not RunFolder(path).finished:
        raise RequestError(f"--against {path} is not finished; finish it with --resume, then compare.")
    other = read_run(path)
    if set(other.classes) != set(run.classes):
        raise RequestError(
            f"--against {path} has other classes: {_differing(run.classes, other.classes)}; compare runs with the "
            "same classes."
        )
    if set(other.rows.ids) != set(run.rows.ids):
        raise RequestError(
            f"--against {path} labels other examples: {_differing(run.rows.ids, other.rows.ids)}; compare runs on "
            "the same data."
        )
    return other


def _differing(here: Sequence[str], there: Sequence[str]) -> str:
    """ "only here a, b and 3 more; only there c"."""
    parts = []
    for where, names, others in (("here", here, there), ("there", there, here)):
        only = sorted(set(names) - set(others))
        if only:
            more = [f"{number(len(only) - MOST_NAMED)} more"] if len(only) > MOST_NAMED else []
            parts.append(f"only {where} {listed([*(brief(name) for name in only[:MOST_NAMED]), *more])}")
    return "; ".join(parts)


@dataclass(frozen=True, slots=True)
class Changed:
    """A row that the two runs label differently."""

    row: int  # of this run
    other: str | None  # its label in the other run; None where it has none
    own: str | None
    given: str  # the run whose user gave the label: "this", "other", "both" or ""
    own_right: bool
    other_right: bool


@dataclass(frozen=True, slots=True)
class _Joined:
    """The rows of both runs in the order of this one; codes index `names`, -1 is none."""

    names: tuple[str, ...]
    given_N: np.ndarray
    other_given_N: np.ndarray
    label_N: np.ndarray
    other_N: np.ndarray
    truth_N: np.ndarray


def _joined(run: FinishedRun, other: FinishedRun) -> _Joined:
    """Joined by id, labels by name; a truth that only one of the runs knows counts for both."""
    place = {name: i for i, name in enumerate(other.rows.ids)}
    there_N = np.array([place[name] for name in run.rows.ids], dtype=np.int64)
    names = tuple(dict.fromkeys((*run.names, *other.names)))
    code = {name: i for i, name in enumerate(names)}

    def codes(of: FinishedRun, values_N: np.ndarray) -> np.ndarray:
        own = np.array([*(code[name] for name in of.names), -1], dtype=np.int64)  # -1, none, is the last
        return own[values_N]  # type: ignore[no-any-return]

    truth_N, other_truth_N = codes(run, run.rows.truth_N), codes(other, other.rows.truth_N)[there_N]
    return _Joined(
        names=names,
        given_N=run.rows.given_N,
        other_given_N=other.rows.given_N[there_N],
        label_N=codes(run, run.rows.label_N),
        other_N=codes(other, other.rows.label_N)[there_N],
        truth_N=np.where(truth_N >= 0, truth_N, other_truth_N),
    )


def join_rows(run: FinishedRun, other: FinishedRun) -> RowsOfBoth:
    """The counts of the rows that neither run was given."""
    both = _joined(run, other)
    open_N = ~both.given_N & ~both.other_given_N
    known_N = open_N & (both.truth_N >= 0)
    right_N, other_right_N = both.label_N == both.truth_N, both.other_N == both.truth_N
    return RowsOfBoth(
        n=int(open_N.sum()),
        same=int((open_N & (both.label_N >= 0) & (both.label_N == both.other_N)).sum()),
        known=int(known_N.sum()),
        only_own=int((known_N & right_N & ~other_right_N).sum()),
        only_other=int((known_N & ~right_N & other_right_N).sum()),
    )


def changed_rows(run: FinishedRun, other: FinishedRun) -> list[Changed]:
    """All rows with another label, most certain in this run first; those whose label a user gave come last."""
    both = _joined(run, other)
    rows_M = np.flatnonzero(both.label_N != both.other_N)
    given_M = (both.given_N | both.other_given_N)[rows_M]
    order_M = np.lexsort((rows_M, -run.rows.exact_N[rows_M], given_M))
    names = (*both.names, None)  # -1, none, is the last
    whose = {(False, False): "", (True, False): "this", (False, True): "other", (True, True): "both"}
    return [
        Changed(
            row=i,
            other=names[both.other_N[i]],
            own=names[both.label_N[i]],
            given=whose[bool(both.given_N[i]), bool(both.other_given_N[i])],
            own_right=bool(both.truth_N[i] >= 0 and both.label_N[i] == both.truth_N[i]),
            other_right=bool(both.truth_N[i] >= 0 and both.other_N[i] == both.truth_N[i]),
        )
        for i in rows_M[order_M].tolist()
    ]
