"""The verdict in words: on top of the page, and as the last line of a command."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from labelprop.core.text import counted
from labelprop.evaluation.verdict import Verdict
from labelprop.report.gather.numbers import Share
from labelprop.report.words import capital, number

AUTO = "auto"
TO_MEASURE = 100  # examples to label for a first measurement: a 95% interval of at most 10 points to each side


@dataclass(frozen=True, slots=True)
class Asked:
    """What a run was asked to do, as far as it can be done otherwise."""

    verb: Literal["train", "propagate"]
    method: str  # recipe or propagator, as asked: "auto" where the run chose
    backbone: bool
    noun: str
    given: str  # "3 to 5 in each of 10 classes"


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
    return f"{capital(verdict.grade)}: {share.percent}{among} right, {verdict.kind}.", done


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


def remedies(asked: Asked) -> list[tuple[str, str]]:
    """What to do about weak labels, and with which flag or command ("" for none); what helps most comes first."""
    steps = [(f"label more {asked.noun}s, so far {asked.given}", "")]
    if asked.backbone:
        steps.append(("take another or a larger backbone", "--backbone"))
    elif asked.noun in ("image", "text"):
        steps.append((f"let a pretrained network read the {asked.noun}s", "--backbone"))
    else:
        steps.append(("take vectors of another or a larger network", ""))
    if asked.method != AUTO:
        what = "recipe" if asked.verb == "train" else "method"
        steps.append((f"try another {what}", f"--{what} auto"))
    elif asked.verb == "propagate":
        steps.append(("train a network instead", "labelprop train"))
    return steps


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
    if verdict.grade == "weak":
        steps = "; ".join(f"{text} ({flag})" if flag else text for text, flag in remedies(asked))
        return f"{found} Do not use these labels yet. What helps most comes first: {steps}."
    if not verdict.pays:
        simpler = Share(verdict.simpler or 0, verdict.n)
        return f"{found} The given labels alone get {simpler.percent}."
    return found
