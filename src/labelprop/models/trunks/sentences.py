"""Text models made with sentence-transformers, which knows how each pools its tokens and where it cuts a text."""

from __future__ import annotations

import torch
from torch import nn

from labelprop.core.extras import require


class SentenceEncoder(nn.Module):
    """B texts to vectors (B, D) as the model's own folder says: its pooling, layers after it, prompt and length."""

    def __init__(self, source: str) -> None:
        super().__init__()
        package = require("sentence_transformers", "text", f"backbone '{source}'")
        self.model = package.SentenceTransformer(source, device="cpu")

    @property
    def described(self) -> str:
        """All that decides a vector beside the weights."""
        prompt = self.model.prompts.get(self.model.default_prompt_name or "", "")
        return f"{self.model} {self.model.max_seq_length} {prompt!r}"

    def forward(self, texts: list[str], device: torch.device | str) -> torch.Tensor:
        vectors_BD: torch.Tensor = self.model.to(device).encode(
            texts, batch_size=len(texts), convert_to_tensor=True, show_progress_bar=False, device=str(device)
        )
        return vectors_BD.clone()  # not an inference tensor, which nothing could learn from
