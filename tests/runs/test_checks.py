"""What can be refused before torch is loaded: each case in one fresh process, which must not have loaded it."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

REFUSED = """
import json, sys
import labelprop as lp
from labelprop.core.errors import RequestError

found = []
for verb, options in json.loads(sys.argv[1]):
    try:
        getattr(lp, verb)(**options)
    except RequestError as error:
        found.append(str(error))
    else:
        found.append("not refused")
print(json.dumps([found, "torch" in sys.modules]))
"""


@pytest.fixture(scope="module")
def refused(tmp_path_factory) -> dict[str, str]:
    """Messages by case, of a process that has not loaded torch at its end."""
    folder = tmp_path_factory.mktemp("checks")
    (data := folder / "x.csv").write_text("id,label,a\n1,b,2\n")
    (used := folder / "used").mkdir()
    run = {"data": str(data), "out": str(folder / "new")}
    cases = {
        "data": ("train", run | {"data": str(folder / "nosuch.csv")}),
        "folder": ("propagate", run | {"data": str(folder / "nosuch")}),
        "labels": ("propagate", run | {"labels": [str(data), str(folder / "nolabels.csv")]}),
        "truth": ("train", run | {"truth": str(folder / "notruth.csv")}),
        "test": ("train", run | {"test": str(folder / "notest.npz")}),
        "out": ("train", run | {"out": str(used)}),
        "recipe": ("train", run | {"recipe": "dpl"}),
        "auto": ("train", run | {"recipe": "auto", "settings": {"lr": 1}}),
        "model": ("train", run | {"model": "small_cn(width=3)"}),
        "augment": ("train", run | {"augment": "shfit"}),
        "precision": ("train", run | {"precision": "bfloat16"}),
        "tune": ("train", run | {"tune": "laro"}),
        "tune without backbone": ("train", run | {"tune": "lora"}),
        "tune bundled": ("train", run | {"tune": "full", "backbone": "photos"}),
        "init": ("train", run | {"init": str(used)}),
        "budget": ("train", run | {"budget": "soon"}),
        "lengths": ("train", run | {"budget": "1min", "steps": 5}),
        "steps": ("train", run | {"steps": 0}),
        "seed": ("propagate", run | {"seed": -1}),
        "device": ("propagate", run | {"device": "tpu"}),
        "devices": ("train", run | {"devices": 0}),
        "backbone": ("propagate", run | {"backbone": str(folder / "nobackbone")}),
        "method": ("propagate", run | {"method": "posson"}),
        "parameter": ("propagate", run | {"method": "diffusion", "parameters": {"alhpa": 0.5}}),
        "other method": ("propagate", run | {"parameters": {"alpha": 0.5}}),
        "embed": ("embed", {"data": str(folder / "nopictures"), "backbone": "x"}),
        "predict": ("predict", {"run": str(used), "data": str(data)}),
        "select": ("select", {"run": str(folder / "norun"), "pool": str(data)}),
        "doctor": ("doctor", {"data": str(folder / "nopictures")}),
        "load": ("load", {"path": str(folder / "norun")}),
    }
    done = subprocess.run(
        [sys.executable, "-c", REFUSED, json.dumps(list(cases.values()))], capture_output=True, text=True, check=True
    )
    messages, loaded_torch = json.loads(done.stdout)
    assert not loaded_torch
    return dict(zip(cases, messages, strict=True))


@pytest.mark.parametrize(
    ("case", "named"),
    [
        ("data", "nosuch.csv"),
        ("folder", "nosuch"),
        ("labels", "nolabels.csv"),
        ("truth", "notruth.csv"),
        ("test", "notest.npz"),
        ("out", "exists already"),
        ("recipe", "'dlp'"),
        ("auto", "recipe auto"),
        ("model", "'small_cnn'"),
        ("augment", "shfit"),
        ("precision", "unknown precision='bfloat16'"),
        ("tune", "'laro'"),
        ("tune without backbone", "needs images"),
        ("tune bundled", "HuggingFace model"),
        ("init", "holds no model"),
        ("budget", "soon"),
        ("lengths", "exclude each other"),
        ("steps", "at least 1"),
        ("seed", "-1 must be"),
        ("device", "tpu"),
        ("devices", "at least 1"),
        ("backbone", "nobackbone"),
        ("method", "'poisson'"),
        ("parameter", "'alpha'"),
        ("other method", "it is one of diffusion"),
        ("embed", "nopictures"),
        ("predict", "no finished run"),
        ("select", "norun"),
        ("doctor", "nopictures"),
        ("load", "norun"),
    ],
)
def test_refused_before_torch_is_loaded(refused, case: str, named: str) -> None:
    assert named in refused[case]
