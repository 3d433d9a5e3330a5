"""Frozen backbone, then propagation or a trained head: one command each, for images and for text."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

import labelprop
from labelprop.cli.main import app
from labelprop.core.errors import RequestError
from patterns import write_patterns

transformers = pytest.importorskip("transformers")
SMALL = {"batch_size": 12, "labeled_batch_size": 6, "n_neighbors": 5}


@pytest.fixture
def image_model(tmp_path):
    """A ResNet of a few channels with random weights."""
    torch.manual_seed(0)
    config = transformers.ResNetConfig(embedding_size=8, hidden_sizes=[8, 16], depths=[1, 1], layer_type="basic")
    transformers.ResNetModel(config).save_pretrained(tmp_path / "net")
    (tmp_path / "net" / "preprocessor_config.json").write_text('{"size": {"height": 16, "width": 16}}')
    return tmp_path / "net"


@pytest.fixture
def text_model(tmp_path):
    """A BERT of one layer with random weights."""
    folder = tmp_path / "bert"
    folder.mkdir()
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "good", "fine", "bad", "poor", "the", "day"]
    (folder / "vocab.txt").write_text("\n".join(words) + "\n")
    transformers.BertTokenizer(vocab=str(folder / "vocab.txt"), model_max_length=8).save_pretrained(folder)
    torch.manual_seed(0)
    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    config = transformers.BertConfig(vocab_size=len(words), max_position_embeddings=16, **sizes)
    transformers.BertModel(config).save_pretrained(folder)
    return folder


def test_images_through_a_frozen_backbone(tmp_path, image_model) -> None:
    truth = write_patterns(tmp_path / "patterns")
    vectors = labelprop.embed(tmp_path / "patterns", backbone=image_model)
    assert vectors.shape == (60, 16)
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(np.ones(60), abs=1e-5)
    run = labelprop.train(
        tmp_path / "patterns",
        out=tmp_path / "run",
        report=False,
        backbone=str(image_model),
        truth=truth,
        epochs=3,
        settings=SMALL,
    )
    description = json.loads((run.path / "model.json").read_text())
    assert description["architecture"]["name"] == "mlp"
    assert description["backbone"]["name"] == str(image_model)
    assert len(description["backbone"]["digest"]) > 10
    again = run.predict(tmp_path / "patterns")
    rows = [row for row in run.labels.to_pylist() if row["source"] == "predicted"]
    labels = dict(zip(again.column("id").to_pylist(), again.column("label").to_pylist(), strict=True))
    assert all(labels[row["id"]] == row["label"] for row in rows)
    spread = labelprop.propagate(
        tmp_path / "patterns",
        out=tmp_path / "p",
        report=False,
        backbone=str(image_model),
        truth=truth,
        method="diffusion",
        parameters={"n_neighbors": 5},
    )
    assert spread.metrics["unlabeled"]["accuracy"] > 1 / 3


def test_embed_writes_vectors_and_their_ids(tmp_path, image_model) -> None:
    write_patterns(tmp_path / "patterns")
    asked = ["embed", tmp_path / "patterns", "--backbone", image_model, "--out", tmp_path / "emb.npy"]
    asked = list(map(str, [*asked, "--ids", tmp_path / "ids.csv", "--quiet"]))
    done = CliRunner().invoke(app, asked)
    assert done.exit_code == 0, done.output
    vectors = np.load(tmp_path / "emb.npy")
    assert vectors.dtype == np.float32
    assert np.array_equal(vectors, labelprop.embed(tmp_path / "patterns", backbone=image_model))
    ids = (tmp_path / "ids.csv").read_text().split()
    assert ids[0] == "id"
    assert len(ids) == 61
    again = CliRunner().invoke(app, asked)
    assert again.exit_code == 2
    assert "exists already" in again.stderr


def test_a_changed_backbone_is_not_the_one_that_was_trained_with(tmp_path, image_model) -> None:
    write_patterns(tmp_path / "patterns")
    run = labelprop.train(
        tmp_path / "patterns",
        out=tmp_path / "run",
        report=False,
        backbone=str(image_model),
        epochs=1,
        settings=SMALL,
        baselines=False,
    )
    torch.manual_seed(1)
    config = transformers.ResNetConfig(embedding_size=8, hidden_sizes=[8, 16], depths=[1, 1], layer_type="basic")
    transformers.ResNetModel(config).save_pretrained(image_model)
    with pytest.raises(RequestError, match="is not the backbone"):
        run.predict(tmp_path / "patterns")


def test_text_through_a_backbone(tmp_path, text_model) -> None:
    lines = ["id,text,label"]
    for index in range(40):
        word = ("good", "bad", "fine", "poor")[index % 4]
        lines.append(f"{index},the {word} day,{('up', 'down')[index % 2] if index < 8 else ''}")
    (tmp_path / "t.csv").write_text("\n".join(lines) + "\n")
    run = labelprop.train(
        tmp_path / "t.csv",
        out=tmp_path / "run",
        report=False,
        backbone=str(text_model),
        epochs=5,
        settings=SMALL,
        baselines=False,
    )
    found = {row["id"]: row["label"] for row in run.labels.to_pylist()}
    assert all(found[str(index)] == ("up", "down")[index % 2] for index in range(40)), "equal texts have equal labels"


def test_a_module_as_backbone(tmp_path) -> None:
    write_patterns(tmp_path / "patterns")
    torch.manual_seed(0)
    module = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 12))
    run = labelprop.train(
        tmp_path / "patterns",
        out=tmp_path / "run",
        report=False,
        backbone=module,
        epochs=1,
        settings=SMALL,
        baselines=False,
    )
    with pytest.raises(RequestError, match="pass backbone="):
        run.predict(tmp_path / "patterns")
    assert run.predict(tmp_path / "patterns", backbone=module).num_rows == 60
