"""The classifier that a run deploys: weights in safetensors, everything else in JSON, never a pickle."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn
from torch.nn import functional as F

from labelprop.core.errors import RequestError
from labelprop.core.files import write_atomically, write_json
from labelprop.core.run_folder import RunFolder
from labelprop.core.tensors import for_saving
from labelprop.data.contents import Content
from labelprop.data.views.preprocessing import Preprocessing
from labelprop.models.backbone import Backbone, weights_digest
from labelprop.models.deployed import decides_by, describe, make, plain
from labelprop.models.network import ModelSpec, Network, build
from labelprop.models.own import OWN, OwnModel
from labelprop.models.trunks.text_svd import TextSvd

FORMAT = 1
BATCH = 500  # measured: see `training.outputs.EVAL_BATCH`


class Classifier(nn.Module):
    """Preprocessing and network in one: raw examples in, class logits out.

    `forward` takes (B, C, H, W) uint8 images or (B, D) vectors as they were read and returns (B, classes).
    `classes` are the labels in the order of the columns: texts, as files hold them, or of the type they came in.
    """

    def __init__(self, network: nn.Module, preprocessing: Preprocessing, classes: tuple[Any, ...]) -> None:
        super().__init__()
        self.network, self.preprocessing, self.classes = network, preprocessing, classes

    def forward(self, raw_B: torch.Tensor) -> torch.Tensor:
        logits_BC = self.network(self.preprocessing.apply(raw_B))["class"]
        assert isinstance(logits_BC, torch.Tensor)
        return logits_BC

    @torch.no_grad()
    def probabilities(self, raw_B: torch.Tensor) -> torch.Tensor:
        """softmax of the logits of a batch: (B, classes) float32 on its device; the mode is left as it is."""
        logits_BC: torch.Tensor = self(raw_B)
        return logits_BC.float().softmax(1)

    @torch.no_grad()
    def embedding(self, raw_B: torch.Tensor) -> torch.Tensor:
        """What the class is decided by: (B, D) float32 of unit length on its device; the mode is left as it is."""
        outputs = self.network(self.preprocessing.apply(raw_B))
        return F.normalize(outputs[decides_by(self.network)].float(), dim=1)

    def distributions(self, content: Content, device: torch.device | str = "cpu") -> np.ndarray:
        """softmax of the logits for all of `content`: (N, C) float32, in eval mode."""
        self.eval()
        batches = [np.arange(at, min(at + BATCH, len(content))) for at in range(0, len(content), BATCH)]
        found = [self.probabilities(raw.to(device)).cpu() for raw in content.stream(batches)]
        return torch.cat(found).numpy() if found else np.zeros((0, len(self.classes)), np.float32)


def save_classifier(
    folder: Path, classifier: Classifier, spec: ModelSpec, extra: Mapping[str, Any] | None = None
) -> None:
    """Writes model.safetensors and model.json; `extra` joins the latter (the backbone and its hash, say)."""
    tensors = for_saving(classifier.network.state_dict())
    write_atomically(folder / "model.safetensors", lambda partial: save_file(tensors, partial))
    description = {
        "format": FORMAT,
        "architecture": spec.to_json(),
        "classes": list(classifier.classes),
        "preprocessing": classifier.preprocessing.to_json(),
    }
    write_json(folder / "model.json", description | describe(classifier.network) | dict(extra or {}))


@dataclass(frozen=True, slots=True, eq=False)
class StartTrunk:
    """The trunk of a finished run's network, for another training to start from."""

    spec: ModelSpec
    preprocessing: Preprocessing
    tensors: Mapping[str, torch.Tensor]  # by name within the trunk
    digest: str

    def build(self, spec: ModelSpec, seed: int) -> Network:
        """The network that `spec` describes, with this trunk in it."""
        network = build(spec, seed)
        network.trunk.load_state_dict(dict(self.tensors))
        network.trunk.learned = True
        return network


def load_trunk(folder: Path, backbone: Backbone | None = None) -> StartTrunk:
    """The trunk of the model in a run folder, for examples that are embedded by `backbone`.

    Raises RequestError where there is none, or it was trained on what another backbone saw.
    """
    description = model_description(RunFolder(folder))
    trained_with = description.get("backbone")
    if (trained_with or {}).get("digest") != (backbone.digest if backbone else None):
        seen = f"vectors by {trained_with['name']}" if trained_with else "the data themselves"
        now = f"vectors by {backbone.name}" if backbone else "the data themselves"
        weights = " with other weights" if seen == now else ""
        raise RequestError(
            f"--init: the network in {folder} was trained on {seen}, these are {now}{weights}. Leave out --backbone "
            "to have the run's own."
        )
    network = plain(load_classifier(folder, description).network)
    assert isinstance(network, Network)
    spec, preprocessing = ModelSpec.from_json(description["architecture"]), description["preprocessing"]
    digest = weights_digest(network.trunk)
    return StartTrunk(spec, Preprocessing.from_json(preprocessing), network.trunk.state_dict(), digest)


def own_backbone(folder: Path, description: Mapping[str, Any]) -> str | TextSvd | None:
    """The backbone of the model in a run folder: a name or a text model; None where it sees the data themselves.

    Raises RequestError where it was an object of Python, which only the caller can bring again.
    """
    trained_with = description.get("backbone")
    if trained_with is None:
        return None
    if trained_with.get("learned"):
        return TextSvd.load(folder)
    if not trained_with["by_name"]:
        raise RequestError(
            f"{folder} was trained on the embedding by {trained_with['name']}, an object of Python: "
            "pass backbone= with it."
        )
    return str(trained_with["name"])


def model_description(folder: RunFolder) -> dict[str, Any]:
    """model.json. Raises RequestError for a run of `propagate`."""
    description = folder.read_json("model.json")
    if not description:
        raise RequestError(f"{folder.path} holds no model: `propagate` trains none; use `labelprop train`.")
    return description


def needs_own_model(folder: RunFolder) -> bool:
    """Whether the network is a module from Python, which only the caller can bring."""
    architecture: dict[str, Any] = folder.read_json("model.json").get("architecture", {})
    return architecture.get("name") == OWN


def load_classifier(folder: Path, description: Mapping[str, Any], model: Any = None) -> Classifier:
    """The inverse of `save_classifier`; `description` is the content of model.json. In eval mode, on the CPU.

    `model` is the module, or a class or function that makes it, of a run that was trained with one from Python.
    Raises RequestError where the run cannot be loaded, or needs that module.
    """
    try:
        network = make(_empty_network(folder, ModelSpec.from_json(description["architecture"]), model), description)
        network.load_state_dict(load_file(folder / "model.safetensors"))
        classifier = Classifier(
            network, Preprocessing.from_json(description["preprocessing"]), tuple(description["classes"])
        )
    except (KeyError, OSError, RuntimeError, SafetensorError) as error:
        raise RequestError(f"the model in {folder} cannot be loaded ({error}); train it again.") from error
    return classifier.eval()


def _empty_network(folder: Path, spec: ModelSpec, model: Any) -> Network:
    if spec.name != OWN:
        if model is not None:
            raise RequestError(
                f"{folder} was trained with model '{spec.name}', which it brings itself; leave model= out."
            )
        return build(spec, seed=0)
    name = spec.options["class"]
    if model is None:
        raise RequestError(
            f"{folder} was trained with a module from Python, {name}, whose code no folder holds. Load it in Python "
            f"with that: labelprop.load({str(folder)!r}, model={name})."
        )
    own = OwnModel.of(model, spec.input_shape)
    if own.options["tensors"] != spec.options["tensors"]:
        raise RequestError(
            f"model={own.options['class']} is not the module that {folder} was trained with ({name}): its weights "
            "have other names or shapes."
        )
    return own.build(spec, seed=0)
