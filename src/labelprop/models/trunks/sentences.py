"""Text models made with sentence-transformers, which knows how each pools its tokens and where it cuts a text."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn

from labelprop.core.extras import require
from labelprop.models.trunks.long_texts import Reader


class SentenceEncoder(nn.Module):
    """B texts to vectors (B, D) as the model's own folder says: its pooling, layers after it, prompt and length."""

    def __init__(self, source: str) -> None:
        super().__init__()
        package = require("sentence_transformers", "text", f"backbone '{source}'")
        with quiet():
            self.model = package.SentenceTransformer(source, device="cpu")
        self.reader = Reader(self.model.tokenizer, self.model.max_seq_length)

    @property
    def described(self) -> str:
        """All that decides a vector beside the weights."""
        prompt = self.model.prompts.get(self.model.default_prompt_name or "", "")
        return f"{self.model} {self.model.max_seq_length} {prompt!r}"

    def forward(self, texts: list[str], device: torch.device | str) -> torch.Tensor:
        vectors_BD: torch.Tensor = self.model.to(device).encode(
            self.reader.shorten(texts),
            batch_size=len(texts),
            convert_to_tensor=True,
            show_progress_bar=False,
            device=str(device),
        )
        return vectors_BD.clone()  # not an inference tensor, which nothing could learn from


@contextmanager
def quiet() -> Iterator[None]:
    """Without the progress of loading and the table of weights that are missing: `hf._check_complete` looks at it."""
    logging = require("transformers", "hf", "a pretrained model").utils.logging
    level, shown = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if shown:
            logging.enable_progress_bar()
