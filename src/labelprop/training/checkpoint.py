"""The saved state of training: tensors in safetensors, the rest in JSON, never a pickle.

A checkpoint is a numbered folder. It is written beside its place, flushed to disk, and renamed; only then is
the one before the previous removed. A kill at any moment leaves a whole checkpoint to continue from.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from labelprop.core.files import flush, storage_errors
from labelprop.core.tensors import for_saving

KEPT = 2  # where the newest is damaged, the one before still serves


class Checkpoints:
    """The checkpoints of one training (the recipe, or the baseline) under `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def save(self, number: int, tensors: Mapping[str, torch.Tensor], state: Mapping[str, Any]) -> None:
        """Saves checkpoint `number`. Raises StorageError; earlier checkpoints are then untouched."""
        partial, final = self.folder / f".{number:06d}.partial", self.folder / f"{number:06d}"
        with storage_errors(final):
            try:
                shutil.rmtree(partial, ignore_errors=True)
                partial.mkdir(parents=True)
                _save_tensors(for_saving(tensors), partial / "tensors.safetensors")
                (partial / "state.json").write_text(json.dumps(state, allow_nan=False), encoding="utf-8")
                for file in (partial / "tensors.safetensors", partial / "state.json", partial):
                    flush(file)
                if final.exists():  # left by a run that was killed before it could go on
                    shutil.rmtree(final)
                os.replace(partial, final)
                flush(self.folder)
                for old in self._numbered()[:-KEPT]:
                    shutil.rmtree(old)
            finally:
                shutil.rmtree(partial, ignore_errors=True)

    def latest(self) -> tuple[dict[str, torch.Tensor], dict[str, Any]] | None:
        """The newest checkpoint that can be read; None where there is none."""
        for folder in reversed(self._numbered()):
            try:
                state = json.loads((folder / "state.json").read_text(encoding="utf-8"))
                return load_file(folder / "tensors.safetensors"), state
            except (OSError, ValueError, SafetensorError):
                continue  # damaged by something else than us: the one before it still serves
        return None

    def _numbered(self) -> list[Path]:
        if not self.folder.is_dir():
            return []
        return sorted(entry for entry in self.folder.iterdir() if entry.is_dir() and entry.name.isdigit())


def _save_tensors(tensors: Mapping[str, torch.Tensor], path: Path) -> None:
    """save_file reports a full disk in its own way; callers expect OSError."""
    try:
        save_file(dict(tensors), path)
    except SafetensorError as error:
        raise OSError(_errno_of(str(error)), str(error)) from error


def _errno_of(text: str) -> int | None:
    marker = "os error "
    return int(text.split(marker)[1].split(")", maxsplit=1)[0]) if marker in text else None


def optimizer_tensors(optimizer: torch.optim.Optimizer) -> dict[str, torch.Tensor]:
    """The optimizer's per-parameter state as flat names: 'optimizer/<parameter>/<slot>'."""
    found = {}
    for index, slots in optimizer.state_dict()["state"].items():
        for slot, value in slots.items():
            if value is not None:
                found[f"optimizer/{index}/{slot}"] = torch.as_tensor(value).detach().clone()
    return found


def restore_optimizer(optimizer: torch.optim.Optimizer, tensors: Mapping[str, torch.Tensor]) -> None:
    """The inverse of `optimizer_tensors`; hyper-parameters stay those the optimizer was built with.

    A state of more parameters than these, those of a method that is done, gives what belongs to these.
    """
    groups = optimizer.state_dict()["param_groups"]
    known = {index for group in groups for index in group["params"]}
    state: dict[int, dict[str, torch.Tensor]] = {}
    for name, value in tensors.items():
        if name.startswith("optimizer/"):
            _, index, slot = name.split("/")
            if int(index) in known:
                state.setdefault(int(index), {})[slot] = value
    optimizer.load_state_dict({"state": state, "param_groups": groups})


def module_tensors(prefix: str, module: torch.nn.Module) -> dict[str, torch.Tensor]:
    return {f"{prefix}/{name}": tensor for name, tensor in module.state_dict().items()}


def restore_module(prefix: str, module: torch.nn.Module, tensors: Mapping[str, torch.Tensor]) -> None:
    """The inverse of `module_tensors`. What the module does not keep is left: methods once kept the labels' trust."""
    own = {name: tensors.get(f"{prefix}/{name}") for name in module.state_dict()}
    module.load_state_dict({name: value for name, value in own.items() if value is not None})
