"""What examples are embedded by where the request does not say: photographs by `photos`, texts by `text`.

Each choice comes with its reason and with how to have another; it is said, and kept in run.json.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import torch

from labelprop.core.bundled import TF_IDF, find_weights
from labelprop.core.errors import RequestError
from labelprop.core.recipe_entries import AUTO
from labelprop.data.images.look import PHOTO_SIDE, Look
from labelprop.data.samples import ReadAs, Samples
from labelprop.data.views.views import FOR_VECTORS
from labelprop.models.backbone import Backbone, load_backbone
from labelprop.models.bundled import photo_size
from labelprop.models.trunks.efficientnet_lite import STEP
from labelprop.runs.backbones import wanted_by
from labelprop.runs.design import choose_network
from labelprop.runs.requests import TrainRequest
from labelprop.training import recipes

A_VECTOR = (1,)  # the shape of an example, to ask which recipes take vectors
COMPARE = "--backbone photos compares what a pretrained network sees in them"
NOT_ALIKE = (
    "images are compared pixel by pixel, which takes small ones of one size; --backbone photos compares what a "
    "pretrained network sees in them, --image-size 32 (say) makes them so"
)


@dataclass(frozen=True, slots=True)
class Choice:
    """A backbone, or none: the examples as they are; and why."""

    backbone: Any = None
    why: str = ""


def no_preference(look: Look) -> ReadAs:
    """How images are read that no backbone sees: in a format of their own. To be told how they look."""
    return None


def to_compare(look: Look) -> ReadAs:
    """The same, to compare pixels. Raises RequestError where that means nothing."""
    if not look.alike:
        raise RequestError(f"{NOT_ALIKE}.")
    return None


def read_as(request: TrainRequest, device: torch.device) -> Callable[[Look], ReadAs]:
    """How images are read: photographs as `photos` wants them, others in a format of their own."""
    if asks_for_pixels(request) is not None:
        return no_preference
    return lambda look: wanted_by(_photos(request, device))[0] if look.are_photos else None


def choose(request: TrainRequest, samples: Samples, device: torch.device) -> Choice:
    """What a training without --backbone learns from."""
    if samples.look is None:
        return choose_for_texts() if samples.texts is not None else Choice()
    asked, looks = asks_for_pixels(request), samples.look
    if asked is not None:
        return Choice(why=asked)
    if not looks.are_photos:
        return Choice(why=f"{_fewer(looks)}; {COMPARE}")
    photos = _photos(request, device)
    size = photos.image_shape[-1] if photos.image_shape else request.image_size
    near = "" if request.image_size in (None, size) else f" at {size} pixels, the nearest size that it takes"
    return Choice(
        photos,
        f"images are seen by the pretrained network photos{near}, and mlp is trained on that: {looks.photos:,} of "
        f"{looks.n:,} are in color and of {PHOTO_SIDE} pixels or more; --model small_cnn trains a network on the "
        "pixels instead",
    )


def choose_to_compare(samples: Samples) -> Choice:
    """What a propagation without --backbone compares: vectors, texts by what they say, images by their pixels."""
    if samples.texts is not None:
        return choose_for_texts()
    if samples.look is None or not samples.look.are_photos:
        return Choice()
    return Choice(why=f"images are compared pixel by pixel; {COMPARE}")


def by_default(request: TrainRequest, samples: Samples, device: torch.device) -> Iterator[str]:
    """What `train`, of which this is a default request, and `propagate` do with these examples; a sentence each."""
    choice = choose(request, samples, device)
    if samples.texts is not None:
        yield f"`labelprop train` and `propagate`: {choice.why}"
        return
    assert samples.content is not None
    seen = choice.why if choice.backbone is not None else choose_network(samples.content.shape, device, choice.why)[2]
    yield f"`labelprop train`: {seen}"
    if samples.look is not None and not samples.look.alike:
        yield f"`labelprop propagate` refuses these images: {NOT_ALIKE}"
    elif compared := choose_to_compare(samples).why:
        yield f"`labelprop propagate`: {compared}"


def choose_for_texts() -> Choice:
    """What texts without --backbone are embedded by."""
    if _has_text():
        return Choice(
            "text",
            "texts are seen by the pretrained network text, which knows English; --backbone tf-idf learns from "
            "the spelling of these texts alone",
        )
    return Choice(
        TF_IDF,
        "texts are seen by their spelling alone (TF-IDF): no pretrained text model is installed; pip install "
        "'labelprop[text]'",
    )


def asks_for_pixels(request: TrainRequest) -> str | None:
    """What in a request wants a network on the pixels themselves; None where nothing does."""
    if request.model != "auto":
        return "--model names the network"
    if request.init is not None:
        return "--init names the network"
    if request.augment not in ("auto", *FOR_VECTORS):
        return f"--augment {request.augment} changes pixels"
    if request.recipe != AUTO:
        recipe = recipes.build(request.recipe, request.settings)
        if recipes.refusal(recipe, A_VECTOR) is not None:
            return f"recipe {recipe.name} learns from pixels"
    return None


def _photos(request: TrainRequest, device: torch.device) -> Backbone:
    """`photos`, which is shown images of --image-size, or of the nearest size that it takes."""
    asked = request.image_size
    size = photo_size(device) if asked is None else max(STEP, STEP * round(asked / STEP))
    return load_backbone("photos", image_size=size)


def _fewer(looks: Look) -> str:
    """Why images are not taken for photographs."""
    few = f"{looks.photos:,} of {looks.n:,}" if looks.photos else "none"
    return f"{few} are in color and of {PHOTO_SIDE} pixels or more"


def _has_text() -> bool:
    """Whether the extra `text` is installed."""
    try:
        find_weights("text")
    except RequestError:
        return False
    return find_spec("sentence_transformers") is not None
