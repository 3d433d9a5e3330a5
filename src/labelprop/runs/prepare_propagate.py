"""Reads all that a propagation needs, before the run folder is touched."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from labelprop.core import registry
from labelprop.core.clock import StageClock
from labelprop.core.errors import RequestError
from labelprop.core.progress import reporting_to
from labelprop.data.contents import TensorContent
from labelprop.runs import automatic
from labelprop.runs.backbones import open_backbone, wanted_by, with_runs
from labelprop.runs.design import Embedded, embed_content, resolve_device
from labelprop.runs.inputs import Inputs, read_inputs, say_counts
from labelprop.runs.requests import PropagateRequest


@dataclass(frozen=True, slots=True, eq=False)
class PreparedPropagation:
    """All that was read and decided for a request, before the run folder is touched."""

    request: PropagateRequest
    estimator: Any
    inputs: Inputs
    embedded: Embedded
    vectors_ND: np.ndarray
    device: torch.device
    clock: StageClock


def prepare_propagation(request: PropagateRequest) -> PreparedPropagation:
    clock, device = StageClock(), resolve_device(request.device)
    estimator = _estimator(request, device)
    with clock.stage("read"), reporting_to(request.reporter):
        named = with_runs(request.backbone, device, request.image_size)
        image_format, features = wanted_by(named, request.image_size)
        inputs = read_inputs(request, automatic.to_compare if named is None else image_format, features)
        say_counts(inputs, request.reporter)
        choice = automatic.choose_to_compare(inputs.samples) if named is None else automatic.Choice(named)
        if choice.why:
            request.reporter.say(choice.why)
        backbone = open_backbone(inputs.samples, choice.backbone, request.reporter, request.seed)
        embedded = embed_content(inputs.samples, backbone, device, request, inputs.label_texts)
        embedded = replace(embedded, why=choice.why)
        inputs = inputs.only_read(embedded.samples, request.reporter)
        vectors_ND = _as_vectors(inputs, embedded.content)
    return PreparedPropagation(request, estimator, inputs, embedded, vectors_ND, device, clock)


def _estimator(request: PropagateRequest, device: torch.device) -> Any:
    """The propagator with its parameters, checked before anything is read."""
    made = registry.lookup("propagators", request.method).load()
    estimator = made(**request.parameters, device=device.type, random_state=request.seed)
    estimator.validate()
    return estimator


def _as_vectors(inputs: Inputs, content: Any) -> np.ndarray:
    """Vectors as they are stored; images as flattened pixels, which only makes sense where all have one size."""
    if isinstance(content, TensorContent) and (content.resident or inputs.samples.modality != "image"):
        stored: np.ndarray = content.array()
        return stored.reshape(len(stored), -1)
    raise RequestError(f"{inputs.samples.name}: {automatic.NOT_ALIKE}.")
