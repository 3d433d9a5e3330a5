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
from labelprop.report.gather.numbers import percent, signed, wilson
from labelprop.report.gather.page import Run, read_run
from labelprop.report.words import be, brief, count, listed, number

NAMED = 3  # classes and ids in an error


@dataclass(frozen=True, slots=True)
class Paired:
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


def read_other(path: Path, run: Run) -> Run:
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
            more = [f"{number(len(only) - NAMED)} more"] if len(only) > NAMED else []
            parts.append(f"only {where} {listed([*(brief(name) for name in only[:NAMED]), *more])}")
    return "; ".join(parts)


def pair(run: Run, other: Run) -> Paired:
    """Joined by id, labels by name; a truth that only one of the runs knows counts for both."""
    place = {name: i for i, name in enumerate(other.rows.ids)}
    there_N = np.array([place[name] for name in run.rows.ids], dtype=np.int64)
    code = {name: i for i, name in enumerate(dict.fromkeys((*run.names, *other.names)))}

    def codes(of: Run, values_N: np.ndarray) -> np.ndarray:
        own = np.array([*(code[name] for name in of.names), -1], dtype=np.int64)  # -1, none, is the last
        return own[values_N]  # type: ignore[no-any-return]

    open_N = ~run.rows.given_N & ~other.rows.given_N[there_N]
    label_N, other_N = codes(run, run.rows.label_N), codes(other, other.rows.label_N)[there_N]
    truth_N = codes(run, run.rows.truth_N)
    truth_N = np.where(truth_N >= 0, truth_N, codes(other, other.rows.truth_N)[there_N])
    known_N = open_N & (truth_N >= 0)
    right_N, other_right_N = label_N == truth_N, other_N == truth_N
    return Paired(
        n=int(open_N.sum()),
        same=int((open_N & (label_N >= 0) & (label_N == other_N)).sum()),
        known=int(known_N.sum()),
        only_own=int((known_N & right_N & ~other_right_N).sum()),
        only_other=int((known_N & ~right_N & other_right_N).sum()),
    )


def against_heading(paired: Paired, noun: str) -> str:
    """Which rows tell the runs apart; without truth, on how many they say the same."""
    if not paired.n:
        return f"The two runs have no unlabeled {noun} in common"
    if not paired.known:
        return f"Both runs give the same label to {percent(paired.same, paired.n)} of {count(paired.n, noun)}"
    if not paired.discordant:
        return f"Both runs are right, and wrong, on the same {noun}s"
    if not paired.only_other:
        return (
            f"This run is right where the other is wrong on {count(paired.only_own, noun)}, and never the other way"
        )
    if not paired.only_own:
        return (
            f"The other run is right where this is wrong on {count(paired.only_other, noun)}, and never the other way"
        )
    return (
        f"This run is right where the other is wrong on {count(paired.only_own, noun)}, "
        f"the other way on {number(paired.only_other)}"
    )


def difference_sentence(paired: Paired, noun: str) -> str:
    """The difference in accuracy with its interval, and whether the rows at hand can tell."""
    if not paired.known:
        return ""
    among = f"Of the {count(paired.known, noun)} with truth that neither run was given"
    if not paired.discordant:
        return f"{among}, both have the same share right."
    middle, low, high = paired.difference
    word, ends = ("more", (low, high)) if middle >= 0 else ("fewer", (-high, -low))
    verdict = "" if low * high > 0 else ", so these runs do not tell which is better"
    interval = f"95% interval {points(ends[0])} to {points(ends[1])}"
    told_by = f"the {number(paired.discordant)} that {be(paired.discordant)} right in one run only"
    gain = f"{points(abs(middle))} percentage points {word} right"
    return f"{among}, this run has {gain} ({interval}, counted on {told_by}){verdict}."


def points(share: float) -> str:
    return signed(100 * share, 1)


def scatter_heading(own_C: np.ndarray, other_C: np.ndarray) -> str:
    """In how many classes the examples lie closer together here."""
    both = np.isfinite(own_C) & np.isfinite(other_C)
    n, more, less = int(both.sum()), int((own_C > other_C)[both].sum()), int((own_C < other_C)[both].sum())
    if more == less:
        return "Aggregation of the classes in both runs"
    if n == 1:
        return f"The one class lies {'closer together' if more else 'farther apart'} in this run"
    if n in (more, less):
        return f"All {number(n)} classes lie {'closer together' if more else 'farther apart'} in this run"
    closer, much = ("closer together", more) if more > less else ("farther apart", less)
    return f"{number(much)} of {number(n)} classes lie {closer} in this run"


def curve_heading(what: str, own: float, other: float, text_own: str, text_other: str) -> str:
    """Who ends higher, where the page's digits tell."""
    if text_own == text_other:
        return f"{what}: both runs end at {text_own}"
    return f"{what}: this run ends {'higher' if own > other else 'lower'}, {text_own} against {text_other}"
