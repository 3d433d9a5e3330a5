from __future__ import annotations

import errno
import json

import pytest
import torch

from labelprop.core.errors import StorageError
from labelprop.training import checkpoint
from labelprop.training.checkpoint import (
    Checkpoints,
    module_tensors,
    optimizer_tensors,
    restore_module,
    restore_optimizer,
)


def tensors(value: float) -> dict[str, torch.Tensor]:
    return {"net/weight": torch.full((3,), value)}


def test_round_trip_and_two_kept(tmp_path) -> None:
    store = Checkpoints(tmp_path / "checkpoints")
    assert store.latest() is None
    for number in range(4):
        store.save(number, tensors(number), {"epoch": number})
    loaded, state = store.latest()
    assert state == {"epoch": 3}
    assert torch.equal(loaded["net/weight"], torch.full((3,), 3.0))
    assert sorted(entry.name for entry in (tmp_path / "checkpoints").iterdir()) == ["000002", "000003"]


def test_a_kill_before_the_rename_leaves_the_one_before(tmp_path, monkeypatch) -> None:
    store = Checkpoints(tmp_path)
    store.save(1, tensors(1), {"epoch": 1})

    def killed(*_args: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(checkpoint.os, "replace", killed)
    with pytest.raises(KeyboardInterrupt):
        store.save(2, tensors(2), {"epoch": 2})
    assert store.latest()[1] == {"epoch": 1}


def test_a_leftover_partial_is_ignored_and_replaced(tmp_path) -> None:
    store = Checkpoints(tmp_path)
    store.save(1, tensors(1), {"epoch": 1})
    (tmp_path / ".000002.partial").mkdir()
    (tmp_path / ".000002.partial" / "tensors.safetensors").write_bytes(b"half")
    assert store.latest()[1] == {"epoch": 1}
    store.save(2, tensors(2), {"epoch": 2})
    assert store.latest()[1] == {"epoch": 2}
    assert not (tmp_path / ".000002.partial").exists()


def test_a_damaged_newest_falls_back_to_the_one_before(tmp_path) -> None:
    store = Checkpoints(tmp_path)
    for number in (1, 2):
        store.save(number, tensors(number), {"epoch": number})
    (tmp_path / "000002" / "tensors.safetensors").write_bytes(b"\x00" * 4)
    assert store.latest()[1] == {"epoch": 1}


def test_a_full_disk_is_named_and_loses_nothing(tmp_path, monkeypatch) -> None:
    store = Checkpoints(tmp_path)
    store.save(1, tensors(1), {"epoch": 1})

    def full(*_args: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(checkpoint, "save_file", full)
    with pytest.raises(StorageError, match=r"000002: No space left on device; free some space"):
        store.save(2, tensors(2), {"epoch": 2})
    assert store.latest()[1] == {"epoch": 1}
    assert [entry.name for entry in tmp_path.iterdir()] == ["000001"]


def test_optimizer_state_survives() -> None:
    torch.manual_seed(0)
    nets = [torch.nn.Linear(3, 2), torch.nn.Linear(3, 2)]
    nets[1].load_state_dict(nets[0].state_dict())
    optimizers = [torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9) for net in nets]
    x = torch.randn(4, 3)

    def step(index: int) -> None:
        optimizers[index].zero_grad()
        nets[index](x).square().sum().backward()
        optimizers[index].step()

    step(0)
    nets[1].load_state_dict(nets[0].state_dict())
    restore_optimizer(optimizers[1], optimizer_tensors(optimizers[0]))
    step(0)
    step(1)
    assert torch.equal(nets[0].weight, nets[1].weight)


def test_nothing_is_pickled(tmp_path) -> None:
    Checkpoints(tmp_path).save(1, tensors(1), {"epoch": 1})
    assert {path.suffix for path in (tmp_path / "000001").iterdir()} == {".safetensors", ".json"}
    assert json.loads((tmp_path / "000001" / "state.json").read_text()) == {"epoch": 1}


def test_a_module_takes_what_it_keeps_and_misses_nothing() -> None:
    module = torch.nn.Linear(2, 1)
    kept = {name: tensor + 1 for name, tensor in module_tensors("method", module).items()}
    restore_module("method", module, kept | {"method/weights_N": torch.ones(3)})
    assert all(torch.equal(kept[f"method/{name}"], tensor) for name, tensor in module.state_dict().items())
    with pytest.raises(RuntimeError, match="bias"):
        restore_module("method", module, {"method/weight": kept["method/weight"]})
