"""Propagators, one a file, and all names that a file with a propagator of one's own needs."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

_HOME = {
    "AffinityGraph": "labelprop.graph.affinity",
    "Count": "labelprop.propagators.estimator.parameters",
    "DataError": "labelprop.core.errors",
    "Edges": "labelprop.propagators.estimator.edges",
    "Entry": "labelprop.core.entry",
    "GraphPropagator": "labelprop.propagators.estimator.graph_propagator",
    "KernelPropagator": "labelprop.propagators.estimator.kernel_graph",
    "NotNegative": "labelprop.propagators.estimator.parameters",
    "Number": "labelprop.propagators.estimator.parameters",
    "Positive": "labelprop.propagators.estimator.parameters",
    "Propagation": "labelprop.core.types",
    "Propagator": "labelprop.propagators.estimator.base",
    "RequestError": "labelprop.core.errors",
    "Seeds": "labelprop.graph.seeds",
    "Share": "labelprop.propagators.estimator.parameters",
    "Verdict": "labelprop.functional.verdict",
    "VotePropagator": "labelprop.propagators.votes.vote_propagator",
    "conclude": "labelprop.propagators.estimator.outcome",
    "normalize_rows": "labelprop.functional.weigh",
    "symmetric_sum": "labelprop.graph.affinity",
}

__all__ = list(_HOME)

if TYPE_CHECKING:
    from labelprop.core.entry import Entry as Entry
    from labelprop.core.errors import DataError as DataError
    from labelprop.core.errors import RequestError as RequestError
    from labelprop.core.types import Propagation as Propagation
    from labelprop.functional.verdict import Verdict as Verdict
    from labelprop.functional.weigh import normalize_rows as normalize_rows
    from labelprop.graph.affinity import AffinityGraph as AffinityGraph
    from labelprop.graph.affinity import symmetric_sum as symmetric_sum
    from labelprop.graph.seeds import Seeds as Seeds
    from labelprop.propagators.estimator.base import Propagator as Propagator
    from labelprop.propagators.estimator.edges import Edges as Edges
    from labelprop.propagators.estimator.graph_propagator import GraphPropagator as GraphPropagator
    from labelprop.propagators.estimator.kernel_graph import KernelPropagator as KernelPropagator
    from labelprop.propagators.estimator.outcome import conclude as conclude
    from labelprop.propagators.estimator.parameters import Count as Count
    from labelprop.propagators.estimator.parameters import NotNegative as NotNegative
    from labelprop.propagators.estimator.parameters import Number as Number
    from labelprop.propagators.estimator.parameters import Positive as Positive
    from labelprop.propagators.estimator.parameters import Share as Share
    from labelprop.propagators.votes.vote_propagator import VotePropagator as VotePropagator


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'labelprop.propagators' has no attribute '{name}'")
    return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return sorted(_HOME)
