"""The choice of a recipe by successive halving on hidden labels (Jamieson & Talwalkar 2016).

Every given label is hidden once. In each round all candidates train from the start, on the labels that are shown, for
a share of the full length. The better half goes on; the labels alone always do, for as many steps as the longest of
the others. In each round the first, by the order of the tables, of those that are not a standard error worse than the
best counts as the best: with few labels a lead is mostly luck. No truth and no test set is read. Users know the
procedure as the race of `--recipe auto`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np
import torch

from labelprop.core.types import Task
from labelprop.propagators.choice.hidden import FEWEST, Fit, HiddenLabels
from labelprop.propagators.choice.selection import Tally, standard_error, with_chosen_first

BASELINE = "supervised"
ROUNDS = (1 / 8, 1 / 4)  # of the full length
FOLDS = 3  # each is one training a candidate and round

LARGE = 200_000  # rows beyond which a graph of all of them before every epoch is slow
# By what the network sees, in order of preference: for embeddings by how far each is behind the best, in the mean of
# banking77 in benchmarks/results/recipes and cifar10 in recipe_auto.json; for images that of fashion_mnist there.
# Tables of numbers have no table there; what compares views is left out.
CANDIDATES = {
    "embedding": ("mt+dlp", "dlp", "propagated", "pseudo-label", "vat", BASELINE),
    "image": ("uda", "freematch", "mt+dlp", "dlp", BASELINE),
    "numbers": ("propagated", "mt+dlp", "dlp", "network-prediction", BASELINE),
    "large": ("mean-teacher", "llp", BASELINE),
}

TrainCandidate = Callable[
    [str, Task, float], torch.Tensor
]  # recipe, task, share of the full length -> classes of all N rows


@dataclass(frozen=True, slots=True)
class Trial:
    """One training of a candidate; `found` has a character for each label hidden from it, "1" where it was found."""

    round: int
    recipe: str
    fold: int
    found: str

    @property
    def right(self) -> int:
        """How many labels were found."""
        return self.found.count("1")


@dataclass(frozen=True, slots=True)
class HalvingResult:
    """The chosen recipe, the reason, and all trials."""

    recipe: str
    reason: str
    trials: tuple[Trial, ...] = ()

    def to_json(self) -> dict[str, object]:
        return {"recipe": self.recipe, "reason": self.reason, "heats": [asdict(trial) for trial in self.trials]}


def candidates(kind: str, n: int) -> tuple[str, ...]:
    """Recipes for `n` examples of a kind ("embedding", "image" or "numbers"), in order of preference."""
    return CANDIDATES["large" if n > LARGE else kind]


def hidden_labels(task: Task) -> HiddenLabels:
    """The given labels of classes with three or more, dealt over the folds."""
    return HiddenLabels.dealt(task.labels_N.cpu().numpy(), FOLDS, task.seed, FEWEST)


def successive_halving(
    names: Sequence[str],
    task: Task,
    train: TrainCandidate,
    *,
    run_already: Sequence[Trial] = (),
    note: Callable[[Sequence[Trial]], None] = lambda trials: None,
    say: Callable[[str], None] = lambda text: None,
) -> HalvingResult:
    """The recipe that found most hidden labels in the last round; within a standard error the one named first.

    `names` are in order of preference and hold `supervised`. `note` is called with all trials after each one; given
    back as `run_already` these are not run again. `say` gets a line when a round has ended. Where no label can be
    hidden, the first name is chosen untried.
    """
    if BASELINE not in names:
        raise ValueError(f"{BASELINE} must be among the candidates {list(names)}: nothing is chosen without it.")
    hidden = hidden_labels(task)
    if not hidden.folds:
        reason = (
            f"{names[0]}, by the order of the tables and without a race: no class has {FEWEST} labels or more, and "
            "fewer leave none to hide"
        )
        return HalvingResult(names[0], reason)
    trials = list(run_already)
    known = {(trial.round, trial.recipe, trial.fold) for trial in trials}
    running = list(names)
    for number, share in enumerate(ROUNDS):
        for name in running:
            for fold in range(len(hidden.folds)):
                if (number, name, fold) not in known:
                    guesses = hidden.ask(fold, _fit(train, name, task, share))
                    found = "".join("01"[right] for right in guesses.right_H.tolist())
                    trials.append(Trial(number, name, fold, found))
                    note(trials)
        tallies = [_tally(trials, number, name) for name in running]
        others = [tally for tally in with_chosen_first(tallies) if tally.candidate != BASELINE]
        better = others[: math.ceil(len(others) / 2)]
        running = [tally.candidate for tally in tallies if tally in better or tally.candidate == BASELINE]
        say(_round(number, tallies))
    ranked = with_chosen_first(tallies)
    behind = {name: _tally(trials, 0, name).right for name in names if name not in [t.candidate for t in tallies]}
    return HalvingResult(ranked[0].candidate, _reason(ranked, behind), tuple(trials))


def _fit(train: TrainCandidate, name: str, task: Task, share: float) -> Fit:
    def fit(shown_N: np.ndarray, row_H: np.ndarray) -> np.ndarray:
        shown = replace(task, labels_N=torch.from_numpy(shown_N).to(task.labels_N.device))
        found_H: np.ndarray = train(name, shown, share)[torch.from_numpy(row_H)].cpu().numpy()
        return found_H

    return fit


def _tally(trials: Sequence[Trial], number: int, name: str) -> Tally[str]:
    """What a candidate found in a round, fold after fold."""
    own = {trial.fold: trial.found for trial in trials if (trial.round, trial.recipe) == (number, name)}
    return Tally(name, np.array([found == "1" for fold in sorted(own) for found in own[fold]]))


def _round(number: int, tallies: Sequence[Tally[str]]) -> str:
    """What each candidate found in a round, the best first."""
    ranked = sorted(tallies, key=lambda tally: -tally.right)
    found = ", ".join(f"{tally.candidate} {tally.right:,}" for tally in ranked)
    return f"round {number + 1} of {len(ROUNDS)}: of {len(ranked[0].right_H):,} hidden labels found {found}"


def _reason(ranked: Sequence[Tally[str]], behind: Mapping[str, int]) -> str:
    """The scores of the last round, how far the next is from the chosen one, and who fell behind before."""
    chosen, *others = ranked
    n = len(chosen.right_H)
    text = f"{chosen.candidate} found {chosen.right:,} of {n:,} labels, each hidden once ({chosen.right / n:.1%})"
    if others:
        lead = 100 * (chosen.right - others[0].right) / n
        text += (
            f"; next {', '.join(f'{other.candidate} {other.right:,}' for other in others)}; {others[0].candidate} is "
        )
        text += f"{abs(lead):.1f} ± {100 * standard_error(others[0], chosen) / n:.1f} points "
        text += "behind" if lead >= 0 else "ahead, too small a lead to give up the order of the tables"
    if behind:
        text += "; tried in the first round alone: " + ", ".join(
            f"{name} {right:,}" for name, right in behind.items()
        )
    return text
