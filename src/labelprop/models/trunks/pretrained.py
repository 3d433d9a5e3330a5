"""A pretrained HuggingFace image model as a trunk that learns: all of it, or low-rank adapters beside its layers.

The description of such a trunk holds the model's configuration, so that a finished run needs neither the folder nor
the hub again: its own weights are all in the run.
"""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import nn

from labelprop.core.errors import RequestError
from labelprop.core.extras import require
from labelprop.models.trunks.hf import HfImageTrunk, ImageConfig, load_hf
from labelprop.models.trunks.trunk import require_image

RANK = 16  # of an adapter
ALPHA = 32  # adapters are added ALPHA / RANK times
# By what --tune says, times the recipe's learning rate, which is meant for new weights.
TRUNK_RATE: Mapping[str, float] = {"lora": 0.3, "full": 0.1}


class PretrainedTrunk(HfImageTrunk):
    """`HfImageTrunk` with what it takes to train it and to build it anew.

    With `tune="lora"` every linear layer W gets an adapter, W + ALPHA / RANK * B A with B = 0 at first (Hu et al.
    2022), and nothing else learns.
    """

    def __init__(self, model: nn.Module, image_config: ImageConfig, tune: str) -> None:
        super().__init__(model, image_config)
        self.tune = tune
        self.rate = TRUNK_RATE[tune]
        if tune == "lora":
            _add_adapters(self.model)

    def fixed(self) -> Iterator[nn.Parameter]:
        """With adapters: the pretrained weights."""
        if self.tune == "lora":
            for name, parameter in self.model.named_parameters():
                if ".lora_" not in name:
                    yield parameter


def build_pretrained(
    input_shape: tuple[int, ...], *, config: Mapping[str, Any], image: Mapping[str, Any], tune: str
) -> PretrainedTrunk:
    """The trunk that `options_of` describes, with new weights in place of the pretrained ones."""
    require_image("pretrained", input_shape, smallest=1)
    transformers = require("transformers", "hf", "this network")
    settings = dict(config)
    known = transformers.AutoConfig.for_model(settings.pop("model_type"), **settings)
    size = tuple(int(value) for value in image["size"])
    image_config = ImageConfig((size[0], size[1]), tuple(image["mean"]), tuple(image["std"]))
    return PretrainedTrunk(transformers.AutoModel.from_config(known), image_config, tune)


def load_pretrained(name: str | os.PathLike[str], tune: str, seed: int) -> PretrainedTrunk:
    """The image model in folder `name`, or of that name on the hub, with its weights.

    Raises RequestError where there is none, it reads texts, or it cannot learn so.
    """
    loaded = load_hf(name)
    if not isinstance(loaded, HfImageTrunk):
        raise RequestError(f"--tune {tune}: '{os.fspath(name)}' is a text model; texts need --tune frozen.")
    with torch.random.fork_rng(devices=[]):  # adapters begin at random
        torch.default_generator.manual_seed(seed)
        return PretrainedTrunk(loaded.model, loaded.image_config, tune)


def options_of(trunk: PretrainedTrunk) -> dict[str, Any]:
    """The arguments, as JSON, with which `build_pretrained` rebuilds `trunk`."""
    config: Any = trunk.model.config
    image = trunk.image_config
    return {
        "config": json.loads(config.to_json_string(use_diff=False)),
        "image": {"size": list(image.size), "mean": list(image.mean), "std": list(image.std)},
        "tune": trunk.tune,
    }


def _add_adapters(model: nn.Module) -> None:
    linear = [name for name, part in model.named_modules() if isinstance(part, nn.Linear)]
    if not linear:
        raise RequestError("--tune lora: this model has no linear layers to put adapters beside; use --tune full.")
    peft = require("peft", "hf", "--tune lora")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # peft warns of the kinds of models it does not know by name
        peft.inject_adapter_in_model(peft.LoraConfig(r=RANK, lora_alpha=ALPHA, target_modules=linear), model)
