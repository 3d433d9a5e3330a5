"""Headings: each states what the numbers say, or has a plain form where they say nothing in particular.

Numbers stand beside their nouns, so that one sentence serves none, one and many. Every function returns text and
nothing else, so that it can be tested at its edges (0, 1, all, ties).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from labelprop.core.text import counted
from labelprop.report.gather.classes import Classes, Confusion, firm_errors
from labelprop.report.gather.comparison import Comparison
from labelprop.report.gather.finished_run import FinishedRun
from labelprop.report.gather.history import NamedCurve
from labelprop.report.gather.numbers import BAND_EDGES, Trust, certainty_text, edge_text
from labelprop.report.words import brief, by_class, number

FEWEST_ALIKE = 2  # errors that make a kind, but where there is only one


def headline(run: FinishedRun) -> tuple[str, str]:
    """What was labeled, and in a second line how good it is or what is left to do ("" where neither is known)."""
    trust = run.trust
    if run.n_unlabeled == 0:
        return f"{counted(run.rows.n, run.noun)}, all with the label you gave.", "Nothing was left to label."
    some = f"{number(trust.n)} of " if run.unreached else ""
    first = f"{some}{counted(run.n_unlabeled, run.noun)} labeled from {number(run.n_given)}."
    if run.has_truth:
        among = f" of the {number(trust.all.n)} with truth" if run.truth_is_partial else ""
        return first, f"{trust.all.percent}{among} right."
    return first, f"{number(trust.rest)} to check first." if trust.rest else ""


def _with_truth(run: FinishedRun) -> str:
    """A clause for counts where the truth of only some rows is known."""
    return " with truth" if run.truth_is_partial else ""


def trust_heading(run: FinishedRun) -> str:
    """The gain in accuracy from leaving out the least certain."""
    trust = run.trust
    if trust.n == 0:
        return "Nothing was labeled, so there is nothing to trust"
    if run.has_truth and trust.all.wrong == 0:
        return f"{no_error(run)}; the interval still allows up to {trust.all.most_wrong}"
    if trust.rest == 0:
        return "The certainty does not tell the doubtful apart"
    if trust.kept_share.n == 0:
        best = int(trust.certainty_P.max())
        return f"Certainty runs from {certainty_text(best)} down to {certainty_text(int(trust.certainty_P.min()))}"
    kept = f"{trust.kept_share.percent} right among the {number(trust.kept)} most certain"
    known = ", where truth is known" if run.truth_is_partial else ""
    return f"{kept}, {trust.all.percent} among all {number(trust.n)}{known}"


def no_error(run: FinishedRun) -> str:
    return f"No error among {counted(run.trust.all.n, run.noun)}{_with_truth(run)}"


def bands_heading(trust: Trust, noun: str) -> str:
    """The highest edge of a band that half of the rows reach, and the errors above it."""
    above = {edge: trust.n - trust.below(edge)[0] for edge in BAND_EDGES}
    edge = next((edge for edge in BAND_EDGES if 2 * above[edge] >= trust.n), BAND_EDGES[-1])
    errors = trust.all.wrong
    firm = f", with {number(errors - trust.below(edge)[1].wrong)} of the {counted(errors, 'error')}" if errors else ""
    return f"{number(above[edge])} of {counted(trust.n, noun)} at {edge_text(edge)} or above{firm}"


def map_heading(run: FinishedRun) -> str:
    """Errors, and how many of them no certainty shows; else what is to be checked."""
    trust = run.trust
    if trust.all.wrong:
        firm = f"{number(firm_errors(run))} of them kept and among {run.noun}s with the same label"
        return f"{counted(trust.all.wrong, 'error')}, {firm}"
    return f"Where to check: {counted(trust.rest, run.noun)}" if trust.rest else f"Where the {run.noun}s lie"


def check_heading(run: FinishedRun) -> str:
    """How many of the least certain are wrong."""
    rest, found = run.trust.rest, run.trust.rest_share
    if rest == 0:
        return "Nothing stands out to check"
    whose = f" of the {number(found.n)} with truth" if found.n < rest else " of them"
    wrong = f", {number(found.wrong)}{whose} wrong" if found.n else ""
    return f"The least certain: {counted(rest, run.noun)}{wrong}"


def nothing_to_check(run: FinishedRun) -> str:
    """The one sentence that stands for the section; "" where there is something to check."""
    trust = run.trust
    if run.n_unlabeled == 0:
        return f"Every {run.noun} carries the label you gave."
    if trust.n == 0:
        return f"No {run.noun} got a label."
    lowest = certainty_text(int(trust.certainty_P.min()))
    return "" if trust.rest else f"More than half of the labels share the lowest certainty, {lowest}."


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
