"""Recipes that combine methods of several papers: a consistency with propagated labels, an embedding with another."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from labelprop.functional.schedule import slow_cosine
from labelprop.methods.aggregation import Aggregation
from labelprop.methods.averaged import Averaged
from labelprop.methods.base import Method, Sum
from labelprop.methods.diffusion_labels import DiffusionLabels
from labelprop.methods.fixmatch import FixMatch
from labelprop.methods.local_labels import LocalLabels
from labelprop.methods.mean_teacher import MeanTeacher
from labelprop.methods.uda import Uda
from labelprop.training.phases import Phase, Recipe, Sgd
from labelprop.training.recipes.embedding import before_votes, la, llp
from labelprop.training.recipes.pieces import FIRST_SHARE, given_labels, own, settings_of


def fixmatch_dlp(
    *,
    lr: float = 0.03,
    weight_decay: float = 5e-4,
    l2_feature: bool = False,
    decay: float = 0.999,
    statistics: str = "copy",
    certainty: bool = True,
    class_balance: bool = True,
    max_class_weight: float | None = None,
    label_view: str = "eval",
    n_neighbors: int = 50,
    power: float = 3,
    alpha: float = 0.99,
    **method: Any,
) -> Recipe:
    """FixMatch, then the same with diffused labels in place of the given ones alone. `method`: see `FixMatch`.

    The graph is built on the network's features, not on those of the average. The cross-entropy on diffused labels is
    divided by the whole batch, as in DLP.
    """
    given = {name: value for name, value in locals().items() if name != "method"}
    settings = given | settings_of(FixMatch, method)
    propagation = {"n_neighbors": n_neighbors, "power": power, "alpha": alpha}

    def beside(labels: Method) -> Method:
        return Sum(Averaged(**own(Averaged, settings)), FixMatch(**own(FixMatch, settings)), labels)

    first = Phase(
        name="fixmatch",
        method=lambda: beside(given_labels(settings, "labeled")),
        share=FIRST_SHARE,
        optimizer=Sgd(lr=lr, weight_decay=weight_decay),
        schedule=slow_cosine,
    )
    second = replace(
        first,
        name="fixmatch+dlp",
        method=lambda: beside(DiffusionLabels(**own(DiffusionLabels, settings), propagation=propagation)),
        share=1.0,
        keep_optimizer=True,
        keep_state=True,
    )
    return Recipe(name="fixmatch+dlp", phases=(first, second), l2_feature=l2_feature, settings=settings)


def mt_llp(
    *,
    lr: float = 0.03,
    weight_decay: float = 1e-4,
    l2_feature: bool = False,
    batch_size: int = 128,
    labeled_batch_size: int = 32,
    **method: Any,
) -> Recipe:
    """LLP with a mean teacher, which is deployed. `method`: see `MeanTeacher` and `LocalLabels`.

    The cross-entropy on labels is LLP's. A quarter of a batch is labeled, where LLP alone draws from all alike.
    """
    given = {name: value for name, value in locals().items() if name != "method"}
    settings = _with_head(settings_of(LocalLabels, {}) | settings_of(MeanTeacher, method) | given)

    def main() -> Method:
        return Sum(MeanTeacher(**own(MeanTeacher, settings)), LocalLabels(**own(LocalLabels, settings)))

    return before_votes("mt+llp", main, settings)


def uda_llp(
    *,
    lr: float = 0.03,
    weight_decay: float = 1e-4,
    l2_feature: bool = False,
    batch_size: int = 128,
    labeled_batch_size: int = 16,
    decay: float = 0.9999,
    statistics: str = "ema",
    **method: Any,
) -> Recipe:
    """LLP whose strong views learn the sharpened prediction on weak ones. `method`: see `Uda` and `LocalLabels`.

    The cross-entropy on labels is LLP's, without annealing; 7 unlabeled examples to a labeled one, as in UDA.
    """
    given = {name: value for name, value in locals().items() if name != "method"}
    settings = _with_head(settings_of(LocalLabels, {}) | settings_of(Uda, method) | given)

    def main() -> Method:
        return Sum(
            Averaged(**own(Averaged, settings)), Uda(**own(Uda, settings)), LocalLabels(**own(LocalLabels, settings))
        )

    return before_votes("uda+llp", main, settings)


def la_llp(
    *,
    n_background: int = 4096,
    n_clusters: int | None = None,
    clusterings: int = 10,
    rounds: int = 20,
    **settings: Any,
) -> Recipe:
    """Local aggregation between the instance phase of LLP and its votes; the bank is handed on.

    `n_background`, `n_clusters`, `clusterings`, `rounds` are of `Aggregation`, n_background its `n_neighbors`; other
    settings are those of `llp`.
    """
    clusters = {"n_clusters": n_clusters, "clusterings": clusterings, "rounds": rounds}
    whole = llp(**settings)
    shared = {**own(Aggregation, whole.settings), **clusters, "n_neighbors": n_background}
    rate = {name: whole.settings[name] for name in ("lr", "weight_decay", "l2_feature")}
    instance, local = whole.phases
    aggregation = replace(la(**rate, **shared).main, share=FIRST_SHARE, optimizer=instance.optimizer)
    return replace(
        whole,
        name="la+llp",
        phases=(instance, aggregation, replace(local, name="la+llp")),
        settings={**whole.settings, **clusters, "n_background": n_background},
    )


def _with_head(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Without the choice of `LocalLabels` to train no class head: here that is what agrees with itself."""
    return {name: value for name, value in settings.items() if name != "classification"}
