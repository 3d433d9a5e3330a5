"""Parameters are read from the source as Python would see them, without importing it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from labelprop.core import registry
from labelprop.core.entry import Entry
from labelprop.core.signatures import UnreadableError, read_parameters

PLUGIN = """
from dataclasses import dataclass, field
from typing import Annotated, ClassVar, Literal
import math, no_such_package
from labelprop.propagators import Propagator, VotePropagator
from plugin_words import Size
from unknown import Other

Side = Literal["left", "right"]
START: float = 0.5

@dataclass(eq=False, repr=False, kw_only=True)
class Mine(VotePropagator):
    side: Side | None = "left"
    size: Size = 3
    share: float | None = START
    first: str = field(default="a", kw_only=False)
    kinds: ClassVar[tuple[str, ...]] = ()
    anything: object = None
    n_neighbors: "int" = 4

class Plain(Other, Propagator):
    strange: int = 3

    def __init__(self, X, kind: Literal[1, "b"] = "b", *, power: float = 2, must: int, deep=-1) -> None: ...

class Computed:
    bound: float = math.pi

def run(data, ignored=1, *, count: int | None = None, name: str = "x"): ...
"""


@pytest.fixture
def plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "plugin.py").write_text(PLUGIN)
    words = "from typing import Annotated\nSize = Annotated[int, object()]\n"
    (tmp_path / "plugin_words.py").write_text(words)
    monkeypatch.syspath_prepend(tmp_path)
    read_parameters.cache_clear()
    return "plugin"


def read(target: str) -> dict[str, tuple[object, str]]:
    return {name: (one.default, one.allowed) for name, one in read_parameters(target).items()}


def test_a_dataclass_has_its_own_fields_and_those_of_its_bases(plugin: str) -> None:
    found = read(f"{plugin}:Mine")
    assert list(found)[:6] == ["side", "size", "share", "first", "anything", "n_neighbors"]
    assert found["side"] == ("left", "left|right|none")
    assert found["size"] == (3, "")  # of another package: not looked into
    assert found["share"] == (0.5, "none|NUMBER")
    assert found["first"] == ("a", "")
    assert found["anything"] == (None, "")
    assert found["n_neighbors"] == (4, "")
    assert found["temperature"] == (0.07, "NUMBER")
    assert found["top_classes"] == (None, "none|WHOLE")
    assert "kinds" not in found


def test_a_class_with_an_init_has_its_parameters_and_a_function_its_keywords(plugin: str) -> None:
    assert read(f"{plugin}:Plain") == {"kind": ("b", "1|b"), "power": (2.0, "NUMBER"), "deep": (-1, "")}
    assert read(f"{plugin}:run") == {"count": (None, "none|WHOLE"), "name": ("x", "")}


@pytest.mark.parametrize("target", ["plugin:Computed", "plugin:Nothing", "math:pi", "no_such_module:Thing"])
def test_what_the_source_does_not_tell_is_said(plugin: str, target: str) -> None:
    with pytest.raises(UnreadableError):
        read_parameters(target)


def test_an_entry_may_say_its_parameters_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    mine = Entry("no_such_module:Mine", "Mine.", {"power": 2.0})
    monkeypatch.setattr(registry, "_installed", lambda name: {"mine": mine} if name == "propagators" else {})
    shared = {"metric": "cosine", "search": "auto", "top_classes": None}
    assert registry.propagator_flags("mine") == {"power": 2.0} | shared
    lost = Entry("no_such_module:Lost", "Cannot be loaded.")
    monkeypatch.setattr(registry, "_installed", lambda name: {"lost": lost} if name == "propagators" else {})
    assert registry.propagator_flags("lost") == {}
    computed = Entry("random:Random", "Where its source does not tell, it is asked itself.")
    monkeypatch.setattr(registry, "_installed", lambda name: {"computed": computed} if name == "propagators" else {})
    assert "x" in registry.propagator_flags("computed")


def test_reading_imports_nothing_heavy() -> None:
    code = (
        "import sys; from labelprop.core import registry; registry.propagator_parameters(); registry.bench_settings()"
        "; registry.allowed_values(); print([name for name in ('torch', 'sklearn', 'numpy') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
