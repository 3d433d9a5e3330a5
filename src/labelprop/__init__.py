"""labelprop: a few labels and many unlabeled examples in; honest labels, a classifier and a report out.

Everything is imported where it is first used, so that `import labelprop` costs next to nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

_HOME = {
    "AutoPropagation": "labelprop.propagators.auto",
    "Diffusion": "labelprop.propagators.diffusion",
    "LabelPropagation": "labelprop.propagators.label_propagation",
    "LabelSpreading": "labelprop.propagators.label_spreading",
    "LabelpropError": "labelprop.core.errors",
    "LocalPropagation": "labelprop.propagators.local_propagation",
    "Poisson": "labelprop.propagators.poisson",
    "Run": "labelprop.runs.run",
    "SeedKFold": "labelprop.graph.seeds",
    "SpectralCut": "labelprop.propagators.spectral_cut",
    "WeightedKNN": "labelprop.propagators.weighted_knn",
    "doctor": "labelprop.runs.verbs",
    "embed": "labelprop.runs.verbs",
    "load": "labelprop.runs.verbs",
    "predict": "labelprop.runs.verbs",
    "propagate": "labelprop.runs.verbs",
    "select": "labelprop.runs.verbs",
    "train": "labelprop.runs.verbs",
}

__all__ = [
    "AutoPropagation",
    "Diffusion",
    "LabelPropagation",
    "LabelSpreading",
    "LabelpropError",
    "LocalPropagation",
    "Poisson",
    "Run",
    "SeedKFold",
    "SpectralCut",
    "WeightedKNN",
    "__version__",
    "doctor",
    "embed",
    "load",
    "predict",
    "propagate",
    "select",
    "train",
]

if TYPE_CHECKING:
    __version__: str
    from labelprop.core.errors import LabelpropError
    from labelprop.graph.seeds import SeedKFold
    from labelprop.propagators.auto import AutoPropagation
    from labelprop.propagators.diffusion import Diffusion
    from labelprop.propagators.label_propagation import LabelPropagation
    from labelprop.propagators.label_spreading import LabelSpreading
    from labelprop.propagators.local_propagation import LocalPropagation
    from labelprop.propagators.poisson import Poisson
    from labelprop.propagators.spectral_cut import SpectralCut
    from labelprop.propagators.weighted_knn import WeightedKNN
    from labelprop.runs.verbs import Run, doctor, embed, load, predict, propagate, select, train


def __getattr__(name: str) -> Any:
    if name == "__version__":
        return import_module("importlib.metadata").version("labelprop")
    if name not in _HOME:
        raise AttributeError(f"module 'labelprop' has no attribute '{name}'")
    return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
