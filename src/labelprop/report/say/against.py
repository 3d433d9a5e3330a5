"""Headings of the part that sets another run beside this one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from labelprop.core.text import counted
from labelprop.report.gather.against import Changed, RowsOfBoth
from labelprop.report.gather.numbers import percent, signed
from labelprop.report.words import number


def against_heading(both: RowsOfBoth, noun: str) -> str:
    """Which rows tell the runs apart; without truth, on how many they say the same."""
    if not both.n:
        return f"The two runs have no unlabeled {noun} in common"
    if not both.known:
        return f"Both runs give the same label to {percent(both.same, both.n)} of {counted(both.n, noun)}"
    return f"Right in one run only: {counted(both.only_own, noun)} in this, {number(both.only_other)} in the other"


def difference_sentence(both: RowsOfBoth, noun: str) -> str:
    """The difference in accuracy with its interval, and whether the rows at hand can tell; "" without truth."""
    if not both.known:
        return ""
    middle, low, high = (f"{'+' if share > 0 else ''}{signed(100 * share, 1)}" for share in both.difference)
    verdict = "" if both.difference[1] * both.difference[2] > 0 else ", so these runs do not tell which is better"
    return (
        f"Of the {counted(both.known, noun)} with truth that neither run was given, share right in this run minus "
        f"that in the other: {middle} percentage points (95% interval {low} to {high}){verdict}."
    )


def changes_sentence(changed: Sequence[Changed], both: RowsOfBoth, noun: str) -> str:
    """How many labels changed, of which a user gave how many, and how many changed for the better."""
    if not changed:
        return f"No {noun} has another label."
    given = sum(entry.given != "" for entry in changed)
    text = f"{counted(len(changed), noun)} with another label than in the other run"
    if given:
        text += f", {number(given)} of them where you gave the label"
    if both.known:
        text += f"; for the better {number(both.only_own)}, for the worse {number(both.only_other)}"
    return f"{text}."


def aggregation_heading(own_C: np.ndarray, other_C: np.ndarray) -> str:
    """In how many classes the examples lie closer together here."""
    both = np.isfinite(own_C) & np.isfinite(other_C)
    closer, classes = number(int((own_C > other_C)[both].sum())), number(int(both.sum()))
    return f"Classes whose examples lie closer together in this run: {closer} of {classes}"
