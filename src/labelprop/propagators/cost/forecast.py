"""How much memory and time a propagation will take, before it begins: counted from sizes, paced by a short trial."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from labelprop.core import registry
from labelprop.propagators.cost.pace import measured_pace
from labelprop.propagators.cost.stages import Size, Stage, search_for

AROUND = ("baselines", "report")

# Measured with benchmarks/forecast.py.
BASELINE_FITS, BASELINE_STEPS = 8, 150  # of logistic regressions (a few C and folds), and steps of each
BASELINE_SECONDS = 0.5  # of fits that are small
REPORT_BYTES = 100 * 2**20  # of the page; its seconds are known to the one who makes it


@dataclass(frozen=True, slots=True)
class Forecast:
    """Time and memory that a propagation will take. Bytes are those beyond what the process holds already."""

    method: str
    parameters: Mapping[str, Any]
    size: Size
    search: str
    n_neighbors: int
    nbytes: int
    seconds_by_stage: Mapping[str, float]

    @property
    def seconds(self) -> float:
        return sum(self.seconds_by_stage.values())

    @property
    def fit_seconds(self) -> float:
        """Of the propagator alone."""
        return sum(seconds for name, seconds in self.seconds_by_stage.items() if name not in AROUND)

    @property
    def refit_seconds(self) -> float:
        """Of the propagator on the same graph from other labels."""
        return self.seconds_by_stage.get("solve", self.fit_seconds)


def forecast(method: str, parameters: Mapping[str, Any], size: Size) -> Forecast:
    """The forecast for `method` with these parameters (its defaults for the others)."""
    cost = registry.lookup("propagators", method).load()(**parameters).cost(size)
    report = Stage("report", REPORT_BYTES)
    stages = [*cost.stages, *([_baselines(size)] if size.baselines else []), report]
    pace = measured_pace("cuda" if size.on_gpu else "cpu")
    seconds = {
        stage.name: stage.fixed + stage.products / pace.products + stage.passes / pace.passes for stage in stages
    }
    nbytes = int(max(stage.nbytes for stage in stages))
    return Forecast(method, parameters, size, cost.search, cost.n_neighbors, nbytes, seconds)


def _baselines(size: Size) -> Stage:
    """A logistic regression on the labeled rows, for some penalties and folds, and the nearest of them."""
    n, m, d, c = size.n, size.n_seeds, size.d, size.n_classes
    _, _, nearest = search_for(size, m, {"n_neighbors": 1, "search": "exact"})
    return Stage(
        "baselines",
        nearest.nbytes + 3 * m * (d + c) * size.float_bytes,
        products=nearest.products + 2 * n * d * c + BASELINE_FITS * BASELINE_STEPS * 4 * m * d * c,
        passes=nearest.passes + n * (d + c),
        fixed=BASELINE_SECONDS,
    )
