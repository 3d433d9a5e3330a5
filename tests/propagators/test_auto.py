"""AutoPropagation on problems whose winner is known, and what it promises whoever wins."""

from __future__ import annotations

import pickle
import tracemalloc
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy import sparse
from sklearn.base import clone
from sklearn.datasets import make_moons
from sklearn.neighbors import KNeighborsTransformer

from labelprop.core.errors import DataError, RequestError
from labelprop.core.progress import reporting_to
from labelprop.core.registry import HEADS, PROPAGATORS
from labelprop.graph.seeds import Seeds
from labelprop.propagators.auto import AutoPropagation
from labelprop.propagators.choice import fits, heads, members, settled, shared_search
from labelprop.propagators.choice.candidates import MEASURED, NEIGHBORS, Candidate, list_candidates
from labelprop.propagators.choice.content import content_keys
from labelprop.propagators.choice.weighing import GRAPHS, TABLE
from labelprop.propagators.diffusion import Diffusion
from labelprop.propagators.estimator import graph_propagator
from labelprop.propagators.label_propagation import LabelPropagation
from labelprop.propagators.poisson import Poisson
from labelprop.propagators.spectral_cut import SpectralCut
from labelprop.propagators.weighted_knn import WeightedKNN

TWO = ["label-propagation", "diffusion"]


def seeds_of(truth: np.ndarray, per_class: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    y = np.full(len(truth), -1)
    for label in np.unique(truth):
        y[rng.choice(np.flatnonzero(truth == label), per_class, replace=False)] = label
    return y


def moons(n: int = 300) -> tuple[np.ndarray, np.ndarray]:
    """Two interleaved half circles, lifted so that angles are distances: connected, but not linear."""
    rng = np.random.default_rng(0)
    truth = np.arange(n) % 2
    turn = rng.uniform(0, np.pi, n)
    plane = np.stack([np.cos(turn) - 0.5 + truth, (np.sin(turn) - 0.25) * (1 - 2 * truth)], axis=1)
    plane += 0.04 * rng.normal(size=plane.shape)
    return np.column_stack([plane, np.full(n, 2.0)]), truth


def crossed(n: int = 400) -> tuple[np.ndarray, np.ndarray]:
    """Clusters that hold both classes alike, parted by one small coordinate: linear, but neighbors tell nothing."""
    rng = np.random.default_rng(0)
    truth, cluster = np.arange(n) % 2, rng.integers(4, size=n)
    X = np.zeros((n, 12))
    X[:, 0] = 0.2 * (2 * truth - 1)
    X[:, 1:5] = 3 * np.eye(4)[cluster]
    X[:, 5:] = 0.4 * rng.normal(size=(n, 7))
    return X, truth


def islands(per_island: int = 60) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Three clusters a class, too large for neighbor lists to leave; those of a class lean the same way."""
    rng = np.random.default_rng(0)
    cluster = np.repeat(np.arange(6), per_island)
    truth = cluster % 2
    X = 4 * np.eye(6, 10)[cluster] + 0.3 * rng.normal(size=(len(cluster), 10))
    X[:, 9] = 2 * (2 * truth - 1)
    return X, truth, np.flatnonzero(np.arange(len(cluster)) % per_island == 0)


def blobs(n: int = 90) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    truth = np.arange(n) % 3
    return 5 * np.eye(3, 8)[truth] + rng.normal(size=(n, 8)), truth


def accuracy(found: Any, truth: np.ndarray, y: np.ndarray) -> float:
    return float((found.transduction_ == truth)[y < 0].mean())


class TestChoice:
    def test_a_graph_wins_where_neighbors_tell_and_lines_do_not(self) -> None:
        X, truth = moons()
        y = seeds_of(truth, 8)
        found = AutoPropagation().fit(X, y)
        assert found.method_ in PROPAGATORS
        assert accuracy(found, truth, y) > 0.99
        assert accuracy(AutoPropagation(candidates=["labels-only"]).fit(X, y), truth, y) < 0.95

    def test_a_head_wins_where_lines_tell_and_neighbors_do_not(self) -> None:
        X, truth = crossed()
        y = seeds_of(truth, 25)
        found = AutoPropagation(candidates=[*TWO, "labels-only"]).fit(X, y)
        assert found.method_ == "labels-only"
        assert accuracy(found, truth, y) > accuracy(Diffusion().fit(X, y), truth, y) + 0.1

    def test_rows_that_one_member_does_not_reach_are_labeled_by_the_others(self) -> None:
        X, truth, one_each = islands()
        y = np.full(len(truth), -1)
        y[one_each[:2]] = truth[one_each[:2]]
        graphs = AutoPropagation(candidates=["label-propagation", "spectral-cut"]).fit(X, y)
        assert 0.3 < graphs.reached_.mean() < 0.4, "two islands of six"
        found = AutoPropagation(candidates=["label-propagation", "spectral-cut", "soft-head"]).fit(X, y)
        assert found.reached_.all()
        assert accuracy(found, truth, y) == 1
        away = ~graphs.reached_
        assert found.certainty_[away].mean() < found.certainty_[~away].mean(), "fewer members speak there"

    def test_one_that_reaches_more_joins_with_little_weight(self) -> None:
        X, truth, one_each = islands()
        kept = np.arange(len(truth)) < 5 * 60 + 30  # the last cluster is small: 50 neighbors lead out of it
        X, truth = X[kept], truth[kept]
        y = np.full(len(truth), -1)
        y[one_each[:5]] = truth[one_each[:5]]
        y[one_each[:5]] = np.arange(5)
        found = AutoPropagation(candidates=["poisson"]).fit(X, y)
        alone = Poisson(n_neighbors=20, metric="cosine", sharpness=8).fit(X, y)
        assert (found.n_neighbors_, alone.reached_.all()) == (20, False)
        shares = [(own["n_neighbors"], round(weight, 2)) for _, own, weight in found.members_]
        assert shares == [(20, 0.95), (50, 0.05)]
        assert found.reached_.all()
        settled_rows = alone.reached_ & (alone.certainty_ > 0.5)
        np.testing.assert_array_equal(found.transduction_[settled_rows], alone.transduction_[settled_rows])

    def test_the_soft_head_learns_from_a_propagator_that_is_named(self) -> None:
        X, truth = blobs()
        y = seeds_of(truth, 4)
        alone = AutoPropagation(candidates=["soft-head"]).fit(X, y)
        assert (alone.method_, alone.n_neighbors_) == ("soft-head", NEIGHBORS[0])
        assert all(name in alone.reason_ for name in GRAPHS)
        of_one = AutoPropagation(candidates=["diffusion", "soft-head"], metric="cosine").fit(X, seeds_of(truth, 1))
        assert of_one.reason_.endswith("The soft head learned from diffusion with 20 neighbors alone.")
        assert accuracy(alone, truth, y) > 0.95

    @pytest.mark.parametrize("cv", [2, 5])
    def test_seeds_are_hidden_in_as_many_folds_as_asked_for(self, cv: int) -> None:
        X, truth = blobs()
        y = seeds_of(truth, 16)
        y[np.flatnonzero(y == 1)[1:]] = -1
        found = AutoPropagation(candidates=["weighted-knn"], cv=cv).fit(X, y)
        assert f"by 32 hidden seeds ({cv} folds;" in found.reason_, "one label is never hidden"

    def test_only_what_was_named_is_tried(self) -> None:
        X, truth = blobs()
        found = AutoPropagation(candidates=["poisson"]).fit(X, seeds_of(truth, 5))
        assert found.method_ == "poisson"
        assert AutoPropagation(candidates=["poisson"]).fit(X, seeds_of(truth, 1)).method_ == "poisson"

    def test_soft_seeds_are_hidden_like_others(self) -> None:
        X, truth = blobs()
        y = seeds_of(truth, 12)
        soft = np.where(y[:, None] >= 0, 0.8 * np.eye(3)[y] + 0.1, 0)
        found = AutoPropagation(candidates=[*TWO, "labels-only"]).fit(X, soft)
        assert "hidden seeds" in found.reason_
        np.testing.assert_array_equal(found.transduction_, truth)


class TestHidden:
    @pytest.mark.parametrize("per_class", [1, 8])
    def test_the_order_of_the_rows_does_not_matter(self, per_class: int, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(settled, "SAMPLE", 300)
        monkeypatch.setattr(fits, "SOFT_SAMPLE", 300)
        rng = np.random.default_rng(0)
        truth = rng.integers(5, size=700)
        X = 2.2 * np.eye(5, 12)[truth] + rng.normal(size=(700, 12))
        y, order = seeds_of(truth, per_class), rng.permutation(700)
        found, moved = AutoPropagation().fit(X, y), AutoPropagation().fit(X[order], y[order])
        assert 0.4 < accuracy(found, truth, y) < 0.97, "labels that everything finds would not tell"
        assert (moved.transduction_ == found.transduction_[order]).mean() >= 0.999
        assert [name for name, *_ in moved.members_] == [name for name, *_ in found.members_]
        assert sorted(moved.trials_) == sorted(found.trials_)

    def test_no_fit_sees_the_seeds_that_it_is_asked_for(self, monkeypatch: pytest.MonkeyPatch) -> None:
        X, truth = blobs()
        y = seeds_of(truth, 12)
        asked: list[tuple[set[int], set[int]]] = []  # what a fold hides, and the seeds of a fit in it
        hiding: list[set[int]] = []
        answer, spread, head = fits.CandidateFits.answer, fits.CandidateFits.spread, heads._Fit.__init__

        def spy_answer(self: Any, candidate: Any, shown: Seeds, hidden: Any, fold: int) -> Any:
            hiding.append(set(hidden.folds[fold].tolist()))
            found = answer(self, candidate, shown, hidden, fold)
            hiding.pop()
            return found

        def note(seeds: Seeds) -> None:
            if hiding:
                assert (seeds.weights_N[seeds.labels_N < 0] == 0).all()
                asked.append((hiding[-1], set(seeds.mask_N.nonzero().squeeze(1).tolist())))

        def spy_spread(self: Any, candidate: Any, seeds: Seeds, *, rough: bool) -> Any:
            note(seeds)
            return spread(self, candidate, seeds, rough=rough)

        def spy_head(self: Any, rows: Any, seeds: Seeds, *others: Any) -> None:
            note(seeds)
            head(self, rows, seeds, *others)

        monkeypatch.setattr(fits.CandidateFits, "answer", spy_answer)
        monkeypatch.setattr(fits.CandidateFits, "spread", spy_spread)
        monkeypatch.setattr(heads._Fit, "__init__", spy_head)
        AutoPropagation().fit(X, y)
        every = set(np.flatnonzero(y >= 0).tolist())
        assert len(asked) > 40
        assert all(seen == every - hidden and hidden for hidden, seen in asked)

    def test_one_seed_gives_one_answer(self) -> None:
        X, truth = blobs()
        y = seeds_of(truth, 12)
        found, again = AutoPropagation().fit(X, y), AutoPropagation().fit(X, y)
        np.testing.assert_array_equal(found.scores_, again.scores_)
        assert found.members_ == again.members_


class TestMembers:
    @pytest.mark.parametrize("per_class", [2, 12])
    def test_scores_and_predictions_are_those_of_the_members_joined(self, per_class: int) -> None:
        X, truth = blobs()
        X = X * 0.6  # so that nothing is certain
        y = seeds_of(truth, per_class)
        names = ["label-propagation", "spectral-cut", "weighted-knn", "label-spreading"]
        found = AutoPropagation(candidates=names, metric="cosine").fit(X, y)
        assert len(found.members_) > 1
        assert sum(weight for *_, weight in found.members_) == pytest.approx(1)
        new = X[:30] + 0.05
        sums = {"fitted": np.zeros((90, 3)), "new": np.zeros((30, 3))}
        for name, own, weight in found.members_:
            alone = PROPAGATORS[name].load()(**own).fit(X, y)
            for key, shares in (("fitted", alone.label_distributions_), ("new", alone.predict_proba(new))):
                logs = np.log(np.maximum(shares, 1e-6))
                deviation = logs.std(axis=1, keepdims=True)
                sums[key] += (
                    weight * (logs - logs.mean(axis=1, keepdims=True)) / np.where(deviation > 0, deviation, 1)
                )
        scores, predicted = sums["fitted"], sums["new"]
        sure = found.scores_.std() / scores.std()  # the sum of the weights
        np.testing.assert_allclose(found.scores_, sure * scores, atol=1e-4)
        shares = np.exp(found.scores_) / np.exp(found.scores_).sum(axis=1, keepdims=True)
        np.testing.assert_allclose(found.label_distributions_, shares, rtol=1e-6)
        wanted = np.exp(sure * predicted) / np.exp(sure * predicted).sum(axis=1, keepdims=True)
        np.testing.assert_allclose(found.predict_proba(new), wanted, atol=1e-4)
        np.testing.assert_array_equal(found.predict(new), wanted.argmax(axis=1))
        kept = pickle.loads(pickle.dumps(found))
        np.testing.assert_array_equal(kept.predict_proba(new), found.predict_proba(new))

    def test_blocks_of_new_rows_change_nothing(self, monkeypatch: pytest.MonkeyPatch) -> None:
        X, truth = blobs()
        found = AutoPropagation().fit(X, seeds_of(truth, 2))
        whole = found.predict_proba(X + 0.05)
        monkeypatch.setattr(members, "BLOCK_ELEMENTS", 7 * 3 * len(found.members_))
        np.testing.assert_allclose(found.predict_proba(X + 0.05), whole, rtol=1e-6)


class TestMetric:
    @pytest.mark.parametrize("candidates", [None, ["label-propagation"], ["label-spreading", "weighted-knn"]])
    def test_distances_are_taken_where_angles_say_little(self, candidates: list[str] | None) -> None:
        X, truth = make_moons(300, noise=0.05, random_state=0)
        y = seeds_of(truth, 10)
        found = AutoPropagation(candidates=candidates).fit(X, y)
        assert (found.metric_, accuracy(found, truth, y)) == ("euclidean", 1)
        assert found.method_ in ("label-propagation", "label-spreading", "poisson")
        assert (found.predict(X + 0.01) == truth).mean() > 0.99
        angles = AutoPropagation(candidates=candidates, metric="cosine").fit(X, y)
        assert angles.metric_ == "cosine"
        assert accuracy(angles, truth, y) < 0.95

    @pytest.mark.parametrize("form", [np.asarray, sparse.csr_array, torch.tensor])
    def test_it_is_settled_on_some_of_many_rows(self, form: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        X, truth = make_moons(400, noise=0.05, random_state=0)
        searched: list[tuple[int, str]] = []

        def spy(rows: Any, k: int, **options: Any) -> Any:
            searched.append((rows.n, options["metric"]))
            return nearest(rows, k, **options)

        nearest = shared_search.nearest
        monkeypatch.setattr(shared_search, "nearest", spy)
        monkeypatch.setattr(settled, "SAMPLE", 200)
        y = seeds_of(truth, 20)
        found = AutoPropagation(candidates=["label-propagation"]).fit(form(X), y)
        sample = len({*np.argsort(content_keys(form(X)))[:200].tolist(), *np.flatnonzero(y >= 0).tolist()})
        assert searched == [(sample, "euclidean"), (sample, "cosine"), (400, "euclidean")]
        assert (found.metric_, accuracy(found, truth, y)) == ("euclidean", 1)

    def test_angles_are_taken_where_lengths_say_little(self) -> None:
        X, truth = blobs()
        X = np.hstack([X, np.zeros((90, 2))]) * np.random.default_rng(1).uniform(0.1, 30, size=(90, 1))
        y = seeds_of(truth, 5)
        found = AutoPropagation(candidates=["label-propagation"]).fit(X, y)
        assert (found.metric_, found.sharpness_ in (1, 4, 8)) == ("cosine", True)
        assert accuracy(found, truth, y) > 0.95

    def test_one_metric_is_for_the_methods_that_take_it(self) -> None:
        X, truth = blobs()
        found = AutoPropagation(metric="euclidean").fit(X, seeds_of(truth, 4))
        assert found.method_ in ("label-propagation", "label-spreading", "poisson", *HEADS)
        lines = list_candidates(None, 90, 3, given_graph=False, metric="euclidean")
        assert {line.method for line in lines} == {"label-propagation", "label-spreading", "poisson", *HEADS}
        with pytest.raises(RequestError, match=r"none can work with metric='euclidean'.*Name a propagator"):
            AutoPropagation(metric="euclidean", candidates=["diffusion"]).fit(X, seeds_of(truth, 4))


class TestWideSparseFeatures:
    WIDTH = 3_000_000

    def features(self, rows: int = 120, per_row: int = 20) -> tuple[sparse.csr_array, np.ndarray]:
        """Words of a class's own, and as many of a vast vocabulary."""
        rng = np.random.default_rng(0)
        truth = np.arange(rows) % 3
        own = 1_000_000 * truth[:, None] + rng.integers(40, size=(rows, per_row))
        columns = np.concatenate([own, rng.integers(self.WIDTH, size=(rows, per_row))], axis=1)
        crow = np.arange(0, columns.size + 1, 2 * per_row)
        data = np.ones(columns.size, dtype=np.float32)
        return sparse.csr_array((data, columns.ravel(), crow), shape=(rows, self.WIDTH)), truth

    @pytest.mark.parametrize("name", HEADS)
    def test_heads_have_weights_for_columns_in_use_alone(self, name: str) -> None:
        X, truth = self.features()
        y = seeds_of(truth, 5)
        tracemalloc.start()
        found = AutoPropagation(candidates=[name]).fit(X, y)
        predicted = found.predict(X)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 10 * 4 * self.WIDTH, "a few arrays of one number a column, and none of three"
        assert found._members[0].fitted.weights_DC.shape[0] <= X.nnz
        assert accuracy(found, truth, y) > 0.95
        np.testing.assert_array_equal(predicted, found.label_distributions_.argmax(axis=1))
        narrow = X[:, np.unique(X.indices)].toarray()
        wanted = AutoPropagation(candidates=[name]).fit(narrow, y)
        np.testing.assert_allclose(found.label_distributions_, wanted.label_distributions_, atol=1e-3)

    def test_a_head_that_is_too_large_is_left_out(self, monkeypatch: pytest.MonkeyPatch) -> None:
        X, truth = self.features()
        y = seeds_of(truth, 5)
        of_seeds = len(np.unique(X[y >= 0].indices)) * 3
        monkeypatch.setattr(heads, "MOST_WEIGHTS", of_seeds)
        found = AutoPropagation(candidates=["label-propagation", *HEADS]).fit(X, y)
        assert found.reason_.endswith("Left out: soft-head.")
        monkeypatch.setattr(heads, "MOST_WEIGHTS", of_seeds - 1)
        with pytest.raises(RequestError, match=r"would have .* weights.*TruncatedSVD"):
            AutoPropagation(candidates=list(HEADS)).fit(X, y)


class TestReason:
    @pytest.mark.parametrize(("per_class", "part"), [(1, "none of the seeds"), (5, "15 of the seeds")])
    def test_few_seeds_follow_the_table_and_say_so(self, per_class: int, part: str) -> None:
        X, truth = blobs()
        found = AutoPropagation().fit(X, seeds_of(truth, per_class))
        assert found.reason_.startswith("joined: ")
        assert f"by the table for {per_class} labels a class: {part} can be hidden" in found.reason_
        assert "\n" not in found.reason_
        assert {name for name, *_ in found.members_} == set(TABLE[per_class])
        assert (found.trials_, found.method_) == ([], found.members_[0][0])

    def test_a_class_whose_seeds_weigh_nothing_has_none_to_hide(self) -> None:
        X, truth = blobs()
        y = seeds_of(truth, 12)
        found = AutoPropagation().fit(X, y, sample_weight=np.where(y == 2, 0, 1))
        assert "24 of the seeds can be hidden" in found.reason_

    def test_hidden_seeds_are_counted_out(self) -> None:
        X, truth = blobs()
        found = AutoPropagation(candidates=[*TWO, "weighted-knn"]).fit(X, seeds_of(truth, 12))
        assert "by 36 hidden seeds (5 folds; right alone: " in found.reason_
        assert "\n" not in found.reason_
        assert {n for *_, n in found.trials_} == {36}
        assert len(found.trials_) == 5


class TestSharing:
    def test_one_search_serves_all_candidates_and_folds(self, monkeypatch: pytest.MonkeyPatch) -> None:
        X, truth = blobs()
        searches: list[int] = []

        def spy(rows: Any, k: int, **options: Any) -> Any:
            searches.append(k)
            return nearest(rows, k, **options)

        def refuse(*_: Any, **__: Any) -> None:
            raise AssertionError("a candidate searched for itself")

        nearest = shared_search.nearest
        monkeypatch.setattr(shared_search, "nearest", spy)
        monkeypatch.setattr(graph_propagator, "nearest", refuse)
        AutoPropagation(candidates=[*TWO, "poisson", *HEADS], metric="cosine").fit(X, seeds_of(truth, 12))
        assert searches == [50]
        AutoPropagation(candidates=[*TWO, "poisson", *HEADS]).fit(X, seeds_of(truth, 12))
        assert searches == [50, 50, 50], "one by distance as well"
        unit = X / np.linalg.norm(X, axis=1, keepdims=True)
        for given in (unit, sparse.csr_array(unit), unit.astype(np.float16)):
            searches.clear()
            AutoPropagation(candidates=[*TWO, "poisson", *HEADS]).fit(given, seeds_of(truth, 12))
            assert searches == [50], "distances of unit vectors say what their cosines say"

    def test_a_warm_start_keeps_the_search_only_for_the_same_rows(self, monkeypatch: pytest.MonkeyPatch) -> None:
        X, truth = blobs()
        warm = AutoPropagation(candidates=TWO, warm_start=True).fit(X, seeds_of(truth, 12))
        searches: list[int] = []
        nearest = shared_search.nearest

        def spy(rows: Any, k: int, **options: Any) -> Any:
            searches.append(k)
            return nearest(rows, k, **options)

        monkeypatch.setattr(shared_search, "nearest", spy)
        again = warm.fit(X, seeds_of(truth, 12, seed=1))
        assert searches == []
        np.testing.assert_array_equal(again.scores_, clone(warm).fit(X, seeds_of(truth, 12, seed=1)).scores_)
        searches.clear()
        warm.fit(X + 1, seeds_of(truth, 12))
        assert searches == [50, 50]

    def test_the_chosen_one_answers_as_if_fitted_alone(self) -> None:
        X, truth = blobs()
        y = seeds_of(truth, 2)
        new = X[:20] + 0.1
        for name, alone in (
            ("label-propagation", LabelPropagation(reweight="poisson")),
            ("diffusion", Diffusion()),
            ("spectral-cut", SpectralCut()),
            ("weighted-knn", WeightedKNN()),
        ):
            found = AutoPropagation(candidates=[name]).fit(X, y)
            kernel = {"sharpness": found.sharpness_} if found.sharpness_ else {}
            wanted = alone.set_params(n_neighbors=found.n_neighbors_, metric=found.metric_, **kernel).fit(X, y)
            np.testing.assert_allclose(found.scores_, wanted.scores_, rtol=1e-9)
            np.testing.assert_allclose(found.predict_proba(new), wanted.predict_proba(new), rtol=1e-9)
            np.testing.assert_array_equal(found.transduction_, wanted.transduction_)
            assert found.graph_.shape == wanted.graph_.shape
            assert (found.n_iter_, found.converged_) == (wanted.n_iter_, wanted.converged_)

    def test_rough_solves_are_not_what_is_kept(self) -> None:
        X, truth = blobs()
        y = seeds_of(truth, 4)
        found = AutoPropagation(candidates=["label-propagation"]).fit(X, y)
        kernel = {"metric": found.metric_, "sharpness": found.sharpness_}
        wanted = LabelPropagation(n_neighbors=found.n_neighbors_, reweight="poisson", **kernel).fit(X, y)
        np.testing.assert_allclose(found.scores_, wanted.scores_, rtol=1e-9)
        assert found.residual_ <= 1e-6

    def test_hiding_takes_a_seed_out_of_everything(self) -> None:
        import torch

        seeds = Seeds.soft(torch.eye(4, dtype=torch.float64))
        shown = fits.hide_seeds(seeds, np.array([1, 3]))
        assert shown.labels_N.tolist() == [0, -1, 2, -1]
        assert shown.weights_N.tolist() == [1, 0, 1, 0]
        assert shown.columns(range(4), torch.float64).sum(dim=1).tolist() == [1, 0, 1, 0]
        assert seeds.labels_N.tolist() == [0, 1, 2, 3], "the seeds themselves were changed"


class TestResults:
    def test_a_head_reaches_every_row_that_holds_anything_and_leaves_the_search_behind(self) -> None:
        X, truth = blobs()
        X[60] = 0
        y = seeds_of(truth, 2)
        y[60] = -1
        found = AutoPropagation(candidates=["labels-only"]).fit(X, y)
        assert (found.method_, found.n_neighbors_) == ("labels-only", None)
        held = np.arange(90) != 60
        np.testing.assert_array_equal(found.reached_, held)
        np.testing.assert_array_equal(found.transduction_ >= 0, held)
        assert (found.n_iter_, found.residual_, found.converged_, found.recall_) == (0, 0.0, True, 1.0)
        assert found.graph_.shape == (90, 90)
        assert found.graph_.n_edges == 89 * 50, "a row of zeros has no neighbors"
        np.testing.assert_array_equal(found.scores_[held], found.label_distributions_[held])
        np.testing.assert_allclose(found.predict_proba(X[held]), found.label_distributions_[held], rtol=1e-6)
        np.testing.assert_array_equal(found.predict(X[held]), found.label_distributions_[held].argmax(axis=1))
        assert found.predict(X[~held]) == -1

    @pytest.mark.parametrize("name", ["diffusion", "poisson", "spectral-cut", "local", "labels-only"])
    def test_certainty_is_the_share_of_the_label(self, name: str) -> None:
        X, truth = blobs()
        y = seeds_of(truth, 2)
        found = AutoPropagation(candidates=[name]).fit(X, y)
        shares = found.label_distributions_.max(axis=1)
        np.testing.assert_allclose(found.certainty_, np.where(y >= 0, 1, np.where(found.reached_, shares, 0)))
        sparse_found = AutoPropagation(candidates=[name], top_classes=2).fit(X, y)
        np.testing.assert_allclose(sparse_found.certainty_, found.certainty_)
        assert sparse.issparse(sparse_found.label_distributions_)

    @pytest.mark.parametrize("name", ["label-propagation", "labels-only", "soft-head", "local"])
    def test_pickled_and_fitted_again_it_says_the_same(self, name: str) -> None:
        X, truth = blobs()
        y = np.array(["a", "b", "c", ""])[seeds_of(truth, 3)]
        found = AutoPropagation(candidates=[name]).fit(X, y)
        again = AutoPropagation(candidates=[name]).fit(X, y)
        np.testing.assert_array_equal(found.scores_, again.scores_)
        assert found.reason_ == again.reason_
        revived = pickle.loads(pickle.dumps(found))
        np.testing.assert_array_equal(revived.predict(X + 0.1), found.predict(X + 0.1))
        np.testing.assert_array_equal(revived.predict_proba(X), found.predict_proba(X))
        assert set(found.predict(X)) == {"a", "b", "c"}

    @pytest.mark.parametrize("form", ["csr", "memmap", "float16"])
    def test_any_features_do_for_heads_and_graphs(self, form: str, tmp_path: Path) -> None:
        X, truth = blobs()
        X = X.astype(np.float16)
        np.save(tmp_path / "X.npy", X)
        given = {
            "csr": sparse.csr_array(X.astype(np.float32)),
            "memmap": np.load(tmp_path / "X.npy", mmap_mode="r"),
            "float16": X,
        }[form]
        found = AutoPropagation(candidates=["diffusion", *HEADS]).fit(given, seeds_of(truth, 4))
        wanted = AutoPropagation(candidates=["diffusion", *HEADS]).fit(X.astype(np.float32), seeds_of(truth, 4))
        assert (found.method_, found.scores_.dtype) == (wanted.method_, np.float32)
        np.testing.assert_array_equal(found.transduction_, wanted.transduction_)
        np.testing.assert_array_equal(found.predict(given[:9]), wanted.predict(X[:9].astype(np.float32)))


class TestGivenGraphs:
    def graph(self, X: np.ndarray) -> sparse.csr_array:
        unit = X / np.linalg.norm(X, axis=1, keepdims=True)
        cosines = np.clip(unit @ unit.T, 0, None)
        np.fill_diagonal(cosines, 0)
        cosines[cosines < np.sort(cosines, axis=1)[:, -12:-11]] = 0
        return sparse.csr_array(np.maximum(cosines, cosines.T))

    @pytest.mark.parametrize("per_class", [2, 4])
    def test_no_heads_and_no_neighbors_to_choose(self, per_class: int) -> None:
        X, truth = blobs()
        y, graph = seeds_of(truth, per_class), self.graph(X)
        found = AutoPropagation(metric="precomputed").fit(graph, y)
        assert found.method_ in PROPAGATORS
        assert (found.recall_, found.n_features_in_) == (None, 90)
        one = AutoPropagation(metric="precomputed", candidates=["label-propagation"]).fit(graph, y)
        assert one.n_neighbors_ is None
        wanted = LabelPropagation(metric="precomputed", reweight="poisson").fit(graph, y)
        np.testing.assert_allclose(one.scores_, wanted.scores_, rtol=1e-9)
        assert found.predict(graph[:5]).shape == (5,)
        lines = list_candidates(None, 90, 3, given_graph=True)
        assert Candidate("poisson") in lines
        assert Candidate("local", 20) in lines
        assert not {candidate.method for candidate in lines} & set(HEADS)

    def test_negative_similarities_leave_out_the_methods_that_take_weights(self) -> None:
        X, truth = blobs()
        y, graph = seeds_of(truth, 4), self.graph(X).tolil()
        graph[0, 1] = graph[1, 0] = -0.5
        found = AutoPropagation(metric="precomputed").fit(graph.tocsr(), y)
        assert found.reason_.endswith("Left out: label-propagation, poisson, label-spreading.")
        assert found.method_ in ("diffusion", "spectral-cut", "weighted-knn", "local")
        assert accuracy(found, truth, y) > 0.95
        with pytest.raises(DataError, match=r"row 0 of the graph holds the negative weight -0.5.*Clip"):
            AutoPropagation(metric="precomputed", candidates=["poisson", "label-spreading"]).fit(graph.tocsr(), y)

    def test_long_distances_leave_out_the_methods_that_read_cosines(self) -> None:
        X, truth = blobs()
        y = seeds_of(truth, 4)
        distances = KNeighborsTransformer(n_neighbors=12).fit_transform(X)
        found = AutoPropagation(metric="precomputed_distances").fit(distances, y)
        assert found.method_ in ("label-propagation", "label-spreading", "poisson")
        assert "Left out: spectral-cut, diffusion" in found.reason_
        assert accuracy(found, truth, y) > 0.95

    def test_heads_alone_are_refused(self) -> None:
        X, truth = blobs()
        with pytest.raises(RequestError, match=r"heads need vectors.*Name a propagator as well"):
            AutoPropagation(candidates=list(HEADS), metric="precomputed").fit(self.graph(X), seeds_of(truth, 2))


class TestCandidates:
    @pytest.mark.parametrize(
        ("candidates", "message"),
        [
            (["difusion"], "did you mean 'diffusion'"),
            (["diffusion", "label-only"], "did you mean 'labels-only'"),
            (["auto"], "unknown candidate 'auto'"),
            ("diffusion", "None or a list of method names"),
            ([], "None or a list of method names"),
            ([3], "unknown candidate '3'"),
        ],
    )
    def test_wrong_ones_are_refused(self, candidates: Any, message: str) -> None:
        X, truth = blobs()
        with pytest.raises(RequestError, match=message) as raised:
            AutoPropagation(candidates=candidates).fit(X, seeds_of(truth, 2))
        assert not str(raised.value).endswith("..")

    def test_one_fold_hides_nothing(self) -> None:
        X, truth = blobs()
        with pytest.raises(RequestError, match="cv=1: must be a whole number >= 2"):
            AutoPropagation(cv=1).fit(X, seeds_of(truth, 4))

    def test_every_propagator_and_head_is_tried_and_the_order_is_by_expectation(self) -> None:
        assert set(MEASURED) == {*PROPAGATORS, *HEADS} - {"auto"}
        assert list(MEASURED.values()) == sorted(MEASURED.values(), reverse=True)
        lines = list_candidates(None, 90, 3, given_graph=False)
        assert list(dict.fromkeys(one.method for one in lines)) == list(MEASURED)
        first = next(iter(MEASURED))
        numbers = {name: [one.n_neighbors for one in lines if one.method == name] for name in MEASURED}
        assert numbers[first] == [20, 10, 50]
        assert all(numbers[name] == ([None] if name in HEADS else [20]) for name in MEASURED if name != first)

    def test_a_propagator_of_another_package_takes_part_behind_those_that_were_measured(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setitem(PROPAGATORS, "of-another", PROPAGATORS["poisson"])
        without_neighbors = replace(PROPAGATORS["poisson"], parameters={"max_iter": 1000})
        monkeypatch.setitem(PROPAGATORS, "without-neighbors", without_neighbors)
        lines = list_candidates(None, 90, 3, given_graph=False)
        assert [one.method for one in lines[-3:]] == [list(MEASURED)[-1], "of-another", "without-neighbors"]
        assert lines[-2:] == [Candidate("of-another", 20), Candidate("without-neighbors")]
        X, truth = blobs()
        assert AutoPropagation(candidates=["of-another"]).fit(X, seeds_of(truth, 4)).method_ == "of-another"
        assert AutoPropagation().fit(X, seeds_of(truth, 4)).method_ in PROPAGATORS

    def test_spectral_cut_is_left_out_where_it_cannot_do_well(self) -> None:
        for n, n_classes, asked in ((1000, 200, True), (1000, 201, False), (100_001, 10, False)):
            methods = {candidate.method for candidate in list_candidates(None, n, n_classes, given_graph=False)}
            assert ("spectral-cut" in methods) == asked
        assert list_candidates(["spectral-cut"], 1000, 500, given_graph=False), "unless it is asked for"

    def test_few_rows_cut_the_neighbors_and_repeat_nothing(self) -> None:
        lines = list_candidates(["diffusion"], 15, 3, given_graph=False)
        assert {candidate.n_neighbors for candidate in lines} == {10, 14}
        assert len(lines) == 2


class Heard:
    """A reporter that keeps what it is told."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.stages: list[tuple[str, float, float]] = []

    def say(self, text: str) -> None:
        self.said.append(text)

    def advance(self, stage: str, done: float, total: float) -> None:
        self.stages.append((stage, done, total))


@pytest.mark.parametrize("per_class", [1, 12])
def test_trials_are_one_stage_that_says_nothing_until_the_choice(per_class: int) -> None:
    X, truth = blobs()
    heard = Heard()
    with reporting_to(heard):
        found = AutoPropagation(random_state=0).fit(X, seeds_of(truth, per_class))
    kinds = [text.split(":")[0] for text in heard.said]
    before, after = kinds[: kinds.index("choice")], kinds[kinds.index("choice") + 1 :]
    assert {text.split()[0] for text in before} == {"search"}
    assert set(after) <= {"propagation"}
    assert len(after) <= len(found.members_), "the members alone"
    trials = [(done, total) for stage, done, total in heard.stages if stage == "choice"]
    assert [done for done, _ in trials] == list(range(1, len(trials) + 1))
    assert len(trials) > 10 if per_class > 1 else not trials
    assert all(done <= total for done, total in trials)
    assert {stage for stage, _, _ in heard.stages} <= {"search", "choice", "solve"}
