"""Headings: each states what the numbers say, or has a plain form where they say nothing in particular.

Every function returns text and nothing else, so that it can be tested at its edges (0, 1, all, ties).
"""

from __future__ import annotations

import numpy as np

from labelprop.report.gather.classes import ClassCount, Classes, Pair
from labelprop.report.gather.comparison import Comparison, gain_heading
from labelprop.report.gather.numbers import BAND_EDGES, Trust, certainty_text, edge_text, percent
from labelprop.report.gather.page import Run
from labelprop.report.gather.training import Curve, Phase
from labelprop.report.words import be, brief, capital, count, listed, none_or, number, numeral

WORTH_NAMING = 2  # errors of a kind
GROUPED = 0.9  # of the dots have a neighborhood of their own label
NEIGHBORS_ON_MAP = 10


def headline(run: Run) -> tuple[str, str]:
    """What was labeled, and in a second line how good it is or what is left to do ("" where neither is known)."""
    trust, noun = run.trust, run.noun
    if run.n_unlabeled == 0:
        every = "The only " + noun + " carries" if run.rows.n == 1 else f"All {count(run.rows.n, noun)} carry"
        return f"{every} the label you gave.", "Nothing was left to label."
    given = f" from {number(run.n_given)}" if run.n_given else ""
    if trust.n == 0:
        return f"None of {count(run.n_unlabeled, noun)} could be labeled{given}.", ""
    some = f"{number(trust.n)} of " if run.unreached else ""
    first = f"{some}{count(run.n_unlabeled, noun)} labeled{given}."
    if run.has_truth:
        among = f" of the {number(trust.all.n)} with truth" if run.truth_is_partial else ""
        if trust.n == 1:
            return first, "It is right." if trust.all.right else "It is wrong."
        return first, f"{trust.all.percent}{among} {be(trust.all.n) if among else 'are'} right."
    if trust.rest == 0:
        return first, ""
    return first, f"{number(trust.rest)} of them {'wants' if trust.rest == 1 else 'want'} a second look."


def trust_heading(run: Run) -> str:
    """What leaving out the least certain gains."""
    trust, noun = run.trust, run.noun
    if trust.n == 0:
        return "Nothing was labeled, so there is nothing to trust"
    if run.has_truth and trust.all.wrong == 0:
        return f"{no_error(run)}; the interval still allows up to {trust.all.most_wrong}"
    if trust.rest == 0:
        same = len(trust.levels) == 1
        each = f"All {count(trust.n, noun)} have" if trust.n > 1 else f"The one {noun} has"
        return f"{each} the same certainty" if same else "The certainty does not tell the doubtful apart"
    kept, everything = trust.kept_share, trust.all
    if not run.has_truth:
        return certainty_heading(trust, noun)
    if kept.n == 0 or kept.percent == everything.percent or kept.value <= everything.value:
        least = f"the {number(trust.rest)} least certain" if trust.rest > 1 else "the least certain"
        return f"Leaving out {least} does not help: {kept.percent} of the rest are right"
    truth = " with truth" if run.truth_is_partial else ""
    return f"Leave out {count(trust.rest, noun)} and {kept.percent} of the rest{truth} are right"


def certainty_heading(trust: Trust, noun: str) -> str:
    """The run of the certainty, where nothing is known about its worth."""
    values_P = trust.certainty_P[trust.order_P]
    best, kept, least = int(values_P[0]), trust.threshold, int(values_P[-1])
    if best - kept < kept - least and kept >= 800:
        last = f"the last {count(trust.rest, noun)}" if trust.rest > 1 else f"the last {noun}"
        return f"Certainty stays high, then drops over {last}"
    return f"Certainty runs from {certainty_text(best)} down to {certainty_text(least)}"


def no_error(run: Run) -> str:
    share = run.trust.all
    return f"No error among {count(share.n, run.noun)}" + (" with truth" if run.truth_is_partial else "")


def bands_heading(run: Run) -> str:
    """The band edge under which errors crowd most, else where most rows lie."""
    trust, noun = run.trust, run.noun
    errors = trust.all.wrong
    best, lead = 0, 0.0
    for edge in BAND_EDGES:
        rows, share = trust.below(edge)
        ahead = share.wrong / errors - rows / trust.n if errors else 0.0
        if share.wrong >= WORTH_NAMING and share.wrong * trust.n >= 2 * rows * errors and ahead > lead:
            best, lead = edge, ahead
    if best:
        rows, share = trust.below(best)
        some = f"{number(share.wrong)} of the {number(errors)} errors"
        return f"Below {edge_text(best)} {_lie(rows)} {count(rows, noun)} and {some}"
    for edge in BAND_EDGES:
        above = trust.n - trust.below(edge)[0]
        if 2 * above >= trust.n:
            if above == trust.n:
                return f"{_every(trust.n, noun)} at {edge_text(edge)} or above"
            return f"{number(above)} of {count(trust.n, noun)} {_lie(above)} at {edge_text(edge)} or above"
    under = BAND_EDGES[-1]
    return f"{number(trust.below(under)[0])} of {count(trust.n, noun)} lie below {edge_text(under)}"


def _lie(n: int) -> str:
    return "lies" if n == 1 else "lie"


def _every(n: int, noun: str) -> str:
    return f"The one {noun} lies" if n == 1 else f"All {count(n, noun)} lie"


def map_heading(run: Run) -> str:
    """Groups and errors inside a wrong one, where the map has groups; else where errors or doubt lie."""
    rows, trust, noun = run.rows, run.trust, run.noun
    errors = trust.all.wrong
    present = len({code for code in rows.label_N.tolist() if code >= 0})
    if errors and present > 1:
        at_home_N, labeled = at_home(run), int((rows.label_N >= 0).sum())
        if at_home_N.sum() >= GROUPED * labeled:  # so most rows are on the map, too
            firm = int((at_home_N & rows.wrong_N & (rows.certainty_N >= trust.threshold)).sum())
            sit = "error sits" if firm <= 1 else "errors sit"
            return f"{capital(numeral(present))} groups; {none_or(firm, 'no')} {sit} firmly in a wrong one"
    if errors:
        return "Where the one error lies" if errors == 1 else f"Where the {number(errors)} errors lie"
    if trust.rest == 1:
        return f"The {noun} to check, and where it lies"
    return f"The {count(trust.rest, noun)} to check, and where they lie" if trust.rest else f"Where the {noun}s lie"


def at_home(run: Run) -> np.ndarray:
    """(N,) rows whose nearest ten on the map mostly carry their label; False where not on the map."""
    from scipy.spatial import cKDTree

    rows = run.rows
    at_home_N = np.zeros(rows.n, dtype=bool)
    on_map_M = np.flatnonzero(np.isfinite(rows.place_N2).all(1) & (rows.label_N >= 0))
    k = min(NEIGHBORS_ON_MAP, len(on_map_M) - 1)
    if k >= 1:
        place_M2, label_M = rows.place_N2[on_map_M], rows.label_N[on_map_M]
        nearest_MK = np.asarray(cKDTree(place_M2).query(place_M2, k + 1)[1])[:, 1:]
        at_home_N[on_map_M] = 2 * (label_M[nearest_MK] == label_M[:, None]).sum(1) > k
    return at_home_N


def check_heading(run: Run) -> str:
    """How many of the least certain are wrong."""
    trust = run.trust
    rest, found = trust.rest, trust.rest_share
    if trust.n == 0:
        return "Nothing to check"
    if rest == 0:
        return "Nothing stands out to check"
    if found.n == 0:
        return (
            f"The {number(rest)} least certain, to look at first"
            if rest > 1
            else "The least certain, to look at first"
        )
    what = f"{number(found.n)} least certain" + (" with truth" if found.n < rest else "")
    if found.n == 1:
        return f"The least certain{' with truth' if found.n < rest else ''} is {'wrong' if found.wrong else 'right'}"
    if found.wrong == 0:
        return f"None of the {what} is wrong"
    if found.wrong == found.n:
        return f"All of the {what} are wrong"
    return f"{number(found.wrong)} of the {what} {be(found.wrong)} wrong"


def nothing_to_check(run: Run) -> str:
    """The one sentence that stands for the section."""
    trust, noun = run.trust, run.noun
    if run.n_unlabeled == 0:
        return f"Every {noun} carries the label you gave."
    if trust.n == 0:
        return f"No {noun} got a label."
    if len(trust.levels) == 1:
        every = f"The one {noun} labeled has" if trust.n == 1 else f"All {count(trust.n, noun)} labeled have"
        return f"{every} certainty {certainty_text(trust.threshold)}."
    return "More than half of the labels share the lowest certainty."


def classes_heading(classes: Classes) -> str:
    """The weakest label, where one is clearly weaker than all; else the spread of shares or of sizes."""
    run = classes.run
    if len(run.classes) == 1:
        return "One class cannot be tested against anything"
    used = [entry for entry in classes.counts if entry.got]
    if not used:
        return f"{capital(numeral(len(run.classes)))} classes, none handed out"
    measured = [entry for entry in used if entry.share.n]
    everything = run.trust.all
    if measured and everything.wrong:
        weakest = min(measured, key=lambda entry: entry.share.value)
        ties = [entry for entry in measured if entry.share.value == weakest.share.value]
        clearly = weakest.share.bounds[1] < everything.value  # not by the luck of the draw
        if len(ties) == 1 and weakest.share.wrong >= WORTH_NAMING and clearly:
            return f"{brief(run.classes[weakest.code])} is the weakest label: {weakest_count(weakest, run)}"
        best = max(measured, key=lambda entry: entry.share.value)
        if best.share.percent != weakest.share.percent:
            return f"From {weakest.share.percent} to {best.share.percent} are right, by class"
    return sizes(classes)


def weakest_count(entry: ClassCount, run: Run) -> str:
    truth = " with truth" if run.truth_is_partial else ""
    return f"{number(entry.share.wrong)} of {number(entry.share.n)}{truth} {be(entry.share.wrong)} wrong"


def sizes(classes: Classes) -> str:
    """How many the classes got, and how many of them got none."""
    got = [entry.got for entry in classes.counts if entry.got]
    empty = len(classes.run.classes) - len(got)
    if len(got) == 1:
        return f"One class has all {number(got[0])}"
    none = f"; {number(empty)} of {number(len(classes.run.classes))} classes got none" if empty else ""
    if min(got) == max(got):
        return f"Each class has {number(got[0])}{none}"
    return f"Class sizes run from {number(min(got))} to {number(max(got))}{none}"


def confusion_heading(pairs: tuple[Pair, ...], names: tuple[str, ...]) -> str:
    """The commonest mistake among all errors."""
    errors = sum(pair.count for pair in pairs)
    if not pairs:
        return "No label is taken for another"
    top = [pair for pair in pairs if pair.count == pairs[0].count]
    if len(top) > 3 or (pairs[0].count == 1 and errors > 1):
        return (
            f"{number(errors)} errors, none common"
            if pairs[0].count == 1
            else f"{number(errors)} errors of {number(len(pairs))} kinds"
        )
    said = listed([taken(pair, names) for pair in top])
    if errors == 1:
        return f"The one error is {said}"
    if len(pairs) == 1:
        return f"All {number(errors)} errors are {said}"
    if len(top) == 1:
        return f"{number(top[0].count)} of the {number(errors)} errors are {said}"
    return f"{said}: {number(top[0].count)} each of the {number(errors)} errors"


def taken(pair: Pair, names: tuple[str, ...]) -> str:
    return f"{brief(names[pair.truth])} taken for {brief(names[pair.label])}"


def pairs_heading(shown: int, pictures: bool) -> str:
    what = "mistake" if shown == 1 else "mistakes"
    amount = "The one" if shown == 1 else f"The {numeral(shown)} commonest"
    return f"{amount} {what}, in {'pictures' if pictures else 'examples'}"


def training_heading(comparison: Comparison | None, phases: tuple[Phase, ...], noun: str) -> str:
    """What the unlabeled examples did for the result."""
    only = comparison.labels_only if comparison else None
    if comparison is None or only is None:
        n = len(phases)
        return f"{capital(numeral(n))} {'phase' if n == 1 else 'phases'} of training"
    return gain_heading(comparison, only, noun)


def phases_note(phases: tuple[Phase, ...], noun: str) -> str:
    """Which epochs are which phase, and what may not be compared."""
    if len(phases) < 2:
        return f"An epoch is as many steps as one pass over the unlabeled {noun}s takes."
    named = [
        f"{'epoch' if phase.first == phase.last else 'epochs'} {number(phase.first)}"
        + (f" to {number(phase.last)}" if phase.last > phase.first else "")
        + f" {'is' if phase.first == phase.last else 'are'} phase {phase.name}"
        for phase in phases
    ]
    return f"{capital(listed(named))}. Each phase has a loss of its own: one cannot be compared with another's."


def accuracy_heading(own: Curve, baseline: Curve, phases: tuple[Phase, ...]) -> str:
    """Whether the step from one phase to the next made the difference to labels only."""
    if len(phases) > 1 and baseline:
        before = own.at(phases[-1].first - 1)
        gain = own.last - baseline.last
        if before is not None and gain > 0 and own.last - before >= gain / 2:
            return "The gain came with the pseudo-labels"
    return "Share right by epoch"


def loss_heading(own: Curve, baseline: Curve) -> str:
    curves = [curve for curve in (own, baseline) if curve]
    if curves and all(curve.settled for curve in curves):
        return "Both losses have settled" if len(curves) == 2 else "The loss has settled"
    return "Loss by epoch"


def left_out(run: Run) -> str:
    """How the page says that its numbers count every row but the map and the table do not hold all."""
    shown = int(run.rows.shown_N.sum())
    return "" if shown == run.rows.n else f"{number(shown)} of {count(run.rows.n, run.noun)} shown"


def share_in_words(part: int, whole: int) -> str:
    """ "five in a hundred" where that is what it is, else a percentage."""
    hundredths = 100 * part / whole
    nearest = round(hundredths)
    if 1 <= nearest <= 12 and abs(hundredths - nearest) < 0.1:
        return f"{numeral(nearest)} in a hundred"
    return f"{percent(part, whole)} of all"
