from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from labelprop.core.errors import RequestError
from labelprop.data.contents import TensorContent
from labelprop.data.views.preprocessing import Preprocessing
from labelprop.models.network import ModelSpec, build
from labelprop.runs.classifier import Classifier, load_classifier, save_classifier


@pytest.fixture
def saved(tmp_path):
    content = TensorContent(torch.randint(0, 255, (20, 1, 8, 8), dtype=torch.uint8), torch.uint8)
    spec = ModelSpec("small_cnn", (1, 8, 8), {"class": 3}, l2_feature=True)
    classifier = Classifier(build(spec, seed=1), Preprocessing.measure(content), ("a", "b", "c"))
    save_classifier(tmp_path, classifier, spec, {"backbone": None})
    return tmp_path, classifier, content


def description(folder) -> dict:
    return json.loads((folder / "model.json").read_text())


def test_a_loaded_classifier_predicts_the_same(saved) -> None:
    folder, classifier, content = saved
    loaded = load_classifier(folder, description(folder))
    assert not loaded.training
    assert loaded.classes == ("a", "b", "c")
    assert np.array_equal(loaded.distributions(content), classifier.distributions(content))


def test_distributions_sum_to_one_and_do_not_depend_on_the_batch(saved) -> None:
    _, classifier, content = saved
    whole = classifier.distributions(content)
    assert whole.sum(1) == pytest.approx(np.ones(20), abs=1e-6)
    one = TensorContent(content.read(np.array([7])), torch.uint8)
    assert classifier.distributions(one)[0] == pytest.approx(whole[7], abs=1e-6)


def test_no_rows_give_no_rows(saved) -> None:
    _, classifier, content = saved
    assert classifier.distributions(TensorContent(content.read(np.array([], int)), torch.uint8)).shape == (0, 3)


@pytest.mark.parametrize("damage", ["truncate", "forget"])
def test_a_damaged_model_says_so(saved, damage: str) -> None:
    folder, _, _ = saved
    known = description(folder)
    if damage == "truncate":
        (folder / "model.safetensors").write_bytes((folder / "model.safetensors").read_bytes()[:50])
    else:
        del known["architecture"]
    with pytest.raises(RequestError, match=r"cannot be loaded .*train it again"):
        load_classifier(folder, known)
