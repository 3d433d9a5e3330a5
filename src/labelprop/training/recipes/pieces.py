"""What several families of recipes have in common: shares, and settings that are a method's parameters."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from labelprop.methods.base import Method
from labelprop.methods.supervised import Supervised
from labelprop.training.phases import Sgd

FIRST_SHARE = 1 / 4  # of the main phase: the length of a phase before it


def settings_of(kind: type[Method], given: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters of a method with their defaults, those given changed."""
    defaults = {name: parameter.default for name, parameter in inspect.signature(kind).parameters.items()}
    return defaults | dict(given)


def own(kind: type[Method], settings: Mapping[str, Any]) -> dict[str, Any]:
    """Those of the settings that are parameters of this method."""
    return {name: settings[name] for name in inspect.signature(kind).parameters if name in settings}


def plain_momentum(settings: Mapping[str, Any], *, decay_norms: bool = True) -> Sgd:
    """SGD without Nesterov's look ahead, as the embedding papers have it."""
    lr, weight_decay = settings["lr"], settings["weight_decay"]
    return Sgd(lr=lr, weight_decay=weight_decay, nesterov=False, decay_norms=decay_norms)


def given_labels(settings: Mapping[str, Any], over: str = "batch") -> Supervised:
    """Cross-entropy on the labeled part of a batch of both streams."""
    return Supervised(batch_size=int(settings["labeled_batch_size"]), over=over)
