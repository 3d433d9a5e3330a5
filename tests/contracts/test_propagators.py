"""Every registered propagator passes the conformance suite, and the suite catches what it is there for."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, Self

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labelprop.core import registry
from labelprop.core.errors import UnknownNameError
from labelprop.propagators.diffusion import Diffusion
from labelprop.propagators.estimator.base import Propagator
from labelprop.testing import check_propagator
from labelprop.testing import propagator as suite

NAMES = tuple(registry.entries("propagators"))
SHARED = {"metric", "search", "device", "warm_start", "top_classes", "random_state", "verbose"}


@pytest.mark.parametrize("name", NAMES)
def test_every_registered_propagator_conforms(name: str) -> None:
    check_propagator(name)


@pytest.mark.parametrize("name", NAMES)
def test_registered_parameters_are_those_of_the_class(name: str) -> None:
    entry = registry.lookup("propagators", name)
    signature = {key: p.default for key, p in inspect.signature(entry.load()).parameters.items()}
    assert signature == registry.parameters("propagators", name)
    assert set(signature) >= SHARED
    assert issubclass(entry.load(), Propagator)


@pytest.mark.parametrize("name", NAMES)
@settings(deadline=None, max_examples=12)
@given(
    n=st.integers(4, 60),
    d=st.integers(1, 5),
    n_classes=st.integers(1, 4),
    seed=st.integers(0, 10**6),
    whole=st.booleans(),
)
def test_whatever_the_data_the_promises_hold(
    name: str, n: int, d: int, n_classes: int, seed: int, whole: bool
) -> None:
    rng = np.random.default_rng(seed)
    X = rng.integers(-1, 2, size=(n, d)).astype(float) if whole else rng.normal(size=(n, d))
    y = np.where(rng.random(n) < 0.3, rng.integers(n_classes, size=n), -1)
    y[0] = 0
    found = registry.lookup("propagators", name).load()().fit(X, y)
    shares = found.label_distributions_
    assert np.isfinite(shares).all()
    assert np.isfinite(found.certainty_).all()
    np.testing.assert_allclose(shares.sum(axis=1), 1)
    np.testing.assert_array_equal(found.transduction_ == -1, ~found.reached_)
    np.testing.assert_array_equal(found.transduction_[y >= 0], y[y >= 0])
    assert (found.certainty_[~found.reached_] == 0).all()
    again = registry.lookup("propagators", name).load()().fit(X, y)
    np.testing.assert_array_equal(found.scores_, again.scores_)


def test_unknown_names_are_refused() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'diffusion'"):
        check_propagator("difusion")


def test_a_class_and_an_instance_do_as_well() -> None:
    check_propagator(Diffusion)
    check_propagator(Diffusion(n_neighbors=20, alpha=0.9))


Fit = Callable[[Diffusion, Any, Any], None]
MUTANTS: dict[str, tuple[str, Fit]] = {}


def mutant(caught_by: str) -> Callable[[Fit], Fit]:
    """A fault done to a fitted Diffusion, and the check that must notice it."""

    def note(fault: Fit) -> Fit:
        MUTANTS[fault.__name__] = (caught_by, fault)
        return fault

    return note


@mutant("check_verdict")
def claims_to_have_converged(found: Diffusion, X: Any, y: Any) -> None:
    found.converged_, found.residual_ = True, 0.0


@mutant("check_verdict")
def verdict_contradicts_residual(found: Diffusion, X: Any, y: Any) -> None:
    found.converged_ = True


@mutant("check_unreached")
def calls_unreached_rows_class_zero(found: Diffusion, X: Any, y: Any) -> None:
    if found.transduction_.dtype.kind == "i":
        found.transduction_ = np.maximum(found.transduction_, 0)


@mutant("check_unreached")
def gives_unreached_rows_no_distribution(found: Diffusion, X: Any, y: Any) -> None:
    found.label_distributions_[~found.reached_] = np.nan


@mutant("check_attributes")
def forgets_to_normalize(found: Diffusion, X: Any, y: Any) -> None:
    found.label_distributions_ = found.scores_


@mutant("check_attributes")
def loses_a_seed(found: Diffusion, X: Any, y: Any) -> None:
    found.transduction_ = found.transduction_[::-1]


@mutant("check_attributes")
def weighs_classes_by_all_rows(found: Diffusion, X: Any, y: Any) -> None:
    found.class_weight_ = found.class_weight_ * 1.1


@mutant("check_row_permutation")
def prefers_early_rows(found: Diffusion, X: Any, y: Any) -> None:
    found.scores_ = found.scores_ * np.linspace(1, 1.01, len(found.scores_))[:, None]


@mutant("check_class_permutation")
def prefers_the_first_class(found: Diffusion, X: Any, y: Any) -> None:
    found.scores_ = found.scores_ * np.linspace(1.01, 1, found.scores_.shape[1])


@mutant("check_inputs_unchanged")
def writes_to_the_data(found: Diffusion, X: Any, y: Any) -> None:
    if isinstance(X, np.ndarray):
        X[0] = 0


@mutant("check_inputs_unchanged")
def writes_to_a_parameter(found: Diffusion, X: Any, y: Any) -> None:
    found.max_iter += 1


@mutant("check_markers")
def gives_back_another_marker(found: Diffusion, X: Any, y: Any) -> None:
    if found.transduction_.dtype.kind == "U":
        found.transduction_ = np.where(found.reached_, found.transduction_, "-1")


@mutant("check_state")
def remembers_an_earlier_fit(found: Diffusion, X: Any, y: Any) -> None:
    found.fits_ = getattr(found, "fits_", 0) + 1
    found.scores_ = found.scores_ * found.fits_


@mutant("check_dtypes")
def computes_in_float32_only(found: Diffusion, X: Any, y: Any) -> None:
    found.scores_ = found.scores_.astype(np.float32)


@mutant("check_inductive")
def predicts_from_the_wrong_rows(found: Diffusion, X: Any, y: Any) -> None:
    found.label_distributions_ = found.label_distributions_[::-1]


@mutant("check_soft_seeds")
def treats_soft_seeds_otherwise(found: Diffusion, X: Any, y: Any) -> None:
    if np.ndim(y) == 2:
        found.scores_ = found.scores_ * 1.01


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("name", MUTANTS)
def test_the_suite_catches(name: str) -> None:
    check, fault = MUTANTS[name]

    class Mutant(Diffusion):
        def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
            super().fit(X, y, sample_weight)
            fault(self, X, y)
            return self

    with pytest.raises(AssertionError):
        getattr(suite, check)(Mutant)


class IgnoresWeights(Diffusion):
    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        return super().fit(X, y)


class SwallowsErrors(Diffusion):
    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        try:
            return super().fit(np.nan_to_num(X) if isinstance(X, np.ndarray) else X, y, sample_weight)
        except ValueError:
            return self


def test_the_suite_lists_what_failed_and_why() -> None:
    wanted = r"^IgnoresWeights fails 1 of \d+ checks of a propagator\n  check_sample_weight: .* weight 0"
    with pytest.raises(AssertionError, match=wanted):
        check_propagator(IgnoresWeights())


def test_the_suite_catches_swallowed_errors() -> None:
    with pytest.raises(AssertionError, match="wrong data are accepted"):
        suite.check_refusals(SwallowsErrors)
