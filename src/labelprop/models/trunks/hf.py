"""Image and text models of HuggingFace, by folder or name, without torchvision.

The image processors of transformers need torchvision, so what they would read from `preprocessor_config.json` is read
here: size, mean and standard deviation. A name is looked up on the hub, as transformers does; where that cannot be
reached, or HF_HUB_OFFLINE=1 is set, in the local cache.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from labelprop.core.bundled import OFFER
from labelprop.core.errors import RequestError
from labelprop.core.extras import require
from labelprop.core.text import counted
from labelprop.models.trunks.long_texts import Reader
from labelprop.models.trunks.modes import evaluating
from labelprop.models.trunks.sentences import SentenceEncoder, quiet
from labelprop.models.trunks.trunk import Trunk

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
DEFAULT_SIZE = 224  # of ImageNet, where a folder names no size
SENTENCES = "modules.json"  # the file by which a sentence-transformers model is known
PATIENCE = 5  # seconds until the hub counts as out of reach
LONGEST_TEXT = 512  # tokens, where neither model nor tokenizer names a limit


@dataclass(frozen=True, slots=True)
class ImageConfig:
    """What a pretrained image model was trained to see: pixels in [0, 1] resized to `size`, then standardized."""

    size: tuple[int, int]  # height, width
    mean: tuple[float, ...]
    std: tuple[float, ...]

    def prepare(self, raw_B: torch.Tensor) -> torch.Tensor:
        """Raw images (B, 1 or 3, H, W), 0 to 255, as the model wants them: float32 (B, channels, *size)."""
        images = resize(raw_B.float() / 255, self.size)
        mean = torch.tensor(self.mean, device=images.device).view(1, -1, 1, 1)
        std = torch.tensor(self.std, device=images.device).view(1, -1, 1, 1)
        return (images.expand(-1, len(self.mean), -1, -1) - mean) / std


class HfImageTrunk(Trunk):
    """A HuggingFace image model as a trunk: standardized images (B, C, H, W) to features (B, feature_dim).

    Images are resized to the model's own size, gray ones shown to all channels. The feature is the spatial mean of
    a map, the class token where there is one, else the mean of the tokens.
    """

    def __init__(self, model: nn.Module, image_config: ImageConfig) -> None:
        super().__init__()
        self.model, self.image_config = _without_pooler(model), image_config
        self._class_token = any(name.endswith("cls_token") for name, _ in model.named_parameters())
        channels = len(image_config.mean)
        self.feature_dim = measure_feature_dim(self, (channels, *image_config.size))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        images = resize(x, self.image_config.size).expand(-1, len(self.image_config.mean), -1, -1)
        hidden: torch.Tensor = self.model(pixel_values=images).last_hidden_state
        if hidden.dim() == 4:
            return hidden.mean((2, 3))
        return hidden[:, 0] if self._class_token else hidden.mean(1)


class HfTextEncoder(nn.Module):
    """A HuggingFace text model and its tokenizer: B texts to the means of their token vectors (B, D)."""

    def __init__(self, model: nn.Module, tokenizer: Any) -> None:
        super().__init__()
        self.model, self.tokenizer = _without_pooler(model), tokenizer
        config: Any = model.config
        positions = getattr(config, "max_position_embeddings", LONGEST_TEXT)
        self.longest = min(int(tokenizer.model_max_length), int(positions))
        self.reader = Reader(tokenizer, self.longest)

    def forward(self, texts: list[str], device: torch.device | str) -> torch.Tensor:
        tokens = self.tokenizer(
            self.reader.shorten(texts), padding=True, truncation=True, max_length=self.longest, return_tensors="pt"
        ).to(device)
        hidden_BTD: torch.Tensor = self.model(**tokens).last_hidden_state
        real_BT1 = tokens["attention_mask"].unsqueeze(2).to(hidden_BTD.dtype)
        mean_BD: torch.Tensor = (hidden_BTD * real_BT1).sum(1) / real_BT1.sum(1).clamp_min(1)
        return mean_BD


def load_hf(name: str | os.PathLike[str]) -> HfImageTrunk | HfTextEncoder | SentenceEncoder:
    """The image or text model in folder `name`, or of that name on the hub; float32, in eval mode, on the CPU.

    A text model that was made with sentence-transformers is opened by that package.

    Raises RequestError where transformers is missing, nothing is found, or the model is neither kind.
    """
    transformers = require("transformers", "hf", f"backbone '{name}'")
    source = os.fspath(name)
    if source.startswith((".", "/", "~")) or isinstance(name, Path) or source.count("/") > 1:
        source = os.path.expanduser(source)
        if not Path(source).is_dir():
            raise RequestError(f"backbone '{name}': no such folder; give a HuggingFace model's folder or name.")
    if not Path(source).is_dir():
        source = _reachable(source)
    try:
        config = transformers.AutoConfig.from_pretrained(source)
        kind = _kind(config, source)
        if kind == "text" and _file_of(source, SENTENCES):
            return SentenceEncoder(source).eval()
        with quiet():
            model, found = transformers.AutoModel.from_pretrained(
                source, config=config, dtype=torch.float32, output_loading_info=True
            )
        _check_complete(found["missing_keys"])
        model.eval()
        if kind == "image":
            return HfImageTrunk(model, read_image_config(source, config)).eval()
        return HfTextEncoder(model, transformers.AutoTokenizer.from_pretrained(source)).eval()
    except (OSError, ValueError) as error:
        if isinstance(error, RequestError):
            raise
        raise RequestError(
            f"backbone '{name}' cannot be loaded: {error}. Give the folder of a HuggingFace model (config.json and "
            f"model.safetensors), or a name that is in the local cache or on the hub. {OFFER}"
        ) from error


def _reachable(name: str) -> str:
    """The name, where the hub answers; else its folder in the local cache.

    Without a connection the hub's own client would try for half a minute, for every file again. Raises RequestError
    where the name is in neither.
    """
    hub = require("huggingface_hub", "hf", f"backbone '{name}'")
    try:
        hub.get_session().head(hub.constants.ENDPOINT, timeout=PATIENCE)
    except Exception as error:  # of whichever client the hub uses: its names change
        try:
            return str(hub.snapshot_download(name, local_files_only=True))
        except (OSError, ValueError):
            raise RequestError(
                f"backbone '{name}': {hub.constants.ENDPOINT} cannot be reached ({error}), and no model of that name "
                f"is in the local cache. {OFFER}"
            ) from error
    return name


def _check_complete(missing: Iterable[str]) -> None:
    """Raises ValueError where weights other than a pooler's are missing: transformers goes on with random ones."""
    needed = sorted(name for name in missing if not name.startswith("pooler."))
    if needed:
        raise ValueError(f"it lacks {counted(len(needed), 'weight')}, {needed[0]} for one")


def read_image_config(name: str, config: Any) -> ImageConfig:
    """Size, mean and standard deviation from `preprocessor_config.json`, else from `config` and ImageNet's."""
    path = _file_of(name, "preprocessor_config.json")
    settings = json.loads(Path(path).read_text(encoding="utf-8")) if path else {}
    channels = int(config.num_channels)
    mean, std = settings.get("image_mean", IMAGENET_MEAN), settings.get("image_std", IMAGENET_STD)
    if not settings.get("do_normalize", True):
        mean, std = [0.0] * channels, [1.0] * channels
    if len(mean) != channels or len(std) != channels:
        mean, std = [sum(mean) / len(mean)] * channels, [sum(std) / len(std)] * channels
    given = settings.get("crop_size") if settings.get("do_center_crop") else None
    size = given or settings.get("size") or getattr(config, "image_size", None) or DEFAULT_SIZE
    return ImageConfig(_height_width(size), tuple(map(float, mean)), tuple(map(float, std)))


def _file_of(name: str, file: str) -> str | None:
    """Where a file of this model lies; None where it has no such file."""
    from transformers.utils import cached_file

    found: str | None = cached_file(
        name, file, _raise_exceptions_for_missing_entries=False, _raise_exceptions_for_connection_errors=False
    )
    return found


def resize(images: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    """Bilinear with antialiasing; untouched where the size is right."""
    if tuple(images.shape[2:]) == size:
        return images
    return F.interpolate(images, size=size, mode="bilinear", antialias=True, align_corners=False)


def measure_feature_dim(trunk: nn.Module, input_shape: tuple[int, ...]) -> int:
    """Runs two blank examples through `trunk`, in eval mode and without traces, and reads the feature's length.

    Raises RequestError where the result is not one vector an example.
    """
    with evaluating(trunk), torch.no_grad():
        feature: torch.Tensor = trunk(torch.zeros(2, *input_shape))
    if feature.dim() != 2 or feature.shape[0] != 2:
        raise RequestError(
            f"the model gives a tensor of shape {tuple(feature.shape)} for 2 examples of shape {input_shape}; "
            "it must give one feature vector an example, (2, F), or one map, (2, F, h, w)."
        )
    return int(feature.shape[1])


def _kind(config: Any, name: str) -> str:
    if hasattr(config, "num_channels"):
        return "image"
    if hasattr(config, "vocab_size") and not hasattr(config, "vision_config"):
        return "text"
    raise RequestError(
        f"backbone '{name}' is a '{config.model_type}' model, neither an image nor a text model; take one of its "
        "parts in Python and pass that as a module or callable."
    )


def _height_width(size: Any) -> tuple[int, int]:
    if isinstance(size, dict):
        edge: int = size.get("shortest_edge") or size.get("longest_edge") or DEFAULT_SIZE
        return int(size.get("height", edge)), int(size.get("width", edge))
    if isinstance(size, list | tuple):
        return int(size[0]), int(size[-1])
    return int(size), int(size)


def _without_pooler(model: nn.Module) -> nn.Module:
    """Drops a pooler that has weights: its output is not used, and checkpoints often lack it."""
    pooler = getattr(model, "pooler", None)
    if isinstance(pooler, nn.Module) and any(True for _ in pooler.parameters()):
        setattr(model, "pooler", None)  # noqa: B010 - nn.Module's types know no None
    return model
