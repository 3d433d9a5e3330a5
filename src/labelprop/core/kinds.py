"""What kinds of examples a model takes."""

from __future__ import annotations

from dataclasses import dataclass

from labelprop.core.errors import RequestError


@dataclass(frozen=True, slots=True)
class Kinds:
    """Modalities that `model`, as a sentence calls it, takes; and what to do where the examples are of another."""

    model: str
    accepted: tuple[str, ...]
    remedy: str

    def check(self, data: str, modality: str) -> None:
        """Raises RequestError where examples of this modality, which `data` holds, are not among them."""
        if modality not in self.accepted:
            raise RequestError(
                f"'{data}' holds {modality}s, but {self.model} takes {self.accepted[0]}s; {self.remedy}."
            )
