"""Texts to vectors by TF-IDF and SVD: against a dense computation by hand, and as it is after saving."""

from __future__ import annotations

import json
import math
from collections import Counter

import numpy as np
import pytest

from labelprop.core.errors import RequestError
from labelprop.models.trunks.text_svd import DESCRIBED, WEIGHTS, TextSvd

TEXTS = [
    "a red bird",
    "the red bird",
    "a blue fish",
    "the blue fishes",
    "a red fish",
    "blue birds",
    "Ünïcode bird",
    "",
]


def groups(text: str) -> Counter[str]:
    """Groups of 2 to 4 letters within words that have a space before and after them."""
    found: Counter[str] = Counter()
    for word in text.lower().split():
        padded = f" {word} "
        for size in (2, 3, 4):
            found.update(padded[at : at + size] for at in range(len(padded) - size + 1))
            if len(padded) <= size:
                break  # the whole word, once
    return found


def weights_by_hand(texts: list[str]) -> tuple[list[str], np.ndarray]:
    """(1 + log tf) * (1 + log((1 + n) / (1 + df))), rows of length 1."""
    counted = [groups(text) for text in texts]
    names = sorted(set().union(*counted))
    idf = {name: 1 + math.log((1 + len(texts)) / (1 + sum(name in one for one in counted))) for name in names}
    rows = [[(1 + math.log(one[name])) * idf[name] if one[name] else 0.0 for name in names] for one in counted]
    weights_NV = np.array(rows)
    lengths_N1 = np.linalg.norm(weights_NV, axis=1, keepdims=True)
    return names, np.divide(weights_NV, lengths_N1, out=np.zeros_like(weights_NV), where=lengths_N1 > 0)


def test_vectors_keep_all_inner_products_where_dimensions_suffice() -> None:
    names, weights_NV = weights_by_hand(TEXTS)
    model = TextSvd.fit(TEXTS)
    assert list(model.vocabulary) == names
    vectors_ND = model.embed(TEXTS)
    assert vectors_ND.dtype == np.float32
    np.testing.assert_allclose(vectors_ND @ vectors_ND.T, weights_NV @ weights_NV.T, atol=1e-5)
    assert not vectors_ND[-1].any(), "nothing is known of an empty text"


def test_fewer_dimensions_are_the_strongest_directions() -> None:
    _, weights_NV = weights_by_hand(TEXTS)
    _, strength, right = np.linalg.svd(weights_NV, full_matrices=False)
    vectors_ND = TextSvd.fit(TEXTS, dimensions=3).embed(TEXTS)
    expected = weights_NV @ right[:3].T
    np.testing.assert_allclose(vectors_ND @ vectors_ND.T, expected @ expected.T, atol=1e-4)
    np.testing.assert_allclose(np.linalg.norm(vectors_ND, axis=0), strength[:3], rtol=1e-4)


def test_copies_add_no_direction_of_rounding() -> None:
    model = TextSvd.fit(["one", "two", "three"] * 20)
    assert model.components_DV.shape[0] == 3
    np.testing.assert_allclose(model.components_DV @ model.components_DV.T, np.eye(3), atol=1e-5)


def test_saved_and_loaded_it_embeds_new_texts_alike(tmp_path) -> None:
    model = TextSvd.fit(TEXTS, seed=3)
    model.save(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {DESCRIBED, WEIGHTS}
    again = TextSvd.load(tmp_path)
    new = ["a redder fish", "something else entirely", "42 %"]
    assert np.array_equal(again.embed(new), model.embed(new))
    assert np.array_equal(again.embed(new)[:1], model.embed(new[:1])), "each text by itself"
    assert again.digest == model.digest == TextSvd.fit(TEXTS, seed=3).digest
    assert TextSvd.fit(TEXTS[:-2], seed=3).digest != model.digest


def test_what_cannot_be_learned_or_loaded_is_said(tmp_path) -> None:
    with pytest.raises(RequestError, match=r"none of the texts has a letter.*--backbone"):
        TextSvd.fit(["", "  "])
    TextSvd.fit(TEXTS).save(tmp_path)
    described = json.loads((tmp_path / DESCRIBED).read_text())
    (tmp_path / DESCRIBED).write_text(json.dumps({"vocabulary": described["vocabulary"]}))
    with pytest.raises(RequestError, match="cannot be loaded"):
        TextSvd.load(tmp_path)
    (tmp_path / WEIGHTS).write_bytes(b"no")
    (tmp_path / DESCRIBED).write_text(json.dumps(described))
    with pytest.raises(RequestError, match="cannot be loaded"):
        TextSvd.load(tmp_path)
