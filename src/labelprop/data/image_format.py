"""What format images are brought to before anything else happens to them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    pass


@dataclass(frozen=True, slots=True)
class ImageFormat:
    """The decoded form every image is brought to: 1 (gray) or 3 (RGB) channels, and its size in pixels."""

    channels: int
    height: int
    width: int

    @property
    def shape(self) -> tuple[int, int, int]:
        return (self.channels, self.height, self.width)

    def to_json(self) -> dict[str, int]:
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> ImageFormat:
        return cls(int(data["channels"]), int(data["height"]), int(data["width"]))
