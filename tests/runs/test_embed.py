"""Outputs of a network over a data set, and embeddings by frozen backbones."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from labelprop.core.errors import DataError, RequestError
from labelprop.data.contents import TensorContent
from labelprop.data.samples import Samples
from labelprop.data.views.batches import Loader
from labelprop.data.views.preprocessing import Preprocessing
from labelprop.data.views.views import Views
from labelprop.models.backbone import load_backbone
from labelprop.models.network import ModelSpec, build
from labelprop.runs import embed as embedding
from labelprop.runs.embed import embed_samples
from labelprop.training.outputs import collect_outputs


def image_content(count=23, channels=1, size=8):
    return TensorContent(
        torch.randint(
            0, 256, (count, channels, size, size), dtype=torch.uint8, generator=torch.Generator().manual_seed(0)
        ),
        torch.uint8,
    )


def samples_of(modality, content=None, texts=None, digest="d"):
    n = len(content) if content is not None else len(texts)
    ids = tuple(f"example {i}" for i in range(n))
    rows = np.arange(n)
    return Samples(ids, modality, (None,) * n, "data", digest, rows, content=content, texts=texts)


def vectors_of(samples, backbone, **options):
    """All vectors of examples that can all be read."""
    vectors, failures, digest = embed_samples(samples, backbone, **options)
    assert (failures, digest) == ({}, samples.digest)
    return vectors


def mean_and_spread(raw_B):
    """A callable backbone: two numbers an image."""
    flat = raw_B.float().flatten(1)
    return torch.stack((flat.mean(1), flat.std(1)), 1)


@pytest.fixture
def text_model(tmp_path):
    """A BERT of two layers with random weights and a vocabulary of single words."""
    transformers = pytest.importorskip("transformers")
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "the", "cat", "dog", "sat", "ran", "##s"]
    (tmp_path / "vocab.txt").write_text("\n".join(words) + "\n")
    transformers.BertTokenizer(vocab=str(tmp_path / "vocab.txt"), model_max_length=8).save_pretrained(tmp_path)
    torch.manual_seed(0)
    config = transformers.BertConfig(
        vocab_size=len(words), hidden_size=12, num_hidden_layers=2, num_attention_heads=2, intermediate_size=16,
        max_position_embeddings=16,
    )  # fmt: skip
    transformers.BertModel(config).save_pretrained(tmp_path)
    return tmp_path


# --- the network in training ------------------------------------------------------------------------------


@pytest.mark.parametrize("resident", [True, False])
def test_outputs_of_all_examples_in_order_whatever_the_batches(resident):
    content = image_content()
    loader = Loader.over(
        content, Views(Preprocessing("image", (1, 8, 8), (0.5,), (0.3,)), "strong"), torch.device("cpu")
    )
    if not resident:
        loader = Loader(content, loader.views, loader.device, None)
    network = build(ModelSpec("small_cnn", (1, 8, 8), {"class": 3, "embedding": 4}), seed=0)
    collected = collect_outputs(network, loader, batch_size=10)
    assert {name: tuple(output.shape) for name, output in collected.items()} == {
        "feature": (23, 128),
        "class": (23, 3),
        "embedding": (23, 4),
    }
    network.eval()
    with torch.no_grad():
        for i in (0, 9, 10, 22):
            alone = network(loader.views.make("eval", content.read(np.array([i])), torch.Generator()))
            torch.testing.assert_close(collected["class"][i : i + 1], alone["class"])
    assert not collected["feature"].requires_grad


def test_collecting_changes_neither_network_nor_modes():
    content = image_content()
    loader = Loader.over(content, Views(Preprocessing("image", (1, 8, 8)), "none"), torch.device("cpu"))
    network = build(ModelSpec("small_cnn", (1, 8, 8), {"class": 3}), seed=0).train()
    network.trunk.layers[0].eval()
    modes = [part.training for part in network.modules()]
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    collect_outputs(network, loader)
    assert [part.training for part in network.modules()] == modes
    for name, tensor in network.state_dict().items():
        assert torch.equal(tensor, before[name]), name


# --- frozen backbones -------------------------------------------------------------------------------------


def test_callable_sees_raw_images_and_rows_have_unit_length():
    content = image_content()
    backbone = load_backbone(mean_and_spread)
    assert backbone.name == "mean_and_spread"
    assert backbone.digest == ""
    vectors = vectors_of(samples_of("image", content), backbone, batch_size=5)
    expected = mean_and_spread(content.read(np.arange(23))).numpy()
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(vectors, expected / np.linalg.norm(expected, axis=1, keepdims=True), rtol=1e-5)


def test_module_sees_pixels_between_0_and_1_in_eval_mode(tmp_path):
    class Recorder(nn.Module):
        def __init__(self):
            super().__init__()
            self.scale = nn.Parameter(torch.ones(1))
            self.seen = []

        def forward(self, x):
            self.seen.append((float(x.max()), self.training))
            return {"feature": self.scale * x.flatten(1)[:, :3]}

    module = Recorder()
    vectors = vectors_of(samples_of("image", image_content()), load_backbone(module), cache=tmp_path)
    assert vectors.shape == (23, 3)
    assert module.training
    assert all(0.5 < largest <= 1 and not training for largest, training in module.seen)


def counting(monkeypatch):
    """The number of examples of each batch that a backbone sees from now on."""
    seen, original = [], embedding._embed

    def counted(samples, rows, *rest):
        seen.append(len(rows))
        return original(samples, rows, *rest)

    monkeypatch.setattr(embedding, "_embed", counted)
    return seen


def test_the_cache_knows_each_example_by_content_and_backbone(tmp_path, monkeypatch):
    seen = counting(monkeypatch)
    module = nn.Sequential(nn.Flatten(), nn.Linear(64, 5))
    content = image_content()
    first = vectors_of(samples_of("image", content), load_backbone(module), cache=tmp_path, batch_size=10)
    assert seen == [10, 10, 3]
    again = vectors_of(samples_of("image", content, digest="other"), load_backbone(module), cache=tmp_path)
    np.testing.assert_array_equal(again, first)
    order = np.random.default_rng(0).permutation(23)
    more = torch.cat([content.read(order), torch.full((1, 1, 8, 8), 7, dtype=torch.uint8)])
    grown = vectors_of(samples_of("image", TensorContent(more, torch.uint8)), load_backbone(module), cache=tmp_path)
    np.testing.assert_array_equal(grown[:23], first[order])
    assert seen == [10, 10, 3, 1]
    with torch.no_grad():
        module[1].bias.add_(1)
    assert not np.array_equal(vectors_of(samples_of("image", content), load_backbone(module), cache=tmp_path), first)
    assert seen == [10, 10, 3, 1, 23]


def test_how_long_it_takes_is_said_once_from_the_pace_after_the_first_batch(monkeypatch):
    now, said, advanced = [0.0], [], []
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    reporter = SimpleNamespace(say=said.append, advance=lambda *about: advanced.append(about))
    foretold = embedding.Foretold(reporter, "embedding images")
    for seconds, done in ((8, 100), (10, 200), (13, 300)):  # the first batch also opens the network
        now[0] = seconds
        foretold(done, 200_000)
    assert said == ["embedding images takes about 1 h 06 min, at 50 a second"]
    assert advanced == [("embedding images", done, 200_000) for done in (100, 200, 300)]
    short = embedding.Foretold(reporter, "embedding images")
    for seconds, done in ((14, 100), (16, 200)):
        now[0] = seconds
        short(done, 300)
    assert len(said) == 1


def test_it_is_told_beforehand_how_many_are_left_and_not_where_it_refuses(tmp_path):
    left: list[int] = []
    backbone = load_backbone(nn.Sequential(nn.Flatten(), nn.Linear(64, 5)))
    options = {"cache": tmp_path, "began": left.append}
    for n in (20, 20, 23):
        vectors_of(samples_of("image", image_content(n)), backbone, **options)
    assert left == [20, 0, 3]
    with pytest.raises(RequestError, match="holds texts"):
        embed_samples(samples_of("text", texts=["a", "b"]), backbone, **options)
    assert left == [20, 0, 3]


def test_an_embedding_that_was_killed_goes_on_as_if_it_had_not(tmp_path, monkeypatch):
    module = nn.Sequential(nn.Flatten(), nn.Linear(64, 5))
    samples, asked = samples_of("image", image_content(70)), {"batch_size": 4}
    unbroken = vectors_of(samples, load_backbone(module), cache=tmp_path / "other", **asked)

    def killed(done, total):
        if done == 68:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        vectors_of(samples, load_backbone(module), cache=tmp_path / "c", progress=killed, **asked)
    seen = counting(monkeypatch)
    np.testing.assert_array_equal(vectors_of(samples, load_backbone(module), cache=tmp_path / "c", **asked), unbroken)
    assert seen == [4, 2]  # 64 of 16 batches were kept


def test_image_backbone_from_a_folder(tmp_path):
    transformers = pytest.importorskip("transformers")
    config = transformers.ResNetConfig(embedding_size=4, hidden_sizes=[6], depths=[1], layer_type="basic")
    torch.manual_seed(0)
    transformers.ResNetModel(config).save_pretrained(tmp_path / "net")
    (tmp_path / "net" / "preprocessor_config.json").write_text('{"size": {"height": 16, "width": 16}}')
    backbone = load_backbone(tmp_path / "net")
    assert backbone.modality == "image"
    samples = samples_of("image", image_content())
    vectors = vectors_of(samples, backbone, cache=tmp_path / "cache", batch_size=7)
    assert vectors.shape == (23, 6)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, rtol=1e-5)
    one_by_one = vectors_of(samples, backbone, cache=tmp_path / "other", batch_size=1)
    np.testing.assert_allclose(vectors, one_by_one, atol=1e-5)
    assert load_backbone(str(tmp_path / "net")).digest == backbone.digest
    (tmp_path / "net" / "preprocessor_config.json").write_text('{"size": {"height": 20, "width": 20}}')
    assert load_backbone(tmp_path / "net").digest != backbone.digest


def test_text_backbone_averages_real_tokens_only(text_model, tmp_path):
    transformers = pytest.importorskip("transformers")
    backbone = load_backbone(text_model)
    assert backbone.modality == "text"
    texts = ("the cat sat", "dog", "the dogs ran the cat ran the dog sat the cat", "cats")
    progress = []
    vectors = vectors_of(
        samples_of("text", texts=texts), backbone, batch_size=2, cache=tmp_path / "cache",
        progress=lambda done, total: progress.append((done, total)),
    )  # fmt: skip
    assert progress == [(2, 4), (4, 4)]
    tokenizer = transformers.AutoTokenizer.from_pretrained(text_model)
    model = transformers.AutoModel.from_pretrained(text_model).eval()
    for text, vector in zip(texts, vectors, strict=True):
        tokens = tokenizer(text, return_tensors="pt", truncation=True, max_length=8)
        with torch.no_grad():
            mean = model(**tokens).last_hidden_state[0].mean(0).numpy()
        np.testing.assert_allclose(vector, mean / np.linalg.norm(mean), atol=1e-5)


@pytest.mark.parametrize("pooling", ["mean", "cls"])
def test_a_sentence_transformers_model_pools_as_it_was_made_to(text_model, tmp_path, pooling):
    sentence_transformers = pytest.importorskip("sentence_transformers")
    transformers = pytest.importorskip("transformers")
    made = sentence_transformers.SentenceTransformer(str(text_model), device="cpu")
    made.max_seq_length = 5
    folder = tmp_path / "sentences"
    made.save(str(folder))
    config = folder / "1_Pooling" / "config.json"
    config.write_text(config.read_text().replace('"mean"', f'"{pooling}"'))
    texts = ("the cat sat", "dog", "the dogs ran the cat ran the dog sat the cat")
    backbone = load_backbone(folder)
    vectors = vectors_of(samples_of("text", texts=texts), backbone, cache=tmp_path / "cache")
    tokenizer = transformers.AutoTokenizer.from_pretrained(text_model)
    model = transformers.AutoModel.from_pretrained(text_model).eval()
    for text, vector in zip(texts, vectors, strict=True):
        tokens = tokenizer(text, return_tensors="pt", truncation=True, max_length=5)
        with torch.no_grad():
            hidden = model(**tokens).last_hidden_state[0]
        wanted = (hidden[0] if pooling == "cls" else hidden.mean(0)).numpy()
        np.testing.assert_allclose(vector, wanted / np.linalg.norm(wanted), atol=1e-5)
    assert backbone.digest != load_backbone(text_model).digest


def test_a_sentence_transformers_model_without_the_package_says_what_to_install(text_model, monkeypatch):
    (text_model / "modules.json").write_text("[]")
    monkeypatch.setitem(sys.modules, "sentence_transformers", None)
    with pytest.raises(RequestError, match=r"pip install 'labelprop\[text\]'"):
        load_backbone(text_model)


def test_wrong_modality_is_refused(text_model):
    with pytest.raises(
        RequestError, match=r"'data' holds images, but backbone '.*' takes texts; give one that takes them"
    ):
        vectors_of(samples_of("image", image_content()), load_backbone(text_model))
    with pytest.raises(RequestError, match="'data' holds texts, but backbone 'Linear' takes images"):
        vectors_of(samples_of("text", texts=("a",)), load_backbone(nn.Linear(2, 2)))
    with pytest.raises(RequestError, match="backbone is int; give photos, text, a HuggingFace folder or name"):
        load_backbone(3)


def test_callable_gets_texts_as_a_list():
    vectors = vectors_of(
        samples_of("text", texts=("aaa", "b")), load_backbone(lambda texts: np.array([[len(t), 1.0] for t in texts]))
    )
    np.testing.assert_allclose(vectors[:, 0] / vectors[:, 1], [3, 1], rtol=1e-6)


def test_vectors_that_are_not_finite_name_the_example():
    def broken(raw_B):
        made = mean_and_spread(raw_B)
        made[3] = float("nan")
        return made

    with pytest.raises(DataError, match=r"gives a vector that is not finite for 'example 3'"):
        vectors_of(samples_of("image", image_content()), load_backbone(broken))
