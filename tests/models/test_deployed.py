"""A vote as a classifier: shares as logits, and back from its files."""

from __future__ import annotations

import json

import numpy as np
import torch
from torch.nn import functional as F

from labelprop.data.contents import TensorContent
from labelprop.data.views.preprocessing import Preprocessing
from labelprop.models.deployed import NearestVote
from labelprop.models.network import ModelSpec, build
from labelprop.runs.classifier import Classifier, load_classifier, save_classifier

SPEC = ModelSpec("mlp", (5,), {"embedding": 4})


def voting() -> NearestVote:
    voters = F.normalize(torch.randn(6, 4, generator=torch.Generator().manual_seed(0)), dim=1)
    labels, trust = torch.tensor([0, 1, 2, 0, 1, 2]), torch.tensor([1.0, 1.0, 0.5, 1.0, 0.0, 1.0])
    return NearestVote(build(SPEC, seed=0), voters, labels, trust, 3, n_neighbors=2).eval()


def test_logits_are_log_shares_and_finite() -> None:
    found = voting()(torch.randn(7, 5))
    assert set(found) == {"feature", "embedding", "class"}
    assert torch.isfinite(found["class"]).all()
    shares = found["class"].softmax(dim=1)
    assert torch.allclose(shares.sum(dim=1), torch.ones(7))
    assert ((shares > 1e-6).sum(dim=1) <= 2).all(), "two voters name at most two classes"


def test_files_bring_the_voters_back(tmp_path) -> None:
    content = TensorContent(torch.randn(20, 5, generator=torch.Generator().manual_seed(1)), torch.float32)
    classifier = Classifier(voting(), Preprocessing.measure(content), ("a", "b", "c"))
    save_classifier(tmp_path, classifier, SPEC)
    loaded = load_classifier(tmp_path, json.loads((tmp_path / "model.json").read_text()))
    assert np.array_equal(loaded.distributions(content), classifier.distributions(content))


def test_a_vote_counts_as_much_as_its_label_is_trusted() -> None:
    """Three voters at the same place, trusted fully, half and not at all."""
    network = build(SPEC, seed=0).eval()
    x = torch.randn(4, 5)
    place = network(x)["embedding"][:1].detach()
    labels, trust = torch.tensor([0, 1, 2]), torch.tensor([1.0, 0.5, 0.0])
    found = NearestVote(network, place.expand(3, 4), labels, trust, 3, n_neighbors=3).eval()(x)
    wanted = torch.tensor([2 / 3, 1 / 3, 0.0]).expand(4, 3)
    torch.testing.assert_close(found["class"].softmax(dim=1), wanted)
