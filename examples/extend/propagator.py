"""A propagator: labels pass from neighbor to neighbor in rounds. `labelprop propagate DATA --method rounds`."""

from dataclasses import dataclass

from labelprop.propagators import Count, Entry, GraphPropagator, conclude, normalize_rows, symmetric_sum


@dataclass(eq=False, repr=False, kw_only=True)
class Rounds(GraphPropagator):
    """Every row adds up its neighbors' scores; the labeled rows feed theirs in at each round."""

    rounds: Count = 20  # a whole number of at least 1: a field is a parameter, its annotation the rule

    def weigh(self, edges):
        return edges.cosines().maximum(0)

    def build_graph(self, weights):
        return symmetric_sum(weights)

    def propagate(self, graph, seeds):
        step = graph.normalized()
        scores_NC = given_NC = seeds.columns(range(seeds.n_classes), graph.weights_E.dtype)
        for _ in range(self.rounds):
            scores_NC = step.matmul(scores_NC) + given_NC
        shares_NC = normalize_rows(scores_NC)
        return conclude(scores_NC, shares_NC, shares_NC.amax(dim=1), (scores_NC > 0).any(dim=1), seeds)


entry = Entry("propagator:Rounds", "Labels pass from neighbor to neighbor in rounds.")
