"""labelprop: a few labels and many unlabeled examples in; honest labels, a classifier and a report out.

Everything is imported where it is first used, so that `import labelprop` costs next to nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from labelprop.core.lazy import handed_on
from labelprop.core.threads import bound_spin

if TYPE_CHECKING:
    __version__: str
    from labelprop.core.errors import LabelpropError as LabelpropError
    from labelprop.data.labels.folds import SeedKFold as SeedKFold
    from labelprop.propagators.auto import AutoPropagation as AutoPropagation
    from labelprop.propagators.diffusion import Diffusion as Diffusion
    from labelprop.propagators.label_propagation import LabelPropagation as LabelPropagation
    from labelprop.propagators.label_spreading import LabelSpreading as LabelSpreading
    from labelprop.propagators.local_propagation import LocalPropagation as LocalPropagation
    from labelprop.propagators.poisson import Poisson as Poisson
    from labelprop.propagators.spectral_cut import SpectralCut as SpectralCut
    from labelprop.propagators.weighted_knn import WeightedKNN as WeightedKNN
    from labelprop.runs.run import Run as Run
    from labelprop.runs.verbs import doctor as doctor
    from labelprop.runs.verbs import embed as embed
    from labelprop.runs.verbs import load as load
    from labelprop.runs.verbs import predict as predict
    from labelprop.runs.verbs import propagate as propagate
    from labelprop.runs.verbs import select as select
    from labelprop.runs.verbs import train as train

bound_spin()  # before torch is loaded: it reads the environment once

__all__, __getattr__, __dir__ = handed_on(
    __name__, __version__=lambda: import_module("importlib.metadata").version("labelprop")
)
