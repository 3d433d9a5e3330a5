"""The bundled backbones `photos` and `text`, opened when the first batch comes: vectors may all be in the cache."""

from __future__ import annotations

from functools import cached_property

import torch

from labelprop.core.bundled import BUNDLED, published_weights
from labelprop.core.errors import RequestError
from labelprop.core.files import Digest
from labelprop.models.trunks.efficientnet_lite import STEP, EfficientNetLite0
from labelprop.models.trunks.hf import ImageConfig
from labelprop.models.trunks.sentences import SentenceEncoder

SIZE_ON_CPU, SIZE_ON_GPU = 160, 224  # pixels; the weights were trained at 224
PHOTOS_VERSION = 1  # of how `Photos` turns images into vectors: a change makes cached ones stale
TEXTS_VERSION = 1  # of `Texts`, likewise
# Pixels - 127, / 128: so the TensorFlow code that trained these weights (MEAN_RGB, STDDEV_RGB of its
# efficientnet_lite_builder.py). The PyTorch package's example has ImageNet's mean and deviation instead, which is
# worse: on 1,200 images of CIFAR-10 at 160 pixels, 20 labels a class, 8 draws, a logistic regression on the vectors
# was right in 73.9% with these and in 68.3% with ImageNet's; 10 nearest neighbors in 70.2 and 63.7%.
MEAN, DEVIATION = 127 / 255, 128 / 255
# Pixels at a time on a CPU, whose cache then holds what lies between two layers: 10 images of 160 pixels, 28 of
# 96. All 64 at once took half as long again. bf16 would be faster yet by two thirds where the CPU has it, but then
# vectors would be others from machine to machine (cosines of 0.995 with these).
CHUNK = 2**18


class Photos:
    """Raw images (B, 1 or 3, H, W), 0 to 255, to vectors (B, 1280), by EfficientNet-Lite0 at `size` pixels."""

    def __init__(self, size: int) -> None:
        if size % STEP or size < STEP:
            raise RequestError(f"--image-size {size}: backbone photos takes multiples of {STEP}, such as 96 or 160.")
        self.path = published_weights("photos")
        self.config = ImageConfig((size, size), (MEAN,) * 3, (DEVIATION,) * 3)
        self.digest = Digest(f"photos {PHOTOS_VERSION} {BUNDLED['photos'].sha256} {size}").hex()

    @cached_property
    def network(self) -> EfficientNetLite0:
        return EfficientNetLite0(torch.load(self.path, map_location="cpu", weights_only=True))

    @torch.inference_mode()
    def _embed(self, raw_B: torch.Tensor, device: torch.device) -> torch.Tensor:
        network = self.network.to(device)
        pixels = self.config.size[0] * self.config.size[1]
        chunks = torch.split(raw_B, max(1, CHUNK // pixels) if device.type == "cpu" else len(raw_B))
        return torch.cat([network(self.config.prepare(chunk)) for chunk in chunks])

    def __call__(self, raw_B: torch.Tensor, device: torch.device) -> torch.Tensor:
        return self._embed(raw_B, device).clone()  # not an inference tensor, which nothing could learn from


class Texts:
    """Texts to vectors (B, 384), by all-MiniLM-L6-v2 from the folder of its package: never the hub."""

    def __init__(self) -> None:
        path = published_weights("text")
        self.folder = path.parent
        digest = Digest(f"text {TEXTS_VERSION} {BUNDLED['text'].sha256}")
        for file in sorted(self.folder.rglob("*.json")):  # tokens, pooling, length: what decides a vector beside them
            digest.add_sized(file.relative_to(self.folder).as_posix())
            digest.add_sized(file.read_bytes())
        self.digest = digest.hex()

    @cached_property
    def encoder(self) -> SentenceEncoder:
        return SentenceEncoder(str(self.folder)).eval()

    def __call__(self, texts: list[str], device: torch.device) -> torch.Tensor:
        vectors_BD: torch.Tensor = self.encoder.to(device)(texts, device)
        return vectors_BD

    def said(self) -> str:
        """What there is to say of the texts so far."""
        return self.encoder.reader.said() if "encoder" in self.__dict__ else ""


def photo_size(device: torch.device | str) -> int:
    """Pixels a side that `photos` sees on this device where none were asked for."""
    return SIZE_ON_CPU if str(device).startswith("cpu") else SIZE_ON_GPU
