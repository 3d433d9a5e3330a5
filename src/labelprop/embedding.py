"""Networks and examples to vectors: outputs of the network in training, and embeddings by a frozen backbone."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from labelprop.cache import Cache, content_key
from labelprop.data.batches import Loader
from labelprop.data.samples import Samples
from labelprop.errors import DataError, NonFiniteLossError, RequestError
from labelprop.models.adapt import as_feature
from labelprop.models.hf import HfImageTrunk, HfTextEncoder, load_hf
from labelprop.models.modes import evaluating
from labelprop.models.sentences import SentenceEncoder
from labelprop.models.text_svd import TextSvd

EVAL_BATCH = 500  # measured on two CPU cores: 250 and 500 are alike, 1,000 a fifth slower, 2,000 nearly half
VERSION = 1  # of how vectors are computed; a change makes cached ones stale

LEARNED = "TF-IDF and SVD of the texts"  # the name of a text model that was learned from the data

ACCEPTED = {"image": ("image",), "text": ("text",), "tensor": ("image", "vector"), "any": ("image", "vector", "text")}

Embed = Callable[[Any, torch.device], torch.Tensor]


@dataclass(frozen=True, slots=True, eq=False)
class Backbone:
    """A frozen model that turns raw examples into vectors.

    `embed(batch, device)` takes a list of texts, or a tensor of raw examples on `device`, and returns (B, D).
    `digest` is a hash of weights and configuration, empty where there is nothing to hash (a plain function): then
    nothing is cached. `modality` "tensor" takes images and vectors, "any" texts as well. `by_name` says whether the
    name is enough to load it again; else only the caller can bring it. `learned` is a text model that was learned
    from the data themselves, and is kept with the run.
    """

    name: str
    digest: str
    modality: Literal["image", "text", "tensor", "any"]
    embed: Embed
    by_name: bool = False
    learned: TextSvd | None = None

    def to_json(self) -> dict[str, Any]:
        """What a run remembers of it."""
        described = {"name": self.name, "digest": self.digest, "by_name": self.by_name}
        return described if self.learned is None else described | {"learned": True}


@torch.no_grad()
def collect_outputs(
    net: nn.Module,
    loader: Loader,
    rows: np.ndarray | None = None,
    batch_size: int = EVAL_BATCH,
    *,
    view: str = "eval",
    generator: torch.Generator | None = None,
) -> dict[str, torch.Tensor]:
    """Outputs of `net` on a view of these examples (None: all N): {"feature": (N, F), "class": (N, C), ...}.

    float32, on the loader's device, in the order of `rows` or of the data set. Runs in eval mode and then gives each
    part its mode back. `generator` is for views that are drawn. Raises NonFiniteLossError where an output is NaN or
    infinite: after steps that were too large.
    """
    rows = np.arange(len(loader.content)) if rows is None else rows
    n = len(rows)
    batches = [rows[start : start + batch_size] for start in range(0, n, batch_size)]
    collected: dict[str, torch.Tensor] = {}
    generator = generator or torch.Generator()
    with evaluating(net):
        done = 0
        for _, raw_B in loader.raw(batches):
            for name, output in net(loader.views.make(view, raw_B, generator)).items():
                if name not in collected:
                    collected[name] = output.new_empty((n, *output.shape[1:]), dtype=torch.float32)
                collected[name][done : done + len(raw_B)] = output
            done += len(raw_B)
    for name, output in collected.items():
        if output.isnan().any() or output.isposinf().any():  # minus infinity is the logarithm of a share of 0
            raise NonFiniteLossError(
                f"the network's output '{name}' is not finite: training diverged. Lower the learning rate "
                "(--set lr=...)."
            )
    return collected


def load_backbone(backbone: str | os.PathLike[str] | nn.Module | TextSvd | Callable[..., Any]) -> Backbone:
    """A backbone from a HuggingFace folder or name, a module, a text model that was learned, or a function.

    A HuggingFace image model sees images resized and standardized as its folder says; a text model gives the mean of
    its token vectors, or what sentence-transformers makes of them where it is one of these. A module sees float32
    images in [0, 1], (B, C, H, W), or vectors, and returns (B, F) or a mapping with "feature". A function sees what
    was read: uint8 images, float32 vectors, or a list of texts.

    Raises RequestError where it cannot be loaded.
    """
    if isinstance(backbone, str | os.PathLike):
        model = load_hf(backbone)
        # A folder by its whole path, which a run finds again from wherever it is read.
        name = os.path.abspath(backbone) if os.path.isdir(backbone) else os.fspath(backbone)
        if isinstance(model, SentenceEncoder):
            return Backbone(name, weights_digest(model, model.described), "text", _embed_texts(model), by_name=True)
        if isinstance(model, HfTextEncoder):
            return Backbone(name, weights_digest(model), "text", _embed_texts(model), by_name=True)
        digest = weights_digest(model, model.image_config)
        return Backbone(name, digest, "image", _embed_images(model), by_name=True)
    if isinstance(backbone, TextSvd):
        return Backbone(LEARNED, backbone.digest, "text", _embed_by_svd(backbone), learned=backbone)
    if isinstance(backbone, nn.Module):
        return Backbone(type(backbone).__qualname__, weights_digest(backbone), "tensor", _embed_by_module(backbone))
    if callable(backbone):
        name = getattr(backbone, "__qualname__", type(backbone).__qualname__)
        return Backbone(name, "", "any", lambda batch, device: torch.as_tensor(backbone(batch)))
    raise RequestError(
        f"backbone is {type(backbone).__name__}; give a HuggingFace folder or name, a torch module or a callable."
    )


def embed_samples(
    samples: Samples,
    backbone: Backbone,
    *,
    device: torch.device | str = "cpu",
    batch_size: int = 128,
    progress: Callable[[int, int], None] | None = None,
    cache: Path | None = None,
) -> np.ndarray:
    """(N, D) float32 rows of unit length, in the order of `samples`, from the cache where they were made before.

    `progress(done, total)` is called after each batch. `cache` is the cache's folder (None: the usual one). An
    example that the backbone maps to 0 keeps a row of zeros.

    Raises RequestError where the backbone does not take such examples, DataError naming the first example whose
    vector is not finite, StorageError where the cache cannot be written.
    """
    if not backbone.digest:
        return _embed(samples, backbone, torch.device(device), batch_size, progress)
    key = f"embedding-{content_key(VERSION, samples.digest, backbone.digest)}.npy"
    made: list[np.ndarray] = []

    def write(path: Path) -> None:
        made.append(_embed(samples, backbone, torch.device(device), batch_size, progress))
        with path.open("wb") as handle:
            np.save(handle, made[0], allow_pickle=False)

    path = Cache(cache).build(key, write)
    return made[0] if made else np.asarray(np.load(path, allow_pickle=False))


def weights_digest(model: nn.Module, *settings: object) -> str:
    """A hash of the weights by name, of the class, and of configuration objects that matter beside them."""
    hasher = hashlib.blake2b(digest_size=20)
    described = (type(model).__qualname__, getattr(getattr(model, "model", model), "config", ""), *settings)
    hasher.update(repr(described).encode())
    for name, tensor in sorted(model.state_dict().items()):
        if isinstance(tensor, torch.Tensor):
            hasher.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
            hasher.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return hasher.hexdigest()


@torch.no_grad()
def embedded_batches(
    samples: Samples, backbone: Backbone, *, device: torch.device | str = "cpu", batch_size: int = 128
) -> Iterator[tuple[np.ndarray, torch.Tensor]]:
    """Rows (B,) and their float32 vectors (B, D) of unit length on the CPU: one batch in memory at a time.

    Texts do not come in the order of `samples`. Raises as `embed_samples`.
    """
    accepted = ACCEPTED[backbone.modality]
    if samples.modality not in accepted:
        raise RequestError(
            f"'{samples.name}' holds {samples.modality}s, but backbone '{backbone.name}' takes {accepted[0]}s; "
            f"give a backbone for {samples.modality}s."
        )
    device = torch.device(device)
    for rows, batch in raw_batches(samples, device=device, batch_size=batch_size):
        vectors_BD = F.normalize(as_feature(backbone.embed(batch, device)).float(), dim=1).cpu()
        finite_B = vectors_BD.isfinite().all(1).numpy()
        if not finite_B.all():
            culprit = samples.ids[rows[~finite_B][0]]
            raise DataError(
                f"backbone '{backbone.name}' gives a vector that is not finite for '{culprit}'; "
                "check that example, or leave it out."
            )
        yield rows, vectors_BD


def _embed(
    samples: Samples,
    backbone: Backbone,
    device: torch.device,
    batch_size: int,
    progress: Callable[[int, int], None] | None,
) -> np.ndarray:
    n = len(samples)
    vectors_ND = np.zeros((n, 0), np.float32)
    done = 0
    for rows, vectors_BD in embedded_batches(samples, backbone, device=device, batch_size=batch_size):
        if not done:
            vectors_ND = np.zeros((n, vectors_BD.shape[1]), np.float32)
        vectors_ND[rows] = vectors_BD.numpy()
        done += len(rows)
        if progress is not None:
            progress(done, n)
    return vectors_ND


def raw_batches(samples: Samples, *, device: torch.device, batch_size: int) -> Iterator[tuple[np.ndarray, Any]]:
    """Rows (B,) and raw examples on the device, or lists of texts.

    Texts come sorted by length, so that little of a batch is padding.
    """
    order = np.arange(len(samples))
    if samples.texts is not None:
        order = np.argsort([len(text) for text in samples.texts], kind="stable")
    batches = [order[start : start + batch_size] for start in range(0, len(order), batch_size)]
    if samples.content is not None:
        for rows, raw in zip(batches, samples.content.stream(batches), strict=True):
            yield rows, raw.to(device)
        return
    texts: Sequence[str] = samples.texts or ()
    for rows in batches:
        yield rows, [texts[row] for row in rows]


def _embed_images(trunk: HfImageTrunk) -> Embed:
    def embed(raw_B: torch.Tensor, device: torch.device) -> torch.Tensor:
        feature: torch.Tensor = trunk.to(device)(trunk.image_config.prepare(raw_B))
        return feature

    return embed


def _embed_texts(encoder: HfTextEncoder | SentenceEncoder) -> Embed:
    def embed(texts: list[str], device: torch.device) -> torch.Tensor:
        vectors_BD: torch.Tensor = encoder.to(device)(texts, device)
        return vectors_BD

    return embed


def _embed_by_svd(model: TextSvd) -> Embed:
    return lambda texts, device: torch.from_numpy(model.embed(texts))


def _embed_by_module(module: nn.Module) -> Embed:
    def embed(raw_B: torch.Tensor, device: torch.device) -> torch.Tensor:
        with evaluating(module.to(device)):
            return as_feature(module(raw_B.float() / 255 if raw_B.dtype == torch.uint8 else raw_B))

    return embed
