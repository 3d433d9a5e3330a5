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
from labelprop.training.recipes.diffused import WEIGHTS, diffused_labels
from labelprop.training.recipes.embedding import AGGREGATION_DROPS, before_votes
from labelprop.training.recipes.strong import WHOLE, averaged
from labelprop.training.recipes.teacher import GRAPH

# Without `classification`: the consistency terms of these recipes need the class head.
VOTES = {name: value for name, value in defaults(LocalLabels).items() if name != "classification"}


@recipe("fixmatch+dlp", Averaged, WEIGHTS, GRAPH, FixMatch, lr=0.03, weight_decay=5e-4)
def fixmatch_dlp(s: Settings) -> tuple[Phase, ...]:
    """FixMatch, then the same with diffused labels in place of the given ones alone.

    The graph is built on the network's features, not on those of the average. The cross-entropy on diffused labels is
    divided by the whole batch, as in DLP.
    """
    (first,) = averaged("fixmatch", s, s.make(FixMatch), s.given_labels("labeled"))
    (second,) = averaged("fixmatch+dlp", s, s.make(FixMatch), diffused_labels(s))
    return replace(first, share=FIRST_SHARE), replace(second, keep_optimizer=True, keep_state=True)


@recipe("mt+llp", VOTES, MeanTeacher, lr=0.03, weight_decay=1e-4, batch_size=128, labeled_batch_size=32)
def mt_llp(s: Settings) -> tuple[Phase, ...]:
    """LLP with a mean teacher, which is deployed.

    The cross-entropy on labels is LLP's. A quarter of a batch is labeled, where LLP alone draws from all alike.
    """
    return before_votes("mt+llp", s, s.make(MeanTeacher), s.make(LocalLabels))


@recipe("uda+llp", VOTES, Uda, WHOLE, lr=0.03, weight_decay=1e-4, batch_size=128, labeled_batch_size=16)
def uda_llp(s: Settings) -> tuple[Phase, ...]:
    """LLP whose strong views learn the sharpened prediction on weak ones.

    The cross-entropy on labels is LLP's, without annealing; 7 unlabeled examples to a labeled one, as in UDA.
    """
    return before_votes("uda+llp", s, s.make(Averaged), s.make(Uda), s.make(LocalLabels))


@recipe(
    "la+llp",
    defaults(Aggregation, "n_clusters", "clusterings", "rounds"),
    LocalLabels,
    lr=0.03,
    weight_decay=1e-4,
    n_background=defaults(Aggregation)["n_neighbors"],
)
def la_llp(s: Settings) -> tuple[Phase, ...]:
    """Local aggregation between the instance phase of LLP and its votes; the bank is handed on.

    `n_background` is the `n_neighbors` of `Aggregation`; other settings are those of `llp`.
    """
    instance, votes = before_votes("la+llp", s, s.make(LocalLabels))
    aggregation = replace(
        votes,
        name="la",
        method=s.make(Aggregation, n_neighbors=s["n_background"]),
        share=FIRST_SHARE,
        schedule=step(*AGGREGATION_DROPS),
    )
    return instance, aggregation, votes
