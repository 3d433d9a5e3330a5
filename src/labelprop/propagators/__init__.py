"""Propagators, one a file, and all names that a file with a propagator of one's own needs."""

from typing import TYPE_CHECKING

from labelprop.core.lazy import handed_on

if TYPE_CHECKING:
    from labelprop.core.entry import Entry as Entry
    from labelprop.core.errors import DataError as DataError
    from labelprop.core.errors import RequestError as RequestError
    from labelprop.core.types import Propagation as Propagation
    from labelprop.functional.solve import Verdict as Verdict
    from labelprop.functional.weigh import normalize_rows as normalize_rows
    from labelprop.graph.affinity import AffinityGraph as AffinityGraph
    from labelprop.graph.affinity import symmetric_sum as symmetric_sum
    from labelprop.graph.seeds import Seeds as Seeds
    from labelprop.propagators.cost.stages import Cost as Cost
    from labelprop.propagators.cost.stages import Size as Size
    from labelprop.propagators.cost.stages import Stage as Stage
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

__all__, __getattr__, __dir__ = handed_on(__name__)
