"""The conformance suite of propagators: properties every one of them has, whatever its mathematics.

Each check takes `make`, which returns a fresh unfitted estimator, and raises AssertionError. The problems have no
ties at the edge of a neighbor list, so permuting rows must permute answers.
"""

from __future__ import annotations

import copy
import pickle
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from scipy import sparse
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning

from labelprop.core.registry import HEADS, lookup
from labelprop.testing.demands import close, demand, dense, refused, separable

Make = Callable[[], Any]


def check_propagator(estimator_or_name: Any, verbose: bool = False) -> None:
    """Runs the whole suite on a propagator: an instance (cloned), a class, or a registered name.

    `verbose` prints a line where it passes. Raises one AssertionError that lists every check that failed and why.
    """
    prototype = lookup("propagators", estimator_or_name).load()() if isinstance(estimator_or_name, str) else None
    if prototype is None:
        prototype = estimator_or_name() if isinstance(estimator_or_name, type) else estimator_or_name
    failures = []
    for check in CHECKS:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ConvergenceWarning)
                check(lambda: clone(prototype))
        except Exception as error:
            failures.append((check.__name__, error))
    if failures:
        lines = [f"{name}: {type(error).__name__}: {error}" for name, error in failures]
        title = f"{type(prototype).__name__} fails {len(failures)} of {len(CHECKS)} checks of a propagator"
        raise AssertionError("\n  ".join([title, *lines])) from failures[0][1]
    if verbose:
        print(f"{type(prototype).__name__} passes {len(CHECKS)} checks of a propagator")


def check_attributes(make: Make) -> None:
    """Shapes, ranges and relations of what `fit` sets."""
    problem = separable()
    found = make()
    demand(found.fit(problem.X, problem.y) is found, "fit does not return the estimator")
    n, n_classes = len(problem.y), 3
    demand(np.array_equal(found.classes_, np.arange(n_classes)), f"classes_ is {found.classes_}")
    shares_NC = dense(found.label_distributions_)
    demand(shares_NC.shape == dense(found.scores_).shape == (n, n_classes), "scores_ or distributions are not (n, C)")
    demand(bool(np.isfinite(shares_NC).all() and (shares_NC >= 0).all()), "distributions are not finite and >= 0")
    demand(np.allclose(shares_NC.sum(axis=1), 1, atol=1e-5), "rows of label_distributions_ do not sum to 1")
    demand(bool(((found.certainty_ >= 0) & (found.certainty_ <= 1)).all()), "certainty_ leaves [0, 1]")
    seeds = problem.y >= 0
    demand(np.array_equal(found.transduction_[seeds], problem.y[seeds]), "a seed lost its label")
    demand(bool((found.certainty_[seeds] == 1).all()), "a seed's certainty is not 1")
    demand(bool(found.reached_[seeds].all()) and found.reached_.dtype == bool, "a seed is not reached")
    counts = np.bincount(found.transduction_[found.transduction_ >= 0], minlength=n_classes)
    wanted = np.where(counts > 0, found.reached_.sum() / n_classes / np.maximum(counts, 1), 0)
    demand(np.allclose(found.class_weight_, wanted, rtol=1e-5), "class_weight_ is not (reached / C) / n_j")
    least = 1 if "max_iter" in found.get_params() else 0  # scikit-learn's rule; 0 where nothing is iterated
    demand(found.n_iter_ >= least and found.residual_ >= 0, "n_iter_ or residual_ is out of range")
    demand(found.graph_.shape[0] == n and found.n_features_in_ == 16, "graph_ or n_features_in_ does not fit X")
    demand(found.recall_ == 1, "exact search must report recall 1")
    demand(float((found.transduction_ == problem.truth).mean()) > 0.9, "separable clusters are not told apart")


def check_inputs_unchanged(make: Make) -> None:
    """Neither data nor parameters are written to."""
    problem = separable()
    X, y, weights = problem.X.copy(), problem.y.copy(), np.ones(len(problem.y))
    found = make()
    before = copy.deepcopy(found.get_params())
    found.fit(X, y, sample_weight=weights).predict_proba(X[:5])
    demand(np.array_equal(X, problem.X), "fit or predict changed X")
    demand(np.array_equal(y, problem.y) and bool((weights == 1).all()), "fit changed y or sample_weight")
    demand(str(found.get_params()) == str(before), "fit changed a constructor parameter")


def check_row_permutation(make: Make) -> None:
    """Permuting rows permutes the answers."""
    problem = separable(seed=1)
    order = np.random.default_rng(0).permutation(len(problem.y))
    plain, moved = make().fit(problem.X, problem.y), make().fit(problem.X[order], problem.y[order])
    demand(np.array_equal(plain.transduction_[order], moved.transduction_), "labels depend on the order of rows")
    close(dense(plain.scores_)[order], dense(moved.scores_), "scores_ depend on the order of rows")
    close(plain.certainty_[order], moved.certainty_, "certainty_ depends on the order of rows")


def check_class_permutation(make: Make) -> None:
    """Renaming classes renames the answers."""
    problem = separable(seed=2)
    names = np.array([2, 0, 1])
    renamed = np.where(problem.y >= 0, names[problem.y], -1)
    plain, moved = make().fit(problem.X, problem.y), make().fit(problem.X, renamed)
    demand(np.array_equal(names[plain.transduction_], moved.transduction_), "labels depend on the order of classes")
    close(dense(plain.scores_), dense(moved.scores_)[:, names], "scores_ depend on the order of classes")


def check_verdict(make: Make) -> None:
    """`converged_` is true only of scores that more steps no longer change, and agrees with `residual_`."""
    problem = separable(seed=3)
    if not {"max_iter", "tol"} <= set(make().get_params()):
        found = make().fit(problem.X, problem.y)
        demand(found.converged_ in (True, False) and found.residual_ >= 0, "there is no verdict")
        return
    final = make().set_params(max_iter=5000, tol=1e-11).fit(problem.X, problem.y)
    demand(bool(final.converged_), "5000 steps in float64 do not converge to 1e-11")
    for steps in (1, 3, 5000):
        found = make().set_params(max_iter=steps, tol=1e-6).fit(problem.X, problem.y)
        demand(found.n_iter_ <= steps, f"n_iter_ {found.n_iter_} exceeds max_iter {steps}")
        demand(bool(found.converged_) == (found.residual_ <= 1e-6), "converged_ and residual_ disagree")
        if found.converged_:
            scale = np.abs(dense(final.scores_)).max()
            gap = np.abs(dense(found.scores_) - dense(final.scores_)).max() / scale
            demand(bool(gap < 1e-3), f"converged_ after {steps} steps, but scores are off by {gap:.1g}")
    demand(bool(found.converged_), "5000 steps do not converge to 1e-6")


def check_unreached(make: Make) -> None:
    """Rows in components without seeds are unreached: uniform, certainty 0, the marker; never class 0."""
    problem, island = separable(), separable(n_classes=1, seed=4)
    X = np.zeros((len(problem.y) + len(island.y) + 1, 32))  # the last row is a zero vector
    X[: len(problem.y), :16], X[len(problem.y) : -1, 16:] = problem.X, island.X + 100  # far by angle and by distance
    y = np.concatenate([problem.y, np.full(len(island.y) + 1, -1)])
    few = {"n_neighbors": 5} if "n_neighbors" in make().get_params() else {}
    found = make().set_params(**few).fit(X, y)
    lost = ~found.reached_
    heads = {name for name, *_ in getattr(found, "members_", ())}.intersection(HEADS)  # these reach every row
    if found.graph_.shape[0] == found.graph_.shape[1] and not heads:
        component = found.graph_.components().cpu().numpy()
        cut_off = ~np.isin(component, component[y >= 0])
        demand(bool(cut_off[len(problem.y) :].any()), "the island is not cut off")
        demand(bool(lost[cut_off].all()), "a row whose component holds no seed counts as reached")
    demand(bool((found.transduction_[lost] == -1).all()), "an unreached row has a label")
    demand(bool((found.certainty_[lost] == 0).all()), "an unreached row is certain")
    demand(np.allclose(dense(found.label_distributions_)[lost], 1 / 3), "an unreached row is not uniform")
    demand(bool(np.isfinite(dense(found.label_distributions_)).all()), "distributions are not finite")
    demand(bool((found.transduction_[~lost] != -1).all()), "a reached row has the marker")


def check_markers(make: Make) -> None:
    """The marker that came in comes out, in text, objects and numbers; predictions are class labels."""
    problem = separable()
    X = np.concatenate([problem.X, np.zeros((1, 16))])
    codes = np.append(problem.y, -1)
    plain = make().fit(X, codes).transduction_
    text = np.array(["cat", "dog", "emu"])
    forms: list[tuple[np.ndarray, Any]] = [
        (np.where(codes >= 0, text[codes], ""), ""),
        (np.array([text[code] if code >= 0 else None for code in codes], dtype=object), ""),
        (np.array([code + 5 if code >= 0 else None for code in codes], dtype=object), None),
        (np.where(codes >= 0, codes + 5.0, -1.0), -1.0),
    ]
    for y, marker in forms:
        found = make().fit(X, y)
        wanted = [found.classes_[code] if code >= 0 else marker for code in plain]
        demand(found.transduction_.tolist() == wanted, f"marker {marker!r} or its classes do not come back")
        demand(found.transduction_.dtype.kind == y.dtype.kind, f"labels change type: {y.dtype}")
        demand(
            set(found.predict(problem.X).tolist()) <= {*found.classes_.tolist(), marker}, "predict invents a label"
        )


def check_state(make: Make) -> None:
    """Cloning, pickling and fitting again behave: nothing of an earlier fit stays."""
    first, second = separable(), separable(n_classes=4, seed=5)
    used = make().fit(second.X, second.y).fit(first.X, first.y)
    fresh = make().fit(first.X, first.y)
    demand(np.array_equal(dense(used.scores_), dense(fresh.scores_)), "a second fit depends on the first")
    demand(str(clone(used).get_params()) == str(fresh.get_params()), "clone loses parameters")
    demand(not hasattr(clone(used), "classes_"), "clone keeps what was fitted")
    revived = pickle.loads(pickle.dumps(fresh))
    demand(np.array_equal(revived.predict(first.X), fresh.predict(first.X)), "pickling changes predictions")


def check_inductive(make: Make) -> None:
    """Near-copies of clear rows get those rows' labels; probabilities are distributions and agree with labels."""
    problem = separable(n_classes=4, members=60, seed=6)
    found = make().fit(problem.X, problem.y)
    copies = problem.X + 1e-3 * np.random.default_rng(0).normal(size=problem.X.shape)
    ranked = np.sort(dense(found.label_distributions_), axis=1)
    clear = ranked[:, -1] - ranked[:, -2] >= 0.05
    agree = float((found.predict(copies) == found.transduction_)[clear].mean())
    demand(agree >= 0.95, f"near-copies get the label of their original in {agree:.1%} of clear rows")
    proba = found.predict_proba(copies)
    demand(proba.shape == (len(copies), 4) and np.allclose(proba.sum(axis=1), 1, atol=1e-5), "rows do not sum to 1")
    named = found.predict(copies) != -1
    demand(
        np.array_equal(found.classes_[proba.argmax(axis=1)][named], found.predict(copies)[named]),
        "predict is not the argmax of predict_proba",
    )


def check_dtypes(make: Make) -> None:
    """float32 and float64 keep theirs, other types become float32; tensors and CSR give the same labels."""
    problem = separable()
    X, y = np.round(problem.X * 16), problem.y  # whole numbers: every type holds them exactly
    wanted = make().fit(X, y)
    demand(wanted.scores_.dtype == np.float64, "float64 features do not give float64 scores")
    forms: list[Any] = [X.astype(kind) for kind in (np.float32, np.float16, np.int32)]
    forms += [torch.tensor(X, dtype=torch.float32), sparse.csr_array(X.astype(np.float32))]
    for form in forms:
        found = make().fit(form, y)
        demand(found.scores_.dtype == np.float32, f"{form.dtype} features do not give float32 scores")
        same = float((found.transduction_ == wanted.transduction_).mean())
        demand(same > 0.98, f"{type(form).__name__} {form.dtype}: {same:.1%} of the labels of float64")
        demand(found.predict(form[:3]).shape == (3,), f"predict does not take {type(form).__name__}")


def check_soft_seeds(make: Make) -> None:
    """One-hot rows equal hard labels; zero and NaN rows are unlabeled; the label of a soft seed is its argmax."""
    problem = separable()
    one_hot = np.where(problem.y[:, None] >= 0, np.eye(3)[problem.y], 0)
    one_hot[np.flatnonzero(problem.y < 0)[:5]] = np.nan
    soft, hard = make().fit(problem.X, one_hot), make().fit(problem.X, problem.y)
    demand(np.array_equal(soft.classes_, np.arange(3)), "classes_ of soft seeds are not range(C)")
    close(dense(soft.scores_), dense(hard.scores_), "one-hot soft seeds differ from hard ones")
    row = int(np.flatnonzero(problem.y == 0)[0])
    one_hot[row] = [0.2, 0.5, 0.3]
    mixed = make().fit(problem.X, one_hot)
    demand(mixed.transduction_[row] == 1 and mixed.certainty_[row] == 1, "a soft seed's label is not its argmax")


def check_sample_weight(make: Make) -> None:
    """Weight 0 is unlabeled; a common factor changes no distribution; all zero is refused."""
    problem = separable()
    dropped = np.flatnonzero(problem.y >= 0)[::3]
    weights = np.ones(len(problem.y))
    doubled = make().fit(problem.X, problem.y, sample_weight=2 * weights)
    plain = make().fit(problem.X, problem.y)
    close(dense(doubled.label_distributions_), dense(plain.label_distributions_), "a common weight matters")
    weights[dropped] = 0
    without = problem.y.copy()
    without[dropped] = -1
    weighted, removed = make().fit(problem.X, problem.y, sample_weight=weights), make().fit(problem.X, without)
    close(dense(weighted.scores_), dense(removed.scores_), "a seed of weight 0 is not an unlabeled row")
    refused(lambda: make().fit(problem.X, problem.y, sample_weight=0 * weights), "weight")


def check_refusals(make: Make) -> None:
    """Wrong data are refused with a ValueError that says where."""
    problem = separable()
    broken = problem.X.copy()
    broken[17, 3] = np.nan
    refused(lambda: make().fit(broken, problem.y), "17")
    refused(lambda: make().fit(problem.X, np.full(len(problem.y), -1)), "label")
    refused(lambda: make().fit(problem.X, problem.y[:-1]), str(len(problem.y)))
    refused(lambda: make().fit(problem.X, np.where(problem.y == 0, -2, problem.y)), "-2")


CHECKS: tuple[Callable[[Make], None], ...] = (
    check_attributes,
    check_inputs_unchanged,
    check_row_permutation,
    check_class_permutation,
    check_verdict,
    check_unreached,
    check_markers,
    check_state,
    check_inductive,
    check_dtypes,
    check_soft_seeds,
    check_sample_weight,
    check_refusals,
)
