"""Names to code: one line each for propagators, recipes, models, search backends and data sources.

Nothing here imports torch: the command line builds its flags from these tables. Each entry is
`name: Entry("module:Object", "one sentence")`; parameters and defaults are read from the object's source, and those
of a recipe from the recipe itself. Packages of others add entries through the entry-point groups `labelprop.<table>`;
such an entry point loads an `Entry`.
"""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from functools import cache
from importlib.metadata import entry_points
from typing import Any

from labelprop.core.bench_entries import BENCHES
from labelprop.core.bundled import BACKBONES
from labelprop.core.entry import Entry
from labelprop.core.errors import RequestError, UnknownNameError
from labelprop.core.recipe_entries import AUTO, RECIPES
from labelprop.core.signatures import Parameter, UnreadableError, read_parameters
from labelprop.core.text import short_repr

PROPAGATORS: dict[str, Entry] = {
    "weighted-knn": Entry(
        "labelprop.propagators.weighted_knn:WeightedKNN",
        "Lets the nearest labeled rows vote, the nearer ones more (Wu et al. 2018).",
    ),
    "diffusion": Entry(
        "labelprop.propagators.diffusion:Diffusion",
        "Diffuses labels over a nearest-neighbor graph by conjugate gradient (Iscen et al. 2019).",
    ),
    "label-propagation": Entry(
        "labelprop.propagators.label_propagation:LabelPropagation",
        "Every row is the mean of its neighbors, seeds are fixed (Zhu et al. 2003); repairs for few labels.",
    ),
    "label-spreading": Entry(
        "labelprop.propagators.label_spreading:LabelSpreading",
        "Labels spread over a normalized graph while seeds keep feeding theirs in (Zhou et al. 2003).",
    ),
    "poisson": Entry(
        "labelprop.propagators.poisson:Poisson",
        "Labels are sources on a graph: for one or two a class (Calder et al. 2020).",
    ),
    "local": Entry(
        "labelprop.propagators.local_propagation:LocalPropagation",
        "Lets labeled neighbors vote, those in dense regions less (Zhuang et al. 2019).",
    ),
    "spectral-cut": Entry(
        "labelprop.propagators.spectral_cut:SpectralCut",
        "Combines the smoothest functions on the graph so that they follow the seeds (Liu et al. 2018).",
    ),
    "auto": Entry(
        "labelprop.propagators.auto:AutoPropagation",
        "Picks one of the others, or a classifier head, by hiding some of the given labels.",
    ),
}

# Constructor parameters that are no flags of `propagate`: flags of another name (`device`, `random_state`: --seed,
# `verbose`: --quiet), one that needs a second fit (`warm_start`), one that does nothing (`n_jobs` is scikit-learn's).
NO_FLAGS = ("device", "random_state", "verbose", "warm_start", "n_jobs")

PROPAGATOR = "labelprop.propagators.estimator.base:Propagator"  # what all of them have in common

HEADS = ("labels-only", "soft-head")  # candidates of `auto` that are no propagators

MODELS: dict[str, Entry] = {
    "small_cnn": Entry(
        "labelprop.models.trunks.small_cnn:SmallCnn",
        "Small convolutional network for images of 8 to 64 pixels on a CPU.",
    ),
    "conv13": Entry(
        "labelprop.models.trunks.conv13:Conv13", "The 13-layer network of the DLP paper, for 32-pixel images."
    ),
    "preact_resnet18": Entry(
        "labelprop.models.trunks.preact_resnet:PreactResNet18", "Pre-activation ResNet-18 (v2)."
    ),
    "preact_resnet50": Entry(
        "labelprop.models.trunks.preact_resnet:PreactResNet50", "Pre-activation ResNet-50 (v2)."
    ),
    "resnet18": Entry(
        "labelprop.models.trunks.resnet18:ResNet18", "Post-activation ResNet-18 (mini-ImageNet in DLP)."
    ),
    "mlp": Entry("labelprop.models.trunks.mlp:Mlp", "Multi-layer perceptron for vectors and frozen embeddings."),
    "pretrained": Entry(
        "labelprop.models.trunks.pretrained:build_pretrained",
        "A HuggingFace image model that learns; made by --backbone NAME --tune lora (or full).",
    ),
}

SOURCES: dict[str, Entry] = {
    "folder": Entry(
        "labelprop.data.sources.folder:FolderSource",
        "A folder of images, whose class sub-folders are labels, or of tables that are one.",
    ),
    "image": Entry("labelprop.data.sources.image:ImageSource", "The file of one image, for predict."),
    "table": Entry("labelprop.data.sources.table:TableSource", "A CSV, Parquet or JSONL table."),
    "arrays": Entry("labelprop.data.sources.arrays:ArraySource", "A .npy or .npz file of vectors or images."),
    "frame": Entry("labelprop.data.sources.frame:FrameSource", "A pandas or polars frame, or an Arrow table."),
    "hf": Entry("labelprop.data.sources.hf:HfSource", "A HuggingFace dataset on disk or by name (extra `hf`)."),
}

NEIGHBORS: dict[str, Entry] = {
    "exact": Entry("labelprop.graph.neighbors.exact:search", "Blocked matrix products; exact."),
    "approximate": Entry("labelprop.graph.neighbors.approximate:search", "cells of near rows; recall is measured."),
}


def entries(name: str) -> dict[str, Entry]:
    """The built-in table `name` ('propagators', 'recipes', ...) and what installed packages add to it."""
    return {**_TABLES[name], **_installed(name)}


@cache
def _installed(name: str) -> dict[str, Entry]:
    """Entries that installed packages add to a table, without built-in names.

    Cached: it reads the metadata of every installed package.
    """
    found = {}
    for point in entry_points(group=f"labelprop.{name}"):
        try:
            entry = point.load()
        except Exception as error:  # importing another package may raise anything
            entry = error
        taken = point.name in _TABLES[name]
        package = point.dist.name if point.dist is not None else "an unknown package"
        if isinstance(entry, Entry) and not taken:
            found[point.name] = replace(entry, package=package)
            continue
        warnings.warn(
            f"{ONE_OF[name]} '{point.name}' of {package} ({point.value}) is left out: "
            + ("labelprop has one of that name" if taken else _why_not(entry)),
            stacklevel=2,
        )
    return found


def _why_not(entry: Any) -> str:
    return f"{type(entry).__name__}: {entry}" if isinstance(entry, Exception) else f"it is {entry!r}, no Entry"


def added_by(module: str) -> str | None:
    """The entry that this module's package adds to the tables, as "recipe 'x' of y"; None where it adds none."""
    root = module.partition(".")[0]
    for name in _TABLES:
        for key, entry in _installed(name).items():
            if entry.target.partition(":")[0].partition(".")[0] == root:
                return f"{ONE_OF[name]} '{key}' of {entry.package}"
    return None


def lookup(name: str, key: Any) -> Entry:
    """The entry `key` of table `name`.

    Raises UnknownNameError, with the nearest known name, when there is none; RequestError for what is no name.
    """
    known = entries(name)
    if not isinstance(key, str):
        raise RequestError(f"{ONE_OF[name]} {short_repr(key)} must be a name, one of: {', '.join(known)}.")
    if key not in known:
        names = {*known, AUTO} if name in ("recipes", "models") else known
        raise UnknownNameError(ONE_OF[name], key, names, elsewhere=elsewhere(name))
    return known[key]


_GIVEN_AS = {  # what a name of a table is, and how it is given
    "models": "a model, which train takes: --model {}",
    "recipes": "a recipe, which train takes: --recipe {}",
    "propagators": "a propagator, which propagate takes: --method {}",
    "backbones": "a backbone: --backbone {}",
}


def elsewhere(*here: str) -> dict[str, str]:
    """The names of other tables than these, and of backbones, with what they are: for one given in a wrong place."""
    tables = {name: entries(name) if name in _TABLES else BACKBONES for name in _GIVEN_AS if name not in here}
    return {key: _GIVEN_AS[name].format(key) for name, keys in tables.items() for key in keys if key != AUTO}


# What `--augment` may do to an example without changing its label; see `data.views`.
AUGMENTS = ("none", "shift", "shift+flip", "rotate+crop+flip", "crop+color+flip", "noise", "mix", "strong")

_TABLES = {
    "propagators": PROPAGATORS,
    "recipes": RECIPES,
    "models": MODELS,
    "sources": SOURCES,
    "neighbors": NEIGHBORS,
    "benches": BENCHES,
}
ONE_OF = {name: name.removesuffix("s") for name in _TABLES} | {"benches": "bench"}


def parameters(name: str, key: str) -> Mapping[str, Any]:
    """Parameters of the entry `key` of table `name` with their defaults, from the entry or from its object's source.

    A recipe's parameters are its default settings, which its methods define: torch is imported. Raises
    UnknownNameError.
    """
    entry = lookup(name, key)
    if name == "recipes" and not entry.parameters:
        settings: Mapping[str, Any] = entry.load()().settings
        return settings
    return entry.parameters or {found: one.default for found, one in _read(entry).items()}


def _read(entry: Entry) -> Mapping[str, Parameter]:
    try:
        return {} if entry.parameters else read_parameters(entry.target)
    except UnreadableError:  # another package's: compiled, or with a computed default
        with suppress(RequestError):  # using it raises the reason why it cannot be loaded
            known = inspect.signature(entry.load()).parameters.values()
            return {one.name: Parameter(one.default, "") for one in known if one.default is not one.empty}
    return {}


def propagator_flags(method: str) -> dict[str, Any]:
    """Parameters of a propagator that one command can use, with their defaults.

    An entry with parameters lists its own ones; those of `Propagator` are added.
    """
    found = dict(parameters("propagators", method))
    if lookup("propagators", method).parameters:
        found = found | {name: one.default for name, one in read_parameters(PROPAGATOR).items() if name not in found}
    return {name: default for name, default in found.items() if name not in NO_FLAGS}


def propagator_parameters() -> dict[str, dict[str, Any]]:
    """For each parameter that is a flag of any propagator: its default by method; those that all have come last."""
    found: dict[str, dict[str, Any]] = {}
    for method in entries("propagators"):
        for name, default in propagator_flags(method).items():
            found.setdefault(name, {})[method] = default
    return dict(sorted(found.items(), key=lambda item: len(item[1]) == len(entries("propagators"))))


def bench_settings() -> dict[str, dict[str, Any]]:
    """For each setting of any bench: its default by bench."""
    found: dict[str, dict[str, Any]] = {}
    for bench in entries("benches"):
        for name, default in parameters("benches", bench).items():
            found.setdefault(name, {})[bench] = default
    return found


def words_of(method: str, name: str) -> list[str]:
    """The words that a propagator's parameter may be on the command line; none where it is a number or unknown."""
    parameter = _read(lookup("propagators", method)).get(name)
    return _words(parameter) if parameter else []


def _words(parameter: Parameter) -> list[str]:
    """Allowed words and kinds; precomputed graphs have no place in a command: DATA are vectors."""
    return [word for word in parameter.allowed.split("|") if word and not word.startswith("precomputed")]


@cache
def allowed_values() -> dict[str, str]:
    """Allowed values of parameters, as `none|seeds|NUMBERS`, where no default shows them; see `Parameter`."""
    found: dict[str, list[str]] = {"search": ["auto", *entries("neighbors")]}
    for entry in (*entries("propagators").values(), *entries("benches").values()):
        for name, parameter in _read(entry).items():
            found[name] = list(dict.fromkeys([*found.get(name, []), *_words(parameter)]))
    return {name: "|".join(words) for name, words in found.items() if len(words) > 1}
