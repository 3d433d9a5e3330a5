"""The verdict in words: on top of the page, and as the last line of a command."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from labelprop.core.recipe_entries import AUTO
from labelprop.core.text import counted
from labelprop.evaluation.verdict import Simpler, Verdict
from labelprop.report.gather.numbers import Share
from labelprop.report.words import capital, number

WITHOUT_GRAPH = ("local", "weighted-knn")  # their neighbors are labeled examples, and are no edges
USUAL_NEIGHBORS = 10  # of the propagators that do not say otherwise
TO_MEASURE = 100  # examples to label for a first measurement: a 95% interval of at most 10 points to each side


@dataclass(frozen=True, slots=True)
class Asked:
    """What a run was asked to do, as far as it can be done otherwise."""

    verb: Literal["train", "propagate"]
    method: str  # recipe or propagator, as asked: "auto" where the run chose
    backbone: bool
    noun: str
    given: str  # "3 to 5 in each of 10 classes"
    n_neighbors: int = 0  # to advise where the graph has too many for so few examples; else 0


def headline(verdict: Verdict, noun: str, unlabeled: int, labeled: int, given: int) -> tuple[str, str]:
    """The verdict first, then what was labeled; where nothing was measured, how to measure it."""
    if unlabeled == 0:
        return f"{counted(given, noun)}, all with the label you gave.", "Nothing was left to label."
    some = f"{number(labeled)} of " if labeled < unlabeled else ""
    done = f"{some}{counted(unlabeled, noun)} labeled from {number(given)}."
    if labeled == 0:
        return done, ""
    if verdict.grade == "not measured":
        return f"{capital(_not_measured(verdict))}.", f"{_to_measure(noun, labeled)} to learn how many are right."
    share, among = Share(verdict.right, verdict.n), ""
    if verdict.examples == "unlabeled" and verdict.n != labeled:
        among = f" of the {counted(verdict.n, noun)} with truth"
    elif verdict.examples == "test":
        among = f" of the {counted(verdict.n, 'test example')}"
    elif verdict.examples == "hidden":
        among = f" of {counted(verdict.n, 'hidden label')}"
    first = f"{capital(verdict.grade)}: {share.percent}{among} right, {verdict.kind}"
    return f"{first}{'' if verdict.pays else f'; {no_better(verdict)}'}.", done


def no_better(verdict: Verdict) -> str:
    """Of a run that does not pay."""
    return f"no better than the given labels alone ({Share(verdict.simpler or 0, verdict.n).percent})"


def _not_measured(verdict: Verdict) -> str:
    """Why there is no verdict."""
    few = f": {number(verdict.right)} of {number(verdict.n)} right are too few to tell" if verdict.n else ""
    return f"not measured{few}"


def _to_measure(noun: str, labeled: int) -> str:
    n = min(TO_MEASURE, labeled)
    return f"Label {counted(n, noun)}{' drawn at random' if n < labeled else ''}"


def how_to_measure(noun: str, labeled: int) -> str:
    unknown = f"to learn how many of the {counted(labeled, 'label')} are right"
    return f"{_to_measure(noun, labeled)} and pass them with --truth {unknown}"


def fewer_neighbors(method: str, n_neighbors: int | None, n: int, n_classes: int) -> int:
    """Neighbors to advise where a graph takes more than a class has examples, so that most are of others; else 0."""
    of_class = max(1, n // max(1, n_classes))
    graph = n_neighbors is not None and method not in (AUTO, *WITHOUT_GRAPH)
    return min(USUAL_NEIGHBORS, of_class) if graph and (n_neighbors or 0) > of_class else 0


def simpler_way(way: Simpler, verb: Literal["train", "propagate"]) -> str:
    """A simpler way to label in words."""
    if way == "propagation_only":
        return "propagation on the raw data"
    if way == "nearest_label":
        return "the nearest given label"
    alone = "the same network on the given labels alone"
    return alone if verb == "train" else "a logistic regression on the given labels"


def other_way(asked: Asked, way: Simpler) -> tuple[str, str]:
    """What to take in place of a run that a simpler way is ahead of."""
    if asked.method != AUTO:
        return _another(asked)
    if way == "propagation_only":
        return "propagate instead", "labelprop propagate"
    if asked.verb == "train":
        return "train on the given labels alone", "--recipe supervised"
    if way == "nearest_label":
        return "take the nearest given label", "--method weighted-knn --n-neighbors 1"
    return "train a network instead", "labelprop train"


def _another(asked: Asked) -> tuple[str, str]:
    what = "recipe" if asked.verb == "train" else "method"
    return f"try another {what}", f"--{what} auto"


def remedies(asked: Asked, verdict: Verdict) -> list[tuple[str, str]]:
    """What to do about weak labels, and with which flag or command ("" for none); what helps most comes first.

    Where a simpler way is ahead, the labels suffice for more, and the method is to blame.
    """
    steps = [other_way(asked, verdict.ahead[0])] if verdict.ahead else []
    if asked.n_neighbors:
        steps.append(("take fewer neighbors for so few examples", f"--n-neighbors {asked.n_neighbors}"))
    steps.append((f"label more {asked.noun}s, so far {asked.given}", ""))
    if asked.backbone:
        steps.append(("take another or a larger backbone", "--backbone"))
    elif asked.noun in ("image", "text"):
        steps.append((f"let a pretrained network read the {asked.noun}s", "--backbone"))
    else:
        steps.append(("take vectors of another or a larger network", ""))
    if asked.method != AUTO:
        steps.append(_another(asked))
    elif asked.verb == "propagate":
        steps.append(("train a network instead", "labelprop train"))
    return list(dict.fromkeys(steps))


def last_line(verdict: Verdict, asked: Asked, labeled: int) -> str:
    """What a command says last: the verdict, what it rests on, and what to do."""
    if verdict.grade == "not measured":
        return f"{_not_measured(verdict)}. {how_to_measure(asked.noun, labeled)}."
    share = Share(verdict.right, verdict.n)
    on = {"unlabeled": f"{asked.noun}s with a truth", "test": "test examples", "hidden": "hidden labels"}
    found = (
        f"{verdict.grade}: {share.percent} of {number(verdict.n)} {on[verdict.examples or 'unlabeled']} right, "
        f"{verdict.kind} (95% interval {share.interval})."
    )
    if not verdict.pays:
        found += f" {capital(no_better(verdict))}."
    if verdict.grade == "weak":
        steps = "; ".join(f"{text} ({flag})" if flag else text for text, flag in remedies(asked, verdict))
        return f"{found} Do not use these labels yet. What helps most comes first: {steps}."
    return found
