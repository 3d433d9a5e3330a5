"""Whether a run's labels are good enough to use: by what was measured or estimated, never by the run's certainty."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from labelprop.evaluation.metrics import wilson

GOOD, USABLE = 0.9, 0.7  # of the lower end of the 95% interval
FEWEST = 20  # examples that tell anything: of 20, even all right leaves up to 16% wrong

Grade = Literal["good", "usable", "weak", "not measured"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """A grade, and the `right` of `n` examples that it rests on.

    `examples`: "unlabeled" ones with a truth or those of the "test" set (measured), or "hidden" ones: given labels,
    each hidden from the run that was asked for it (estimated). `simpler`: how many of them the given labels alone get
    right; None where that was not tried.
    """

    grade: Grade
    examples: Literal["unlabeled", "test", "hidden", ""] = ""
    right: int = 0
    n: int = 0
    simpler: int | None = None

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
        told = {"kind": self.kind, "examples": self.examples}
        return {"verdict": self.grade, "estimate": estimate | told if self.n else None}


def judge(metrics: Mapping[str, Any]) -> Verdict:
    """The verdict on a run by its metrics.json, those of older versions too.

    By the lower end of the 95% interval of the share right: at least 90% is good, at least 70% usable, else weak; not
    above the labels alone is at most usable. The truth of unlabeled examples counts before a test set, that before
    hidden labels. Fewer than 20 examples are no evidence, unless even the upper end of their interval is weak.
    """
    found = [evidence for evidence in (_truth(metrics), _test(metrics), _hidden(metrics)) if evidence.n]
    enough = [evidence for evidence in found if evidence.n >= FEWEST]
    best = next(iter(enough + found), Verdict("not measured"))
    low, high = wilson(best.right, best.n)
    if best.n < FEWEST and high >= USABLE:
        return best
    grade: Grade = "weak" if low < USABLE else "good" if low >= GOOD and best.pays else "usable"
    return Verdict(grade, best.examples, best.right, best.n, best.simpler)


def _truth(metrics: Mapping[str, Any]) -> Verdict:
    """Unlabeled examples whose truth is known; those that the run did not reach count as wrong."""
    part = metrics.get("unlabeled") or {}
    accuracy = part.get("accuracy")
    n = int(part.get("scored", part.get("n")) or 0) if accuracy is not None else 0
    shares = [(metrics.get(name) or {}).get("unlabeled") for name in ("baseline", "nearest_label")]
    return Verdict("not measured", "unlabeled", round((accuracy or 0) * n), n, _most(shares, n))


def _test(metrics: Mapping[str, Any]) -> Verdict:
    part = metrics.get("test") or {}
    accuracy = part.get("accuracy")
    n = int(part.get("n") or 0) if accuracy is not None else 0
    alone = (metrics.get("baseline") or {}).get("test")
    return Verdict("not measured", "test", round((accuracy or 0) * n), n, _most([alone], n))


def _hidden(metrics: Mapping[str, Any]) -> Verdict:
    part = metrics.get("hidden_labels") or {}
    right, n = part.get("right"), int(part.get("n") or 0)
    alone = [part[name] for name in ("baseline_right", "nearest_label_right") if part.get(name) is not None]
    return Verdict("not measured", "hidden", right or 0, 0 if right is None else n, max(alone, default=None))


def _most(shares: list[float | None], n: int) -> int | None:
    """The largest of the known shares as a count."""
    return max((round(share * n) for share in shares if share is not None), default=None)
