"""Texts that are longer than what a model reads of one: cut, and counted, so that it can be said."""

from __future__ import annotations

from typing import Any

LETTERS_A_TOKEN = 32  # far above any language's mean: what lies behind them is not read anyway
MARKS = 8  # tokens that mark the beginning and the end of a text, at most


class Reader:
    """Cuts texts before they are split into tokens, which for a book takes longer than the model, and counts them.

    `longest` is how many tokens the model reads of a text; None: all of it.
    """

    def __init__(self, tokenizer: Any, longest: int | None) -> None:
        self.tokenizer, self.longest = tokenizer, longest
        self.n_cut = 0

    def shorten(self, texts: list[str]) -> list[str]:
        """The texts, of long ones as much as the model can read."""
        if self.longest is None:
            return texts
        shortened = [text[: LETTERS_A_TOKEN * self.longest] for text in texts]
        # A token has a byte at least, so that most texts need not be split to be known as short enough.
        long = [text for text in shortened if len(text.encode("utf-8", "replace")) + MARKS > self.longest]
        if long:
            tokens = self.tokenizer(long, truncation=False, padding=False, verbose=False)["input_ids"]
            self.n_cut += sum(len(of_text) > self.longest for of_text in tokens)
        return shortened

    def said(self) -> str:
        """What there is to say of the texts since this was asked last; empty where all were read whole."""
        n, self.n_cut = self.n_cut, 0
        texts = f"{n:,} {'text is' if n == 1 else 'texts are'}"
        return f"{texts} longer than {self.longest} tokens: only their beginning is read" if n else ""
