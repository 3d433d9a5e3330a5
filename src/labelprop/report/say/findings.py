"""Headings: each states what the numbers say, or has a plain form where they say nothing in particular.

Numbers stand beside their nouns, so that one sentence serves none, one and many. Every function returns text and
nothing else, so that it can be tested at its edges (0, 1, all, ties).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from labelprop.core.text import counted
from labelprop.evaluation.verdict import GOOD
from labelprop.report.gather.classes import Classes, Confusion, firm_errors
from labelprop.report.gather.comparison import Comparison
from labelprop.report.gather.finished_run import FinishedRun
from labelprop.report.gather.history import NamedCurve
from labelprop.report.gather.numbers import Share, Trust, certainty_text
from labelprop.report.words import brief, by_class, number

FEWEST_ALIKE = 2  # errors that make a kind, but where there is only one


def _with_truth(run: FinishedRun) -> str:
    """A clause for counts where the truth of only some rows is known."""
    return " with truth" if run.truth_is_partial else ""


def trust_heading(run: FinishedRun) -> str:
    """What the offered threshold gives; without enough truth only how far the certainty runs."""
    trust = run.trust
    if trust.n == 0:
        return "Nothing was labeled, so there is nothing to trust"
    if run.has_truth and trust.all.wrong == 0:
        return f"{no_error(run)}; the interval still allows up to {trust.all.most_wrong}"
    if not trust.is_measured:
        best, least = (certainty_text(int(end)) for end in (trust.certainty_P.max(), trust.certainty_P.min()))
        span = f"runs from {best} down to {least}" if best != least else f"is {best} for all"
        return f"Not measured: certainty {span}"
    if not trust.reach(trust.target):
        return f"No certainty gives {trust.target:.0%} right; the most is {trust.kept_share.percent}"
    known = ", where truth is known" if run.truth_is_partial else ""
    if trust.rest == 0:
        return f"{trust.all.percent} right among all {number(trust.n)}{known}"
    kept = f"{trust.kept_share.percent} right among the {number(trust.kept)} most certain"
    return f"{kept}, {trust.all.percent} among all {number(trust.n)}{known}"


def threshold(run: FinishedRun) -> str:
    """The threshold for the offered share right as a sentence, or that there is none."""
    trust = run.trust
    if not trust.is_measured:
        return "How many labels are right above a certainty was not measured, so no threshold is recommended."
    if not trust.reach(trust.target):
        return f"No threshold gives {trust.target:.0%} right."
    if trust.rest == 0:
        return f"All labels together reach {trust.target:.0%}."
    rest = f"the {number(trust.kept)} with a certainty of {certainty_text(trust.threshold)} or more"
    return f"For {trust.target:.0%} right, keep {rest}."


def next_step(run: FinishedRun) -> str:
    """What to do with labels that are not weak."""
    trust, grade = run.trust, run.verdict.grade
    if grade == "not measured":
        return "Measure first."
    if grade == "good":
        return "The labels can be used as they are."
    if not run.verdict.pays and Share(run.verdict.right, run.verdict.n).bounds[0] >= GOOD:
        return "The labels can be used, but those from the given labels alone are as good."
    if trust.is_measured and trust.rest and trust.reach(trust.target):
        return f"Use the {number(trust.kept)} most certain, and check the other {number(trust.rest)} first."
    return "Check some before you use them."


def no_error(run: FinishedRun) -> str:
    return f"No error among {counted(run.trust.all.n, run.noun)}{_with_truth(run)}"


def bands_heading(trust: Trust, noun: str) -> str:
    """How many of the errors lie in the least certain band; without any where the middle of the certainty is."""
    errors, lowest = trust.all.wrong, trust.bands[-1] if trust.bands else None
    if lowest is None:
        return ""
    if errors:
        found = f"{number(lowest.share.wrong)} of {counted(errors, 'error')}"
        return f"{found} among the {number(lowest.rows)} least certain"
    middle = certainty_text(int(np.sort(trust.certainty_P)[trust.n // 2]))
    return f"Half of {counted(trust.n, noun)} at {middle} or above"


def map_heading(run: FinishedRun) -> str:
    """Errors, and how many of them no certainty shows."""
    errors = run.trust.all.wrong
    if errors and not run.trust.reach(run.trust.target):
        return f"{number(errors)} of {counted(run.trust.all.n, run.noun)} wrong"
    if errors:
        firm = f"{number(firm_errors(run))} of them kept and among {run.noun}s with the same label"
        return f"{counted(errors, 'error')}, {firm}"
    return f"Where the {run.noun}s lie"


def check_heading(run: FinishedRun) -> str:
    """How many of the least certain band are wrong."""
    if nothing_to_check(run):
        return "Nothing stands out to check"
    lowest = run.trust.bands[-1]
    if not lowest.share.n:
        return f"{counted(run.trust.n, run.noun)}, the least certain first"
    whose = f" of the {number(lowest.share.n)} with truth" if lowest.share.n < lowest.rows else " of them"
    return f"The least certain: {counted(lowest.rows, run.noun)}, {number(lowest.share.wrong)}{whose} wrong"


def nothing_to_check(run: FinishedRun) -> str:
    """The one sentence that stands for the section; "" where there is something to check."""
    trust = run.trust
    if run.n_unlabeled == 0:
        return f"Every {run.noun} carries the label you gave."
    if trust.n == 0:
        return f"No {run.noun} got a label."
    lowest = certainty_text(int(trust.certainty_P.min()))
    return "" if trust.ranks else f"More than half of the labels share the lowest certainty, {lowest}."


def classes_heading(classes: Classes) -> str:
    """The weakest label, where one is clearly weaker than all; else how many the classes got."""
    run = classes.run
    if len(run.classes) == 1:
        return "One class cannot be tested against anything"
    if run.trust.n == 0:
        return "No label was handed out"
    weakest = classes.weakest
    if weakest is None:
        return f"Labels handed out: {class_sizes(classes)}"
    wrong = f"{number(weakest.share.wrong)} of {number(weakest.share.n)}{_with_truth(run)} wrong"
    return f"The weakest label is {brief(run.classes[weakest.code])}: {wrong}"


def class_sizes(classes: Classes) -> str:
    """How many examples got each label, and how many labels were not used."""
    got = [entry.got for entry in classes.counts]
    return by_class(got) + (f", none in {number(got.count(0))}" if 0 in got else "")


def confusion_heading(confusions: Sequence[Confusion], names: Sequence[str]) -> str:
    """The commonest mistake among all errors, where one is."""
    errors = sum(found.count for found in confusions)
    top = [found for found in confusions if found.count == confusions[0].count]
    if len(top) == 1 and top[0].count >= min(FEWEST_ALIKE, errors):
        taken = f"{brief(names[top[0].truth])} taken for {brief(names[top[0].label])}"
        return f"{number(top[0].count)} of {counted(errors, 'error')}: {taken}"
    return f"{counted(errors, 'error')} of {counted(len(confusions), 'kind')}, none commonest"


def gain_heading(comparison: Comparison | None, noun: str) -> str:
    """How much the unlabeled examples improved the result; "" where nothing simpler was tried."""
    only = comparison.simplest if comparison else None
    if comparison is None or only is None:
        return ""
    own, n = comparison.own, comparison.n
    if comparison.examples == "hidden":
        found = f"{number(own.right)} of {counted(n, 'hidden label')} found"
        return f"By estimate: {found}, {number(only.share.right)} with the labels alone"
    where = " on the test set" if comparison.examples == "test" else ""
    return f"{counted(own.wrong, 'error')} with the unlabeled {noun}s, {number(only.share.wrong)} without{where}"


def curve_heading(what: str, named: Sequence[NamedCurve], text: Callable[[float], str]) -> str:
    """Where the curves end, this run's first."""
    drawn = sorted((entry for entry in named if entry.curve), key=lambda entry: not entry.own)
    return f"{what}: " + ", ".join(f"{text(entry.curve.last)} {entry.name}" for entry in drawn)
