"""The cost model: what grows with what, that every method has one, and (slow) that it holds."""

from __future__ import annotations

import json
import math
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from labelprop.core import registry
from labelprop.core.errors import RequestError
from labelprop.propagators.cost.forecast import Forecast, forecast
from labelprop.propagators.cost.pace import measured_pace
from labelprop.propagators.cost.stages import Size
from labelprop.runs import plan as plan_module
from labelprop.runs.plan import check_memory, plan_lines

SIZE = Size(n=100_000, d=128, n_classes=50, n_seeds=500)
METHODS = tuple(registry.entries("propagators"))
BENCHMARKS = Path(__file__).parents[3] / "benchmarks"


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("n", [1, 2, 100, 10**5, 10**7])
def test_every_method_has_a_forecast(method: str, n: int) -> None:
    found = forecast(method, {}, replace(SIZE, n=n, n_seeds=1 + n // 200))
    assert found.nbytes > 0
    assert all(math.isfinite(seconds) and seconds >= 0 for seconds in found.seconds_by_stage.values())
    assert list(found.seconds_by_stage)[-2:] == ["baselines", "report"]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("larger", [{"n": 400_000}, {"n_classes": 500}, {"double": True}, {"n_seeds": 20_000}])
def test_larger_problems_take_no_less(method: str, larger: dict[str, int]) -> None:
    small, large = forecast(method, {}, SIZE), forecast(method, {}, replace(SIZE, **larger))
    assert large.nbytes >= small.nbytes
    assert large.seconds >= 0.99 * small.seconds


@pytest.mark.parametrize(
    ("method", "n", "k", "advised"),
    [
        ("diffusion", 150, 50, 10),
        ("diffusion", 15, 50, 3),
        ("diffusion", 151, 50, 0),
        ("poisson", 150, 10, 0),
        ("local", 15, 50, 0),
        ("auto", 15, 50, 0),
    ],
)
def test_a_plan_warns_of_neighbors_that_are_a_third_of_all_rows(method: str, n: int, k: int, advised: int) -> None:
    parameters = {} if method == "auto" else {"n_neighbors": k}
    said = plan_lines(forecast(method, parameters, Size(n=n, d=9, n_classes=5, n_seeds=9)), "float32")
    flags = [line.split("--n-neighbors ")[1] for line in said if "--n-neighbors" in line]
    assert flags == ([str(advised)] if advised else [])


def test_neighbors_and_classes_count_in_memory() -> None:
    usual = forecast("diffusion", {}, SIZE)
    assert forecast("diffusion", {"n_neighbors": 200}, SIZE).nbytes > 2 * usual.nbytes
    wide = replace(SIZE, n_classes=4000)
    assert forecast("diffusion", {}, wide).nbytes < 20 * usual.nbytes, "results beyond 2^28 numbers are sparse"
    assert forecast("diffusion", {"top_classes": 100}, wide).nbytes > forecast("diffusion", {}, wide).nbytes


def test_the_search_is_the_one_that_will_run() -> None:
    assert forecast("diffusion", {}, replace(SIZE, n=20_000)).search == "exact"
    assert forecast("diffusion", {}, SIZE).search == "approximate"
    assert forecast("diffusion", {"search": "exact"}, SIZE).search == "exact"
    assert forecast("weighted-knn", {}, SIZE).search == "exact", "against the labeled rows alone"
    assert forecast("diffusion", {"n_neighbors": 30}, replace(SIZE, n=20)).n_neighbors == 19


def test_all_pairs_of_a_gaussian_kernel_count() -> None:
    size = replace(SIZE, n=15_000)
    pairs = forecast("label-spreading", {"kernel": "rbf"}, size)
    assert pairs.nbytes > 8 * 15_000**2
    assert "all pairs of rows" in plan_lines(pairs, "float32")[1]


def test_a_propagator_of_another_package_is_taken_for_a_solve_on_a_graph(monkeypatch: pytest.MonkeyPatch) -> None:
    known = dict(registry.entries("propagators"))
    own = {**known, "of-another": replace(known["diffusion"], parameters={"n_neighbors": 50})}
    monkeypatch.setattr(registry, "entries", lambda name: own)
    assert forecast("of-another", {}, SIZE).nbytes == forecast("diffusion", {}, SIZE).nbytes


def test_the_pace_is_measured_once_and_quickly() -> None:
    measured_pace.cache_clear()
    began = time.perf_counter()
    pace = measured_pace()
    assert time.perf_counter() - began < 2
    assert pace.products > 1e8
    assert pace.passes > 1e6
    assert measured_pace() is pace


def made(**changes: object) -> Forecast:
    plan = forecast("diffusion", {"n_neighbors": 100}, SIZE)
    return replace(plan, seconds_by_stage={"search": 70.0, "solve": 0.2}, **changes)


def test_the_plan_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan_module, "available_bytes", lambda: 8 * 10**9)
    monkeypatch.setattr(plan_module, "held_bytes", lambda: 3 * 10**8)
    assert plan_lines(made(nbytes=10**9), "float16") == [
        "plan: 100,000 float16 vectors of 128 dimensions, 500 labeled in 50 classes",
        "plan: diffusion, metric cosine, 100 neighbors by approximate search",
        "plan: peak memory about 1.3 GB (8.0 GB free); about 1 min 10 s (search 1 min 10 s, solve under 1 s)",
    ]
    assert plan_lines(made(nbytes=7 * 10**9), "float32")[-1].startswith("warning: that is close to")
    monkeypatch.setattr(plan_module, "available_bytes", lambda: None)
    assert "peak memory about 1.3 GB; " in plan_lines(made(nbytes=10**9), "float32")[-1]


def test_only_what_fits_is_advised(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        plan_module, "available_bytes", lambda: forecast("diffusion", {"n_neighbors": 15}, SIZE).nbytes
    )
    with pytest.raises(RequestError) as error:
        check_memory(forecast("diffusion", {"n_neighbors": 100}, SIZE))
    assert "--n-neighbors 10 (about" in str(error.value)
    assert "--n-neighbors 20 (about" not in str(error.value)
    assert "--method local (about" in str(error.value)
    check_memory(forecast("diffusion", {"n_neighbors": 10}, SIZE))


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(("n", "d", "n_classes"), [(20_000, 64, 40), (60_000, 64, 200)])
def test_the_forecast_of_memory_holds_within_half(
    method: str, n: int, d: int, n_classes: int, tmp_path: Path
) -> None:
    """All that the process holds at its highest, in a process of its own; `benchmarks/forecast.py` has more sizes."""
    sys.path.insert(0, str(BENCHMARKS))
    from forecast import write_problem

    write_problem(tmp_path, n, d, n_classes)
    command = [sys.executable, BENCHMARKS / "forecast.py", "--cell", tmp_path, method]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=True)
    row = json.loads(done.stdout.splitlines()[-1])
    assert 1 / 1.5 <= row["memory_ratio"] <= 1.5, row
    assert np.isfinite(row["time_ratio"])


def test_a_search_by_distance_takes_longer_than_one_by_cosine() -> None:
    size = Size(n=10_000, d=64, n_classes=10, n_seeds=100)
    by_distance, by_cosine = (
        forecast("poisson", given, size).seconds_by_stage for given in ({}, {"metric": "cosine"})
    )
    assert by_distance["search"] == pytest.approx(2.5 * by_cosine["search"])
    assert by_distance["solve"] == by_cosine["solve"]
