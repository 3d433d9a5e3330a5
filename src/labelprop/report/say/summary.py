"""The four paragraphs under the headline, and the sentence with the threshold in it."""

from __future__ import annotations

from labelprop.evaluation.metrics import hidden_noise
from labelprop.report.gather.classes import Classes
from labelprop.report.gather.comparison import Comparison, labels_only_name
from labelprop.report.gather.numbers import percent
from labelprop.report.gather.page import Run
from labelprop.report.say.findings import left_out, no_error, share_in_words, sizes
from labelprop.report.words import (
    Piece,
    Text,
    be,
    brief,
    capital,
    code,
    count,
    link,
    none_or,
    number,
    sentence,
    strong,
    wrong,
)

TO_MEASURE = 100  # examples to label for a first measurement
COMMON = 3  # a confusion is worth advice from this many errors on
COMMON_SHARE = 0.1  # and from this share of all errors


def gave(run: Run, classes: Classes) -> Text:
    """What you gave."""
    noun, n = run.noun, run.n_given
    if n == 0:
        parts: list[str | Piece] = [strong(f"{count(run.n_unlabeled, noun)} without a label"), " and no label."]
    else:
        parts = [strong(f"{number(n)} labeled {noun if n == 1 else noun + 's'}"), f", {_per_class(classes)}"]
        left = run.n_unlabeled
        parts += [", and ", strong(f"{number(left)} without a label"), "."] if left else [", and no other."]
    known = run.trust.all.n
    if known:
        whose = f"{number(known)} of those" if run.truth_is_partial else ("that one" if known == 1 else "those")
        parts.append(f" You also gave the truth for {whose}, which served for scoring only.")
    parts.append(_skipped(len(run.skipped)))
    return sentence(*parts)


def _per_class(classes: Classes) -> str:
    given = [entry.given for entry in classes.counts]
    if len(given) == 1:
        return "all of one class"
    few, many = min(given), max(given)
    return (
        f"{number(few)} in each of {number(len(given))} classes"
        if few == many
        else (f"{number(few)} to {number(many)} in each of {number(len(given))} classes")
    )


def _skipped(n: int) -> str:
    if n == 0:
        return " No file was skipped."
    return f" {count(n, 'file')} could not be read and {'was' if n == 1 else 'were'} skipped; see This run."


def got(run: Run, classes: Classes, comparison: Comparison | None) -> Text:
    """What you got."""
    noun, trust = run.noun, run.trust
    classifier = ", and a classifier" if run.verb == "train" else ""
    if run.n_unlabeled == 0:
        return sentence(strong("The labels you gave"), f"{classifier}. There was nothing else to label.")
    if trust.n == 0:
        return sentence(strong("No label"), f": no {noun} is connected to one you labeled.")
    who = f"every {noun}" if not run.unreached else f"{number(trust.n)} of {count(run.n_unlabeled, noun)}"
    parts: list[str | Piece] = [strong(f"A label and a certainty for {who}"), f"{classifier}."]
    if run.unreached:
        parts.append(f" {_unreached(run.unreached)}")
    parts += _against_labels_only(run, comparison) or _sizes(run, classes)
    if test := run.metrics.get("test"):
        parts += _on_test(test)
    return sentence(*parts)


def _unreached(n: int) -> str:
    if n == 1:
        return "The other got none: no label you gave is connected to it."
    return f"The other {number(n)} got none: no label you gave is connected to them."


def _sizes(run: Run, classes: Classes) -> list[str | Piece]:
    return [f" {sizes(classes)}."] if len(run.classes) > 1 else []


def _against_labels_only(run: Run, comparison: Comparison | None) -> list[str | Piece]:
    rival = comparison.simplest if comparison else None
    if comparison is None or rival is None or comparison.examples == "test":
        return []
    own, other = comparison.own.wrong, rival.share.wrong
    if comparison.examples == "hidden":
        return _by_estimate(comparison, rival.share.right)
    if rival.name == "Labels only":
        theirs = "those of the same network trained on the given ones alone"
        if run.verb != "train":
            theirs = f"those of {labels_only_name(run)} on the given ones alone"
    else:
        theirs = f"that of the most similar given {run.noun}"
    bad = "wrong or missing" if comparison.n > run.trust.all.n else "wrong"
    if own < other:
        return [
            f" The labels are better than {theirs}: ",
            strong(f"{none_or(own)} {bad} instead of {number(other)}"),
            ".",
        ]
    if own == other:
        return [
            f" The labels are no better and no worse than {theirs}: ",
            strong(f"{none_or(own)} {bad} in both"),
            ".",
        ]
    return [
        f" The labels are worse than {theirs}: ",
        strong(f"{number(own)} {bad} against {none_or(other)}"),
        ".",
    ]


def _by_estimate(comparison: Comparison, theirs: int) -> list[str | Piece]:
    n, own = comparison.n, comparison.own.right
    return [
        f" Of the {number(n)} labels you gave, each hidden once, this run finds ",
        strong(f"{none_or(own)}, the other given labels alone {none_or(theirs)}"),
        ": propagation may not pay here." if theirs - own > hidden_noise(n) else ".",
    ]


def _on_test(test: object) -> list[str | Piece]:
    from labelprop.report.gather.numbers import Share

    accuracy, n = (test.get("accuracy"), test.get("n")) if isinstance(test, dict) else (None, None)
    if accuracy is None or not n:
        return []
    share = Share(round(accuracy * n), n)
    return [
        f" On your {count(n, 'test example')} it is right in ",
        strong(share.percent),
        f" (95% interval {share.interval}).",
    ]


def trust_in_it(run: Run) -> Text:
    """How far to trust it."""
    noun, trust = run.noun, run.trust
    if run.n_unlabeled == 0 or trust.n == 0:
        return sentence(strong("Nothing to measure"), ": no label was added to those you gave.")
    if not run.has_truth:
        return _not_measured(run)
    everything = trust.all
    of = f"{number(everything.n)}{' with truth' if run.truth_is_partial else ''}"
    if everything.wrong == 0:
        return sentence(
            strong(f"{no_error(run)}"),
            ", counted against your truth. Allowing for the luck of the draw, ",
            f"up to {everything.most_wrong} may be wrong.",
        )
    parts: list[str | Piece] = [
        strong(f"{number(everything.wrong)} of {of} {be(everything.wrong)} wrong"),
        f", counted against your truth. Allowing for the luck of the draw, {everything.interval} are right.",
    ]
    kept = trust.kept_share
    if trust.rest and kept.n and kept.value > everything.value:
        least = f"the {number(trust.rest)} least certain" if trust.rest > 1 else f"the least certain {noun}"
        parts += [f" Leave out {least} and it is ", strong(kept.percent), "."]
    elif trust.rest:
        parts.append(" Leaving out the least certain does not change that for the better.")
    return sentence(*parts)


def _not_measured(run: Run) -> Text:
    n, noun = run.trust.n, run.noun
    draw = (
        f"label {count(TO_MEASURE, noun)} drawn at random"
        if n > TO_MEASURE
        else f"label {'it' if n == 1 else 'them'} yourself"
    )
    one = (
        " Only one class was given, and one class cannot be tested against anything." if len(run.classes) == 1 else ""
    )
    return sentence(
        strong("Not measured."),
        f" No truth was given, so nobody knows yet how many labels are right.{one}",
        f" To find out, {draw} and pass them with ",
        code("--truth"),
        ".",
    )


def next_step(run: Run, classes: Classes) -> Text:
    """What to do next."""
    trust, noun = run.trust, run.noun
    errors, caught = trust.all.wrong, trust.rest_share.wrong
    shown = left_out(run)
    tail = (
        f" The map and the table hold {shown.removesuffix(' shown')}; all numbers count every one." if shown else ""
    )
    if run.n_unlabeled == 0:
        return sentence(f"Add unlabeled {noun}s and run again, or use the labels as they are.")
    if trust.n == 0:
        return sentence("Label some that are more like the rest, and run again.")
    if trust.rest == 0:
        stay = f" {_stay(errors)}" if errors else ""
        return sentence("No label stands out as doubtful. ", strong("Look at some drawn at random"), ".", stay, tail)
    least = f"{number(trust.rest)} least certain" if trust.rest > 1 else f"least certain {noun}"
    parts: list[str | Piece] = [
        strong("Look at the "),
        link(least, "check"),
        f", {share_in_words(trust.rest, trust.n)}",
    ]
    if errors:
        parts.append(f": {_caught(caught, errors, trust.rest)}")
    parts.append(".")
    parts += _more_labels(run, classes)
    if errors > caught:
        parts.append(f" {_stay(errors - caught)}")
    parts.append(" Correct what you find on this page, save the file and run again.")
    parts.append(tail)
    return sentence(*parts)


def _caught(caught: int, errors: int, rest: int) -> str:
    """How many of the errors lie among the `rest` least certain."""
    if rest == 1:
        return "it is one of the errors" if caught else "it is not one of the errors"
    if errors == 1:
        return "the one error is among them" if caught else "the one error is not among them"
    if caught == 0:
        return f"none of the {number(errors)} errors is among them"
    if caught == errors:
        return f"all {number(errors)} errors are among them"
    return f"{number(caught)} of the {number(errors)} errors {be(caught)} among them"


def _stay(firm: int) -> str:
    """The errors no certainty will show."""
    if firm == 1:
        return "One error is among those kept, where no certainty shows it; look at the map and the classes."
    return (
        f"{number(firm)} errors are among those kept, where no certainty shows them; look at the map and the classes."
    )


def _more_labels(run: Run, classes: Classes) -> list[str | Piece]:
    """Advice on the commonest confusion, if one stands out."""
    pairs = classes.pairs
    if not pairs or pairs[0].count < max(COMMON, COMMON_SHARE * run.trust.all.wrong):
        return []
    if len(pairs) > 1 and pairs[1].count == pairs[0].count:
        return []
    top = pairs[0]
    weak, other = brief(run.names[top.truth]), brief(run.names[top.label])
    return [f" Then label a few more of class {weak}: {number(top.count)} of them are taken for {other}."]


def keep_sentence(run: Run, kept: int) -> Text:
    """The reading at a threshold, written again by the page's script when it moves."""
    trust = run.trust
    share, rest = trust.kept_share, trust.rest_share
    noun = run.noun if trust.n == 1 else run.noun + "s"
    parts: list[str | Piece] = [strong(number(kept)), f" of {number(trust.n)} {noun} {be(kept)} kept ("]
    parts += [strong(percent(kept, trust.n)), ")"]
    left = trust.n - kept
    if not run.has_truth:
        return sentence(*parts, f"; {number(left)} {be(left)} left to check." if left else ".")
    if run.truth_is_partial:
        if share.n == 0:
            parts.append("; the truth of none of them is known. ")
        else:
            parts += [
                ". Of the ",
                f"{number(share.n)} of them with truth, ",
                strong(share.percent),
                f" {be(share.n)} right",
            ]
            parts.append(f" (95% interval {share.interval}). ")
    else:
        parts += [" and ", strong(share.percent), f" of those are right (95% interval {share.interval}). "]
    if left:
        truth = " with truth" if run.truth_is_partial else ""
        parts += [
            f"Of the {number(rest.n)}{truth} left to check, ",
            wrong(f"{none_or(rest.wrong)} {'is' if rest.wrong <= 1 else 'are'} wrong"),
            "; ",
        ]
    stay = f"{none_or(share.wrong, 'no')} wrong {'one stays' if share.wrong <= 1 else 'ones stay'} in."
    return sentence(*parts, stay if left else capital(stay))
