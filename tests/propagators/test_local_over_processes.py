"""Local propagation by several processes gives the answers of one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from labelprop.core.errors import DataError, RequestError
from labelprop.graph.seeds import Seeds
from labelprop.propagators.local_over_processes import propagate_over_processes
from labelprop.propagators.local_propagation import LocalPropagation, local_bias
from labelprop.propagators.votes.voters import SeededRows, collect_votes, labeled_only


def problem(n: int = 240, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    truth = rng.integers(3, size=n)
    X = rng.normal(size=(3, 6))[truth] + rng.normal(size=(n, 6))
    return X, np.where(rng.random(n) < 0.2, truth, -1)


def in_parts(X: np.ndarray, seeds: Seeds, bounds: list[int], settings: dict[str, Any]) -> list[torch.Tensor]:
    """Weights of the votes on each part, all parts in this process: what each would gather is gathered by hand."""
    whole = SeededRows.whole(X, seeds, "cpu")
    mailbox: list[list[torch.Tensor]] = [[] for _ in bounds[1:]]

    def of(part: int, gather: Any) -> SeededRows:
        rows = slice(bounds[part], bounds[part + 1])
        vectors = SeededRows.whole(X[rows], Seeds.hard(seeds.labels_N[rows], seeds.n_classes), "cpu").rows
        return SeededRows(vectors, whole.labeled, labeled_only(seeds), whole.own_N[rows], gather)

    def bias(part: int, gather: Any) -> torch.Tensor | None:
        return local_bias(of(part, gather), **settings)

    for part, sent in enumerate(mailbox):  # once to see what each sends, again to hand it round
        bias(part, lambda tensor, sent=sent: sent.append(tensor) or [tensor])
    found = []
    for part in range(len(mailbox)):
        turn = iter(range(len(mailbox[0])))

        def gathered(tensor: torch.Tensor, turn: Any = turn) -> list[torch.Tensor]:
            place = next(turn)
            return [sent[place] for sent in mailbox]

        bias_M = bias(part, gathered)
        voting = {name: settings[name] for name in ("n_neighbors", "temperature", "search", "seed")}
        votes, _, _ = collect_votes(of(part, gathered), bias_M, **voting)
        found.append(votes.tally(labeled_only(seeds)))
    return found


@pytest.mark.parametrize("pool", ["unlabeled", "all"])
@pytest.mark.parametrize("density", ["joint", "conditional", "ratio", None])
@pytest.mark.parametrize("bounds", [[0, 240], [0, 100, 240], [0, 3, 4, 120, 240]])
def test_parts_put_together_are_the_whole(bounds: list[int], density: str | None, pool: str) -> None:
    X, y = problem()
    seeds = Seeds.hard(torch.from_numpy(y), 3)
    settings: dict[str, Any] = {
        "density": density,
        "pool": pool,
        "n_density": 9,
        "n_neighbors": 6,
        "temperature": 0.2,
        "search": "exact",
        "seed": 0,
    }
    wanted = LocalPropagation(**{name: settings[name] for name in settings if name != "seed"}).spread(X, seeds)
    found = torch.cat(in_parts(X, seeds, bounds, settings))
    torch.testing.assert_close(found, wanted.scores_NC, rtol=1e-9, atol=1e-12)


def test_processes_give_the_answers_of_one(tmp_path: Path) -> None:
    X, y = problem()
    np.save(tmp_path / "x.npy", X)
    soft = np.where(y[:, None] >= 0, np.eye(3)[y] + 0.1, 0)
    seeds = Seeds.soft(torch.from_numpy(soft), torch.from_numpy(np.random.default_rng(0).random(240) + 0.5))
    found = propagate_over_processes(tmp_path / "x.npy", seeds, n_processes=2, density="conditional", pool="all")
    wanted = LocalPropagation(density="conditional", pool="all", search="exact").spread(X, seeds)
    torch.testing.assert_close(found.scores_NC, wanted.scores_NC, rtol=1e-9, atol=1e-12)
    assert torch.equal(found.labels_N, wanted.labels_N)
    assert torch.equal(found.reached_N, wanted.reached_N)
    torch.testing.assert_close(found.certainty_N, wanted.certainty_N)


def test_a_bad_row_is_named_by_its_number_in_the_whole() -> None:
    X, y = problem()
    X[200, 3] = np.nan
    with pytest.raises(DataError, match="row 200 of the features holds NaN"):
        propagate_over_processes(X, Seeds.hard(torch.from_numpy(y), 3), n_processes=2)


def test_wrong_requests(tmp_path: Path) -> None:
    X, y = problem()
    seeds = Seeds.hard(torch.from_numpy(y), 3)
    with pytest.raises(RequestError, match="n_processes=0, threads=1: both must be at least 1"):
        propagate_over_processes(X, seeds, n_processes=0)
    with pytest.raises(RequestError, match="there are 100 vectors and 240 seeds"):
        propagate_over_processes(X[:100], seeds)
