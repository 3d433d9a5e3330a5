"""Flags of the propagators: which there are, what their texts mean, and what is refused by name."""

from __future__ import annotations

import inspect
from typing import Any, get_args

import pytest

from labelprop.cli.flags import propagator_flags
from labelprop.cli.values import flag, parse_parameter, parse_parameters, parse_settings
from labelprop.core import registry
from labelprop.core.errors import RequestError, UnknownNameError

# What one command has no use for, or says by another flag; see `registry.NO_FLAGS`.
NO_FLAG = set(registry.NO_FLAGS)


@pytest.mark.parametrize("method", registry.entries("propagators"))
def test_every_constructor_parameter_is_a_flag(method: str) -> None:
    constructor = inspect.signature(registry.lookup("propagators", method).load()).parameters
    flags = {parameter.name for parameter in propagator_flags()}
    assert set(constructor) - NO_FLAG == set(registry.propagator_flags(method))
    assert set(constructor) - NO_FLAG <= flags
    assert not NO_FLAG & flags, "--device and --seed are of the command"


@pytest.mark.parametrize("method", registry.entries("propagators"))
def test_a_default_is_the_constructors_and_can_be_said(method: str) -> None:
    constructor = inspect.signature(registry.lookup("propagators", method).load()).parameters
    for name, default in registry.propagator_flags(method).items():
        assert constructor[name].default == default
        if name in registry.allowed_values() and not isinstance(default, int | float):
            assert parse_parameter(name, "none" if default is None else default) == default


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("class_mass", "seeds", "seeds"),
        ("class_mass", "none", None),
        ("class_prior", "0.2,0.8", [0.2, 0.8]),
        ("class_prior", " 1, 2 ,3e-1", [1, 2, 0.3]),
        ("volume", "seeds", "seeds"),
        ("volume", "3,1", [3, 1]),
        ("density", "none", None),
        ("density", "Conditional", "conditional"),
        ("reweight", "poisson", "poisson"),
        ("top_classes", "16", 16),
        ("top_classes", "none", None),
        ("candidates", "diffusion,labels-only", ["diffusion", "labels-only"]),
        ("candidates", "local", ["local"]),
        ("of_another_package", "0.5", 0.5),
    ],
)
def test_texts_become_values(name: str, text: str, value: Any) -> None:
    assert parse_parameter(name, text) == value


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("class_mass", "sedes", "--class-mass sedes must be none, seeds or numbers with commas .* 'seeds'?"),
        ("class_prior", "0.2;0.8", "--class-prior 0.2;0.8 must be none or numbers with commas"),
        ("top_classes", "many", "--top-classes many must be none or a whole number"),
        ("density", "joined", "--density joined must be joint, conditional, ratio or none; did you mean 'joint'"),
        ("kernel", "3", "--kernel 3 must be knn or rbf"),
        ("candidates", "diffusion,locl", "--candidates diffusion,locl: 'locl'; did you mean 'local'"),
        ("candidates", "auto", "--candidates auto"),
    ],
)
def test_texts_that_cannot_be_meant_name_the_flag(name: str, text: str, said: str) -> None:
    with pytest.raises(RequestError, match=said):
        parse_parameter(name, text)


def test_flags_that_were_not_given_are_left_to_the_constructor() -> None:
    given = {"n_neighbors": 5, "alpha": None, "volume": "none", "metric": "euclidean"}
    assert parse_parameters("label-spreading", given) == {"n_neighbors": 5, "volume": None, "metric": "euclidean"}


def test_a_flag_of_another_method_is_refused_by_name() -> None:
    with pytest.raises(RequestError, match=r"--power is no flag of --method local; it is one of diffusion\..*--n-de"):
        parse_parameters("local", {"power": 2.0})
    with pytest.raises(RequestError, match="--volume is no flag of --method weighted-knn"):
        parse_parameters("weighted-knn", {"volume": "seeds"})
    with pytest.raises(UnknownNameError, match="did you mean 'poisson'"):
        parse_parameters("poison", {})


def test_a_word_that_only_other_methods_take_is_refused_and_help_says_so() -> None:
    with pytest.raises(RequestError, match=r"--metric euclidean is not for --method diffusion, .* cosine; .*poisson"):
        parse_parameters("diffusion", {"metric": "euclidean"})
    assert parse_parameters("poisson", {"metric": "cosine"}) == {"metric": "cosine"}
    metric = next(one for one in propagator_flags() if one.name == "metric")
    said = get_args(metric.annotation)[1].help
    assert said == (
        "Default cosine alone (weighted-knn, diffusion, local, spectral-cut), euclidean (label-propagation, "
        "label-spreading, poisson), auto (auto)."
    )


def test_flags_are_spelled_with_dashes() -> None:
    assert flag("n_neighbors") == "--n-neighbors"


def test_settings_of_recipes_and_benches_are_words_and_numbers_as_the_flags_are() -> None:
    assert parse_settings("recipes", "llp", ["density=none", "pool=all"]) == {"density": None, "pool": "all"}
    assert parse_settings("recipes", "ir", ["noise=64"]) == {"noise": 64}
    with pytest.raises(RequestError, match=r"--set density=jont must be .*; did you mean 'joint'"):
        parse_settings("recipes", "llp", ["density=jont"])
    with pytest.raises(RequestError, match="--set splits=two must be none or a whole number"):
        parse_settings("benches", "small", ["splits=two"])
