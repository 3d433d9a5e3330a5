"""Each registered name loads, and its table of parameters equals the signature of what it names."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

import labelprop
from labelprop.core import registry
from labelprop.core.bench_entries import BENCH_SETTINGS
from labelprop.core.entry import Entry
from labelprop.core.errors import RequestError, UnknownNameError

TABLES = ("propagators", "recipes", "models", "sources", "neighbors", "benches")


@pytest.mark.parametrize(("table", "name"), [(table, name) for table in TABLES for name in registry.entries(table)])
def test_every_entry_loads(table: str, name: str) -> None:
    assert callable(registry.lookup(table, name).load())


@pytest.mark.parametrize("name", registry.entries("recipes"))
def test_recipe_parameters_are_its_settings(name: str) -> None:
    entry = registry.lookup("recipes", name)
    assert not entry.parameters, "they stand in the recipe alone"
    keywords = inspect.signature(entry.load()).parameters.values()
    shown = {one.name: one.default for one in keywords if one.kind is inspect.Parameter.KEYWORD_ONLY}
    assert shown.items() <= registry.parameters("recipes", name).items()


@pytest.mark.parametrize("name", registry.entries("benches"))
def test_bench_parameters_are_its_settings_and_each_says_what_it_is(name: str) -> None:
    entry = registry.lookup("benches", name)
    signature = inspect.signature(entry.load()).parameters.values()
    keywords = {one.name: one.default for one in signature if one.kind is inspect.Parameter.KEYWORD_ONLY}
    assert keywords == registry.parameters("benches", name)
    assert set(keywords) <= set(BENCH_SETTINGS)
    assert not {"name", "data", "out", "settings", "overwrite", "quiet", "debug"} & set(keywords)


SHARED = {  # files that hold no entry of their own
    ("propagators", "propagators"): {"local_over_processes"},
    ("models/trunks", "models"): {"efficientnet_lite", "hf", "long_texts", "modes", "sentences", "text_svd", "trunk"},
    ("data/sources", "sources"): set(),
}


@pytest.mark.parametrize(("folder", "table"), SHARED)
def test_every_file_is_registered(folder: str, table: str) -> None:
    files = {path.stem for path in (Path(labelprop.__file__).parent / folder).glob("*.py")} - {"__init__"}
    entries = registry.entries(table).values()
    assert files - SHARED[folder, table] == {entry.target.split(":")[0].rpartition(".")[2] for entry in entries}


def test_unknown_names_suggest_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match=r"unknown propagator 'difusion'; did you mean 'diffusion'\?"):
        registry.lookup("propagators", "difusion")


def test_registry_and_package_import_nothing_heavy() -> None:
    heavy = "('torch', 'sklearn', 'pyarrow', 'numpy')"
    code = f"import sys, labelprop.cli.main; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_package_that_cannot_be_loaded_is_left_out_and_named(monkeypatch: pytest.MonkeyPatch) -> None:
    points = [
        EntryPoint("broken", "no_such_package:entry", "labelprop.recipes"),
        EntryPoint("strange", "math:pi", "labelprop.recipes"),
        EntryPoint("fixmatch", "labelprop.core.registry:DIFFUSION_ENTRY", "labelprop.recipes"),
        EntryPoint("works", "labelprop.core.registry:DIFFUSION_ENTRY", "labelprop.recipes"),
    ]
    monkeypatch.setattr(registry, "DIFFUSION_ENTRY", registry.lookup("recipes", "dlp"), raising=False)
    monkeypatch.setattr(registry, "entry_points", lambda group: points if group == "labelprop.recipes" else [])
    registry._installed.cache_clear()
    try:
        with pytest.warns(UserWarning, match="is left out") as said:
            found = registry.entries("recipes")
    finally:
        registry._installed.cache_clear()
    assert "works" in found
    assert not {"broken", "strange"} & set(found)
    texts = [str(one.message) for one in said]
    assert any("recipe 'broken' of" in text and "ModuleNotFoundError" in text for text in texts)
    assert any("recipe 'strange' of" in text and "no Entry" in text for text in texts)
    assert any("recipe 'fixmatch' of" in text and "has one of that name" in text for text in texts)
    assert "Sohn" in found["fixmatch"].summary


@pytest.mark.parametrize("target", ["no_such_package.deep:Thing", "math:no_such_thing"])
def test_what_a_package_adds_and_cannot_give_is_told_from_what_is_ours(target: str) -> None:
    with pytest.raises(RequestError, match=rf"'{target}', which an installed package adds \(A thing\.\).*Repair"):
        Entry(target, "A thing.").load()
    with pytest.raises(ImportError):
        Entry("labelprop.nothing:Thing", "Ours.").load()


def test_auto_is_among_the_known_recipes() -> None:
    with pytest.raises(UnknownNameError, match=r"Known: auto, "):
        registry.lookup("recipes", "autoo")


@pytest.mark.parametrize(
    ("table", "key", "remedy"),
    [
        ("models", "photos", "--backbone photos"),
        ("recipes", "tf-idf", "--backbone tf-idf"),
        ("recipes", "poisson", "--method poisson"),
        ("propagators", "freematch", "--recipe freematch"),
        ("backbones", "small_cnn", "--model small_cnn"),
    ],
)
def test_a_name_in_a_wrong_place_is_told_where_it_belongs(table: str, key: str, remedy: str) -> None:
    assert registry.elsewhere(table)[key].endswith(remedy)
    if table != "backbones":
        with pytest.raises(UnknownNameError, match=re.escape(remedy)):
            registry.lookup(table, key)


@pytest.mark.parametrize("key", [None, 5, ["dlp"], {}])
def test_what_is_no_name_is_refused(key: object) -> None:
    with pytest.raises(RequestError, match="must be a name, one of: "):
        registry.lookup("recipes", key)
