"""The estimator around the mathematics: scikit-learn's checks, precomputed graphs, prediction, bad input."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy import sparse
from sklearn.exceptions import DataConversionWarning, NotFittedError
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KNeighborsTransformer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import Normalizer
from sklearn.utils.estimator_checks import parametrize_with_checks

from labelprop.core import registry
from labelprop.core.errors import DataError, RequestError
from labelprop.data.labels.folds import SeedKFold
from labelprop.propagators.diffusion import Diffusion

EXPECTED_FAILURES = {
    "check_classifiers_classes": "labels with -1 and 1; -1 is the marker for unlabeled rows",
    "check_sample_weight_equivalence_on_dense_data": "a seed of weight 0 stays in the graph",
    "check_sample_weight_equivalence_on_sparse_data": "a seed of weight 0 stays in the graph",
}


ESTIMATORS = [registry.lookup("propagators", name).load()() for name in registry.entries("propagators")]


@parametrize_with_checks(ESTIMATORS, expected_failed_checks=lambda _: EXPECTED_FAILURES)
def test_scikit_learn(estimator: Any, check: Any) -> None:
    check(estimator)


def blobs(n: int = 90, n_classes: int = 3, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    truth = np.arange(n) % n_classes
    X = 3 * np.eye(n_classes, 8)[truth] + rng.normal(size=(n, 8))
    y = np.where(np.arange(n) < 4 * n_classes, truth, -1)
    return X, y, truth


def similarity_lists(X: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    unit = X / np.linalg.norm(X, axis=1, keepdims=True)
    cosines = unit @ unit.T
    np.fill_diagonal(cosines, -np.inf)
    indices = np.argsort(-cosines, axis=1)[:, :k]
    return indices, np.take_along_axis(cosines, indices, axis=1)


class TestPrecomputed:
    def test_the_three_forms_equal_the_features(self) -> None:
        X, y, _ = blobs()
        unit = X / np.linalg.norm(X, axis=1, keepdims=True)
        wanted = Diffusion(n_neighbors=7).fit(X, y)
        indices, values = similarity_lists(X, 7)
        matrix = sparse.csr_array((values.ravel(), indices.ravel(), np.arange(0, 91 * 7, 7)), shape=(90, 90))
        distances = KNeighborsTransformer(n_neighbors=7).fit_transform(unit)
        for metric, form in (
            ("precomputed", (indices, values)),
            ("precomputed", matrix),
            ("precomputed_distances", distances),
        ):
            found = Diffusion(n_neighbors=2, metric=metric).fit(form, y)  # given graphs are not cut to n_neighbors
            np.testing.assert_allclose(found.scores_, wanted.scores_, rtol=1e-6)
            assert found.recall_ is None
            assert found.n_features_in_ == 90

    def test_pipeline_predicts_as_the_features_do(self) -> None:
        X, y, _ = blobs()
        unit = X / np.linalg.norm(X, axis=1, keepdims=True)
        new = unit[::5] + 0.01
        new /= np.linalg.norm(new, axis=1, keepdims=True)
        pipeline = make_pipeline(KNeighborsTransformer(n_neighbors=6), Diffusion(metric="precomputed_distances"))
        predicted = pipeline.fit(unit, y).predict(new)
        # The transformer asks one neighbor more, for the row itself, which new rows do not have among the fitted.
        wanted = Diffusion(n_neighbors=6).fit(X, y)
        wanted.set_params(n_neighbors=7)
        np.testing.assert_array_equal(predicted, wanted.predict(new))

    def test_similarities_are_clipped_and_the_diagonal_is_dropped(self) -> None:
        given = sparse.csr_array(np.array([[9, 0.5, -0.8], [0.5, 9, 0], [-0.8, 0, 9]]))
        found = Diffusion(metric="precomputed").fit(given, [0, -1, -1])
        np.testing.assert_allclose(found.graph_.to_scipy().toarray(), [[0, 0.25, 0], [0.25, 0, 0], [0, 0, 0]])
        assert found.transduction_.tolist() == [0, 0, -1]
        assert given.diagonal().tolist() == [9, 9, 9], "the given graph was changed"

    def test_places_left_empty_in_lists_are_skipped(self) -> None:
        pair = (np.array([[1, -1], [0, -1], [-1, -1]]), np.array([[0.9, 0], [0.9, 0], [0, 0]]))
        assert Diffusion(metric="precomputed").fit(pair, [5, -1, -1]).transduction_.tolist() == [5, 5, -1]

    def test_pickled_and_float32(self) -> None:
        X, y, _ = blobs()
        indices, values = similarity_lists(X, 7)
        found = Diffusion(metric="precomputed").fit((indices, values.astype(np.float32)), y)
        assert found.scores_.dtype == np.float32
        assert found.predict((indices[:3], values[:3])).shape == (3,)

    @pytest.mark.parametrize(
        ("metric", "form", "message"),
        [
            (
                "precomputed",
                np.eye(3),
                r"got ndarray\. For a dense matrix of similarities pass scipy\.sparse\.csr_array",
            ),
            ("precomputed", sparse.csr_array((3, 4)), "must be square to fit on; got 3 x 4"),
            (
                "precomputed",
                sparse.csr_array(([0.0, 1.0, 0.5], [0, 1, 2], [0, 2, 3, 3]), shape=(3, 3)),
                "stores zeros on its diagonal.*metric='precomputed_distances'",
            ),
            ("precomputed", sparse.csr_array(([1, np.nan], ([0, 2], [1, 1])), shape=(3, 3)), "row 2 .* NaN"),
            (
                "precomputed_distances",
                sparse.csr_array(([1, -1.0], ([0, 1], [1, 2])), shape=(3, 3)),
                "row 1 .* negative",
            ),
            (
                "precomputed",
                (np.array([[0], [3], [1]]), np.ones((3, 1))),
                "row 1 of the .* indices .* last, 2",
            ),
            ("precomputed", (np.zeros((3, 2)), np.zeros((3, 2))), "whole indices"),
            ("precomputed", (np.zeros((3, 2), int), np.zeros((3, 1))), r"got int64 \(3, 2\) and float64 \(3, 1\)"),
            ("precomputed", sparse.csr_array(np.eye(3) * 1j), "holds numbers; got complex128"),
        ],
    )
    def test_wrong_graphs_are_refused(self, metric: str, form: Any, message: str) -> None:
        with pytest.raises((RequestError, DataError), match=message):
            Diffusion(metric=metric).fit(form, [0, 1, -1])

    def test_a_graph_to_predict_from_has_a_column_for_each_fitted_row(self) -> None:
        found = Diffusion(metric="precomputed").fit(sparse.csr_array(np.ones((3, 3))), [0, 1, -1])
        with pytest.raises(RequestError, match="one column a fitted row: 3, got 2"):
            found.predict(sparse.csr_array(np.ones((1, 2))))


class TestPrediction:
    def test_weighted_mean_of_the_neighbors_by_hand(self) -> None:
        X = np.array([[1, 0, 0], [0.8, 0.6, 0], [0, 1, 0], [0, 0, 1]])
        y = [0, -1, 1, -1]
        found = Diffusion(n_neighbors=2, power=2).fit(X, y)
        new = np.array([[0.6, 0.8, 0]])
        cosines = X @ new[0]
        nearest = np.argsort(-cosines)[:2]
        rows = np.array([[1, 0], found.label_distributions_[1], [0, 1], [0.5, 0.5]])
        weights = cosines[nearest] ** 2
        np.testing.assert_allclose(found.predict_proba(new)[0], weights @ rows[nearest] / weights.sum())

    def test_no_positive_neighbor_and_unreached_neighbors_give_the_marker(self) -> None:
        X = np.array([[1.0, 0, 0], [1.0, 0.1, 0], [0, 0, 1.0], [0, 0.1, 1.0]])
        found = Diffusion(n_neighbors=1).fit(X, ["a", "", "", ""])
        assert found.reached_.tolist() == [True, True, False, False]
        new = np.array([[2.0, 0, 0], [-1.0, 0, 0], [0, 0, 3.0], [0, 0, 0]])
        assert found.predict(new).tolist() == ["a", "", "", ""]
        np.testing.assert_array_equal(found.predict_proba(new)[1:], 1)

    def test_prediction_in_blocks_is_prediction(self, monkeypatch: pytest.MonkeyPatch) -> None:
        from labelprop.propagators.estimator import graph_propagator

        X, y, _ = blobs()
        found = Diffusion(n_neighbors=9).fit(X, y)
        whole = found.predict(X + 0.1)
        monkeypatch.setattr(graph_propagator, "PREDICT_ELEMENTS", 12)
        np.testing.assert_array_equal(found.predict(X + 0.1), whole)

    def test_score_leaves_unlabeled_rows_out(self) -> None:
        X, y, truth = blobs()
        found = Diffusion(n_neighbors=9).fit(X, y)
        some = np.where(np.arange(90) % 2, truth, -1)
        assert found.score(X, some) == pytest.approx((found.predict(X) == truth)[1::2].mean())
        weights = np.arange(90.0)
        right = (found.predict(X) == truth)[1::2]
        assert found.score(X, some, sample_weight=weights) == pytest.approx(np.average(right, weights=weights[1::2]))
        with pytest.raises(DataError, match="every row carries the marker"):
            found.score(X, np.full(90, -1))
        with pytest.raises(DataError, match="Mix of label input types"):
            found.score(X, some.astype(str))

    def test_not_fitted(self) -> None:
        with pytest.raises(NotFittedError):
            Diffusion().predict(np.ones((1, 2)))

    def test_grid_search_over_hidden_seeds(self) -> None:
        X, y, truth = blobs(seed=2)
        X = X + 3 * np.eye(3, 8)[truth]
        pipeline = make_pipeline(Normalizer(), Diffusion())
        grid = {"diffusion__n_neighbors": [3, 10], "diffusion__alpha": [0.5, 0.99]}
        found = GridSearchCV(pipeline, grid, cv=SeedKFold(3), error_score="raise").fit(X, y)
        assert found.best_score_ > 0.9
        assert (found.predict(X) == truth).mean() > 0.9


class TestInput:
    def test_files_mapped_into_memory(self, tmp_path: Path) -> None:
        X, y, _ = blobs()
        for dtype in (np.float64, np.float32, np.float16):
            np.save(tmp_path / "x.npy", X.astype(dtype))
            mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
            found, wanted = Diffusion().fit(mapped, y), Diffusion().fit(X.astype(dtype), y)
            np.testing.assert_array_equal(found.scores_, wanted.scores_)
            np.testing.assert_array_equal(found.predict(mapped[:5]), wanted.predict(X[:5].astype(dtype)))

    @pytest.mark.parametrize("shape", [(3,), (0, 3), (3, 0)])
    def test_tensors_of_the_wrong_shape(self, shape: tuple[int, ...]) -> None:
        with pytest.raises(DataError, match="must be 2-D with at least one row and one column"):
            Diffusion().fit(torch.zeros(shape), [0, 1, -1])

    def test_columns_of_labels_are_raveled_with_a_warning(self) -> None:
        X, y, _ = blobs()
        with pytest.warns(DataConversionWarning, match="column-vector"):
            found = Diffusion().fit(X, y[:, None])
        np.testing.assert_array_equal(found.transduction_, Diffusion().fit(X, y).transduction_)

    def test_length_mismatch_names_both(self) -> None:
        with pytest.raises(DataError, match="y has 2 rows and X has 3"):
            Diffusion().fit(np.ones((3, 2)), [0, 1])

    @pytest.mark.parametrize(
        ("weights", "message"),
        [
            (np.ones(3), r"shape \(3,\); expected \(90,\)"),
            (np.where(np.arange(90) == 7, -1.0, 1), r"sample_weight of row 7 is -1\.0"),
            (np.where(np.arange(90) == 7, np.nan, 1), r"sample_weight of row 7 is nan"),
            (np.zeros(90), "zero on every labeled row"),
        ],
    )
    def test_wrong_weights(self, weights: np.ndarray, message: str) -> None:
        X, y, _ = blobs()
        with pytest.raises((DataError, RequestError), match=message):
            Diffusion().fit(X, y, sample_weight=weights)

    @pytest.mark.parametrize(
        ("parameters", "message"),
        [
            ({"n_neighbors": 0}, r"n_neighbors=0: must be a whole number >= 1\."),
            ({"n_neighbors": 2.5}, r"n_neighbors=2\.5: must be a whole number"),
            ({"alpha": 1.0}, r"alpha=1\.0: must be a number >= 0 and < 1\."),
            ({"power": 0}, r"power=0: must be a number > 0\."),
            ({"max_iter": True}, r"max_iter=True: must be a whole number"),
            ({"tol": -1}, r"tol=-1"),
            ({"balance_seeds": "yes"}, r"balance_seeds='yes': must be True or False\."),
            ({"top_classes": 0}, r"top_classes=0: must be None or a whole number >= 1\."),
            ({"search": "exakt"}, r"unknown search 'exakt'; did you mean 'exact'\?"),
            ({"metric": "cosin"}, r"unknown metric 'cosin'; did you mean 'cosine'\?"),
            ({"metric": "euclidean"}, r"unknown metric 'euclidean'"),
            ({"device": 3}, r"device=3: must be one of 'auto', 'cpu', 'cuda'\."),
            ({"alpha": 2, "tol": None}, r"alpha=2: .* tol=None: "),
        ],
    )
    def test_wrong_parameters_are_all_named_at_once(self, parameters: dict[str, Any], message: str) -> None:
        X, y, _ = blobs()
        with pytest.raises(RequestError, match=f"^Diffusion: .*{message}"):
            Diffusion(**parameters).fit(X, y)

    @pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
    def test_cuda_that_is_not_there(self) -> None:
        X, y, _ = blobs()
        with pytest.raises(RequestError, match="device='cuda': torch sees no CUDA device"):
            Diffusion(device="cuda").fit(X, y)

    def test_verbose_tells_the_stages_on_stderr(self, capsys: pytest.CaptureFixture[str]) -> None:
        X, y, _ = blobs()
        Diffusion(verbose=True).fit(X, y)
        said = capsys.readouterr()
        assert said.out == ""
        assert [line.split(":")[0] for line in said.err.splitlines()] == [
            "Diffusion search",
            "Diffusion graph",
            "Diffusion propagation",
        ]
