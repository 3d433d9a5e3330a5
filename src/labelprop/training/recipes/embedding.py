"""Recipes that train an embedding against a memory bank: instance recognition, local aggregation, LLP."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from labelprop.functional.schedule import constant, step
from labelprop.methods.aggregation import Aggregation
from labelprop.methods.base import Method
from labelprop.methods.instance import Instance
from labelprop.methods.local_labels import LocalLabels
from labelprop.methods.phases import Phase
from labelprop.methods.settings import FIRST_SHARE, Settings, defaults, pick, recipe
from labelprop.methods.supervised import Supervised
from labelprop.training.recipes.diffused import GRAPH

INSTANCE_DROPS = (0.6, 0.8)  # epochs 120 and 160 of 200 (Wu et al. 2018)
AGGREGATION_DROPS = (0.8, 0.935)  # 160 and 187 of 200 (Zhuang, Zhai, Yamins 2019)
LOCAL_DROPS = (0.6, 0.75, 0.93)  # 194, 239 and 299 of about 320 (Zhuang et al. 2019, released code, ResNet-18)


@recipe("ir", Instance, lr=0.03, weight_decay=1e-4)
def ir(s: Settings) -> tuple[Phase, ...]:
    """Instance recognition (Wu et al. 2018); the labels only vote."""
    how = {"optimizer": s.sgd(nesterov=False), "schedule": step(*INSTANCE_DROPS)}
    return (s.phase("ir", s.make(Instance), **how),)


@recipe("la", Aggregation, lr=0.03, weight_decay=1e-4)
def la(s: Settings) -> tuple[Phase, ...]:
    """Instance recognition, then local aggregation (Zhuang, Zhai, Yamins 2019)."""
    how = {"optimizer": s.sgd(nesterov=False), "schedule": step(*AGGREGATION_DROPS)}
    return after_instances(s, s.phase("la", s.make(Aggregation), **how))


# Settings of every recipe around `LocalLabels`, those of the vote apart; a graph has settings of its own.
AROUND = defaults(LocalLabels, "batch_size", "dim", "temperature", "momentum", "confidence")
AROUND |= {"labeled_batch_size": 64, "start": "supervised"}
VOTE = defaults(LocalLabels, "n_neighbors", "n_density", "density", "pool", "label_source")


@recipe("llp", AROUND, VOTE, defaults(LocalLabels, "classification"))
def llp(s: Settings) -> tuple[Phase, ...]:
    """LLP (Zhuang et al. 2019): a phase on the labels alone, then votes at every step.

    `start="supervised"` is for small data: both phases train as `supervised` does, and half of a batch is labeled.
    `start="instances"` is the paper's: a phase of instance recognition, drops of the rate, SGD without Nesterov, and
    no decay of batch norm; with `labeled_batch_size=0, lr=0.03, weight_decay=1e-4` it is the paper's whole.
    """
    return before_votes("llp", s, s.make(LocalLabels))


@recipe("llp+diffusion", AROUND, GRAPH)
def llp_diffusion(s: Settings) -> tuple[Phase, ...]:
    """`llp` with labels diffused over the memory bank before every epoch in place of the vote.

    Beyond the papers. `n_neighbors`, `power` and `alpha` are of the graph, `start` is as in `llp`.
    """
    labels = {"label_source": "diffusion", "propagation": {name: s[name] for name in GRAPH}}
    return before_votes("llp+diffusion", s, s.make(LocalLabels, **labels, **defaults(LocalLabels, "n_neighbors")))


def before_votes(name: str, s: Settings, *methods: Method) -> tuple[Phase, ...]:
    """Methods around `LocalLabels`, after the phase that `start` names."""
    return pick("start", s["start"], STARTS)(name, s, *methods)


def after_labels(name: str, s: Settings, *methods: Method) -> tuple[Phase, ...]:
    """The labels alone, as in `supervised`, then these methods, whose bank starts with the network's embeddings."""
    first = s.phase("supervised", s.make(Supervised), share=FIRST_SHARE)
    return first, s.phase(name, *methods, keep_optimizer=True, keep_state=True)


def after_instance_phase(name: str, s: Settings, *methods: Method) -> tuple[Phase, ...]:
    """Instance recognition, then these methods; as in the code of LLP batch norm does not decay."""
    how = {"optimizer": s.sgd(nesterov=False, decay_norms=False), "schedule": step(*LOCAL_DROPS)}
    return after_instances(s, s.phase(name, *methods, **how))


STARTS: Mapping[str, Callable[..., tuple[Phase, ...]]] = {
    "supervised": after_labels,
    "instances": after_instance_phase,
}


def after_instances(s: Settings, main: Phase) -> tuple[Phase, ...]:
    """A phase that goes on from the bank, the weights and the optimizer of a phase of instance recognition."""
    how = {"share": FIRST_SHARE, "optimizer": main.optimizer, "schedule": constant}
    return s.phase("ir", s.make(Instance), **how), replace(main, keep_optimizer=True, keep_state=True)
