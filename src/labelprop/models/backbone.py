"""Frozen models that turn raw examples into vectors."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import torch
from torch import nn

from labelprop.core.bundled import is_bundled
from labelprop.core.errors import LabelpropError, RequestError
from labelprop.core.files import Digest
from labelprop.core.kinds import Kinds
from labelprop.core.text import counted
from labelprop.models.adapt import as_feature
from labelprop.models.bundled import SIZE_ON_CPU, Photos, Texts
from labelprop.models.trunks.hf import HfImageTrunk, HfTextEncoder, load_hf
from labelprop.models.trunks.modes import evaluating
from labelprop.models.trunks.sentences import SentenceEncoder
from labelprop.models.trunks.text_svd import TextSvd

LEARNED = "TF-IDF and SVD of the texts"  # the name of a text model that was learned from the data
ACCEPTED = {
    **{modality: (modality,) for modality in ("image", "vector", "text")},
    "tensor": ("image", "vector"),
    "any": ("image", "vector", "text"),
}

Embed = Callable[[Any, torch.device], torch.Tensor]


def kinds_of(name: str, modality: str) -> Kinds:
    """The examples that a backbone of this `modality` takes."""
    accepted = ACCEPTED[modality]
    return Kinds(f"backbone '{name}'", accepted, "give one that takes them, or leave --backbone out")


@dataclass(frozen=True, slots=True, eq=False)
class Backbone:
    """A frozen model that turns raw examples into vectors.

    `embed(batch, device)` takes a list of texts, or a tensor of raw examples on `device`, and returns (B, D).
    `digest` is a hash of weights and configuration, empty where there is nothing to hash (a plain function): then
    nothing is cached. `modality` "tensor" takes images and vectors, "any" texts as well. `by_name` says whether the
    name is enough to load it again; else only the caller can bring it. `learned` is a text model that was learned
    from the data themselves, and is kept with the run. `image_shape` is that of the images, (C, H, W), where they are
    best read as such, `sized` whether that size was chosen and is needed to load it again; `of_pixels` is a network
    that was trained here, on images as trainings read them. `features` are the columns of a number each that make its
    vectors, where they have names.
    `said` tells what there is to say of the examples that were embedded.
    """

    name: str
    digest: str
    modality: Literal["image", "vector", "text", "tensor", "any"]
    embed: Embed
    by_name: bool = False
    learned: TextSvd | None = None
    image_shape: tuple[int, int, int] | None = None
    features: tuple[str, ...] = ()
    sized: bool = False
    of_pixels: bool = False
    said: Callable[[], str] = str  # str() is empty: nothing

    @property
    def kinds(self) -> Kinds:
        return kinds_of(self.name, self.modality)

    def to_json(self) -> dict[str, Any]:
        """Its record in a run."""
        described: dict[str, Any] = {"name": self.name, "digest": self.digest, "by_name": self.by_name}
        if self.sized and self.image_shape is not None:
            described["image_size"] = self.image_shape[-1]
        return described if self.learned is None else described | {"learned": True}


def load_backbone(
    backbone: str | os.PathLike[str] | nn.Module | TextSvd | Backbone | Callable[..., Any],
    *,
    image_size: int = SIZE_ON_CPU,
) -> Backbone:
    """A backbone: `photos` or `text`, a HuggingFace folder or name, a module, a learned text model, or a function.

    `photos` sees images of `image_size` pixels a side, which is part of its digest; other models have their own size.
    A HuggingFace image model sees images resized and standardized as its folder says; a text model gives the mean of
    its token vectors, or what sentence-transformers makes of them where it is one of these. A module sees float32
    images in [0, 1], (B, C, H, W), or vectors, and returns (B, F) or a mapping with "feature". A function sees what
    was read: uint8 images, float32 vectors, or a list of texts.

    Raises RequestError where it cannot be loaded.
    """
    if isinstance(backbone, Backbone):
        return backbone
    if is_bundled(backbone):
        return _bundled(str(backbone), image_size)
    if isinstance(backbone, str | os.PathLike):
        model = load_hf(backbone)
        # A folder by its whole path, which a run finds again from wherever it is read.
        name = os.path.abspath(backbone) if os.path.isdir(backbone) else os.fspath(backbone)
        if isinstance(model, HfImageTrunk):
            digest, config = weights_digest(model, model.image_config), model.image_config
            shape = (3 if len(config.mean) == 3 else 1, *config.size)
            return Backbone(name, digest, "image", partial(_embed_images, model), by_name=True, image_shape=shape)
        settings = (model.described,) if isinstance(model, SentenceEncoder) else ()
        digest, vectors = weights_digest(model, *settings), partial(_embed_texts, model)
        return Backbone(name, digest, "text", vectors, by_name=True, said=model.reader.said)
    if isinstance(backbone, TextSvd):
        return Backbone(LEARNED, backbone.digest, "text", partial(_embed_by_svd, backbone), learned=backbone)
    if isinstance(backbone, nn.Module):
        name = type(backbone).__qualname__
        embed = _naming(name, partial(_embed_by_module, backbone))
        return Backbone(name, weights_digest(backbone), "tensor", embed)
    if callable(backbone):
        name = getattr(backbone, "__qualname__", type(backbone).__qualname__)
        return Backbone(name, "", "any", _naming(name, lambda batch, device: torch.as_tensor(backbone(batch))))
    raise RequestError(
        f"backbone is {type(backbone).__name__}; give photos, text, a HuggingFace folder or name, a run of "
        "`train` or its folder, a torch module or a callable."
    )


def _bundled(name: str, image_size: int) -> Backbone:
    if name == "photos":
        photos = Photos(image_size)
        return Backbone(
            name, photos.digest, "image", photos, by_name=True, image_shape=(3, image_size, image_size), sized=True
        )
    if name == "text":
        texts = Texts()
        return Backbone(name, texts.digest, "text", texts, by_name=True, said=texts.said)
    raise RequestError(f"backbone '{name}' is learned from the texts of a run; it cannot be loaded without them.")


def _naming(name: str, embed: Embed) -> Embed:
    """`embed`, whose errors say that it is the caller's backbone that fails, and on what."""

    def named(batch: Any, device: torch.device) -> torch.Tensor:
        try:
            return embed(batch, device)
        except (LabelpropError, torch.OutOfMemoryError):
            raise
        except Exception as error:
            shape = f"shape {tuple(batch.shape)}" if isinstance(batch, torch.Tensor) else counted(len(batch), "text")
            raise RequestError(
                f"backbone={name} fails on a batch of {shape} ({type(error).__name__}: {error}); it must take these "
                "and return a feature for each, (B, F)."
            ) from error

    return named


def weights_digest(model: nn.Module, *settings: object) -> str:
    """A hash of the weights by name, of the class, and of configuration objects that matter beside them."""
    described = (type(model).__qualname__, getattr(getattr(model, "model", model), "config", ""), *settings)
    digest = Digest(repr(described))
    for name, tensor in sorted(model.state_dict().items()):
        if isinstance(tensor, torch.Tensor):
            digest.add(f"{name} {tensor.dtype} {tuple(tensor.shape)}")
            digest.add(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return digest.hex()


def _embed_images(trunk: HfImageTrunk, raw_B: torch.Tensor, device: torch.device) -> torch.Tensor:
    feature_BF: torch.Tensor = trunk.to(device)(trunk.image_config.prepare(raw_B))
    return feature_BF


def _embed_texts(encoder: HfTextEncoder | SentenceEncoder, texts: list[str], device: torch.device) -> torch.Tensor:
    vectors_BD: torch.Tensor = encoder.to(device)(texts, device)
    return vectors_BD


def _embed_by_svd(model: TextSvd, texts: list[str], device: torch.device) -> torch.Tensor:
    return torch.from_numpy(model.embed(texts))


def _embed_by_module(module: nn.Module, raw_B: torch.Tensor, device: torch.device) -> torch.Tensor:
    with evaluating(module.to(device)):
        return as_feature(module(raw_B.float() / 255 if raw_B.dtype == torch.uint8 else raw_B))
