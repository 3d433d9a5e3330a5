"""Recipes that combine methods of several papers: a consistency with propagated labels, an embedding with another."""

from __future__ import annotations

from dataclasses import replace

from labelprop.functional.schedule import step
from labelprop.methods.aggregation import Aggregation
from labelprop.methods.averaged import Averaged
from labelprop.methods.fixmatch import FixMatch
from labelprop.methods.local_labels import LocalLabels
from labelprop.methods.mean_teacher import MeanTeacher
from labelprop.methods.phases import Phase
from labelprop.methods.settings import FIRST_SHARE, Settings, defaults, recipe
from labelprop.methods.uda import Uda
from labelprop.training.recipes.diffused import GRAPH, NEIGHBORS, WEIGHTS, diffused_labels
from labelprop.training.recipes.embedding import AGGREGATION_DROPS, AROUND, VOTE, before_votes
from labelprop.training.recipes.strong import WHOLE, averaged

FEW = 192  # examples of a batch, 64 labeled: two phases share the steps, and 512 as in FixMatch leave each too few


@recipe("fixmatch+dlp", Averaged, WEIGHTS, NEIGHBORS, GRAPH, FixMatch, batch_size=FEW, lr=0.03, weight_decay=5e-4)
def fixmatch_dlp(s: Settings) -> tuple[Phase, ...]:
    """FixMatch, then the same with diffused labels in place of the given ones alone.

    The graph is built on the network's features, not on those of the average. The cross-entropy on diffused labels is
    divided by the whole batch, as in DLP. A batch holds 192 examples in place of FixMatch's 512.
    """
    (first,) = averaged("fixmatch", s, s.make(FixMatch), s.given_labels("labeled"))
    (second,) = averaged("fixmatch+dlp", s, s.make(FixMatch), diffused_labels(s))
    return replace(first, share=FIRST_SHARE), replace(second, keep_optimizer=True, keep_state=True)


@recipe("mt+llp", MeanTeacher, VOTE, AROUND)
def mt_llp(s: Settings) -> tuple[Phase, ...]:
    """LLP with a mean teacher, which is deployed.

    The cross-entropy on labels is LLP's; `start` is as in `llp`.
    """
    return before_votes("mt+llp", s, s.make(MeanTeacher), s.make(LocalLabels))


@recipe("uda+llp", Uda, WHOLE, VOTE, AROUND)
def uda_llp(s: Settings) -> tuple[Phase, ...]:
    """LLP whose strong views learn the sharpened prediction on weak ones.

    The cross-entropy on labels is LLP's, without annealing; `start` is as in `llp`.
    """
    return before_votes("uda+llp", s, s.make(Averaged), s.make(Uda), s.make(LocalLabels))


@recipe(
    "la+llp",
    defaults(Aggregation, "n_clusters", "clusterings", "rounds"),
    AROUND,
    VOTE,
    defaults(LocalLabels, "classification"),
    n_background=defaults(Aggregation)["n_neighbors"],
)
def la_llp(s: Settings) -> tuple[Phase, ...]:
    """Local aggregation between the first phase of LLP and its votes; the bank is handed on.

    `n_background` is the `n_neighbors` of `Aggregation`; other settings are those of `llp`.
    """
    first, votes = before_votes("la+llp", s, s.make(LocalLabels))
    aggregation = replace(
        votes,
        name="la",
        method=s.make(Aggregation, n_neighbors=s["n_background"]),
        share=FIRST_SHARE,
        schedule=step(*AGGREGATION_DROPS),
    )
    return first, aggregation, votes
