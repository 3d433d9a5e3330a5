"""Whether a run's labels are good enough to use: by what was measured or estimated, never by the run's certainty."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from labelprop.evaluation.metrics import hidden_noise, wilson

GOOD, USABLE = 0.9, 0.7  # of the lower end of the 95% interval
FEWEST = 20  # examples that tell anything: of 20, even all right leaves up to 16% wrong

Grade = Literal["good", "usable", "weak", "not measured"]
Simpler = Literal["baseline", "nearest_label", "propagation_only"]  # as metrics.json names them
LABELS_ALONE: tuple[Simpler, ...] = ("baseline", "nearest_label")


@dataclass(frozen=True, slots=True)
class Verdict:
    """A grade, and the `right` of `n` examples that it rests on.

    `examples`: "unlabeled" ones with a truth or those of the "test" set (measured), or "hidden" ones: given labels,
    each hidden from the run that was asked for it (estimated). `simpler`: how many of them the given labels alone get
    right; None where that was not tried. `ahead`: the best of the simpler ways that were tried, and how many it gets
    right, where these are more than chance explains.
    """

    grade: Grade
    examples: Literal["unlabeled", "test", "hidden", ""] = ""
    right: int = 0
    n: int = 0
    simpler: int | None = None
    ahead: tuple[Simpler, int] | None = None

    @property
    def kind(self) -> str:
        """ "measured" or "estimated", "" where neither."""
        return {"": "", "hidden": "estimated"}.get(self.examples, "measured")

    @property
    def pays(self) -> bool:
        """Whether the run does better than the given labels alone, as far as that is known."""
        return self.simpler is None or self.right > self.simpler

    def to_json(self) -> dict[str, Any]:
        """`verdict` and `estimate` of metrics.json."""
        low, high = wilson(self.right, self.n)
        estimate = {"accuracy": self.right / max(self.n, 1), "low": low, "high": high, "n_eff": self.n}
        alone = None if self.simpler is None else self.simpler / max(self.n, 1)
        pays = None if self.simpler is None else self.pays
        told = {"kind": self.kind, "examples": self.examples, "labels_alone": alone, "pays": pays}
        return {"verdict": self.grade, "estimate": estimate | told if self.n else None}


def judge(metrics: Mapping[str, Any]) -> Verdict:
    """The verdict on a run by its metrics.json, those of older versions too.

    By the lower end of the 95% interval of the share right: at least 90% is good, at least 70% usable, else weak; not
    above the labels alone is at most usable. The truth of unlabeled examples counts before a test set, that before
    hidden labels. Fewer than 20 examples are no evidence, unless even the upper end of their interval is weak.
    """
    every = (_measured(metrics, "unlabeled"), _measured(metrics, "test"), _hidden(metrics))
    found = [evidence for evidence in every if evidence.n]
    enough = [evidence for evidence in found if evidence.n >= FEWEST]
    best = next(iter(enough + found), Verdict("not measured"))
    low, high = wilson(best.right, best.n)
    if best.n < FEWEST and high >= USABLE:
        return best
    grade: Grade = "weak" if low < USABLE else "good" if low >= GOOD and best.pays else "usable"
    return replace(best, grade=grade)


def _measured(metrics: Mapping[str, Any], examples: Literal["unlabeled", "test"]) -> Verdict:
    """By the examples whose truth is known; those that the run did not reach count as wrong."""
    part = metrics.get(examples) or {}
    accuracy = part.get("accuracy")
    n = 0 if accuracy is None else int(part.get("scored", part.get("n")) or 0)
    names: tuple[Simpler, ...] = (*LABELS_ALONE, "propagation_only")
    shares = {name: (metrics.get(name) or {}).get(examples) for name in names}
    others = {name: round(share * n) for name, share in shares.items() if share is not None}
    return _beside(examples, round((accuracy or 0) * n), n, others)


def _hidden(metrics: Mapping[str, Any]) -> Verdict:
    part = metrics.get("hidden_labels") or {}
    right, n = part.get("right"), int(part.get("n") or 0)
    counts: dict[Simpler, Any] = {name: part.get(f"{name}_right") for name in LABELS_ALONE}
    others = {name: count for name, count in counts.items() if count is not None}
    return _beside("hidden", right or 0, 0 if right is None else n, others)


def _beside(
    examples: Literal["unlabeled", "test", "hidden"], right: int, n: int, others: Mapping[Simpler, int]
) -> Verdict:
    """Evidence without a grade, with the simpler ways. What was measured must lie above the run's 95% interval."""
    simpler = max((others[name] for name in LABELS_ALONE if name in others), default=None)
    most = right + hidden_noise(n) if examples == "hidden" else n * wilson(right, n)[1]
    best = max(others, key=lambda name: others[name], default=None)
    ahead = (best, others[best]) if best is not None and others[best] > most else None
    return Verdict("not measured", examples, right, n, simpler, ahead)
