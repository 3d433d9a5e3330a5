"""A name on the hub without a connection: the local cache serves, or the error comes at once."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from labelprop.core.errors import RequestError
from labelprop.models.backbone import load_backbone
from tiny_models import save_tiny_vit

huggingface_hub = pytest.importorskip("huggingface_hub")


class NoConnection:
    """A session that counts how often it was asked."""

    asked = 0

    def head(self, *_: object, **__: object) -> None:
        self.asked += 1
        raise OSError("no route")

    request = get = stream = send = head


@pytest.fixture
def session(monkeypatch: pytest.MonkeyPatch) -> NoConnection:
    """All that asks the hub gets this one."""
    none = NoConnection()
    monkeypatch.setattr(huggingface_hub, "get_session", lambda: none)
    monkeypatch.setattr(huggingface_hub.utils._http, "get_session", lambda: none)
    return none


def test_a_name_that_is_nowhere_is_refused_after_one_attempt(session: NoConnection) -> None:
    with pytest.raises(RequestError, match=r"'some/name': .* cannot be reached \(no route\).*photos.*text"):
        load_backbone("some/name")
    assert session.asked == 1


def test_a_name_in_the_local_cache_needs_no_connection(
    session: NoConnection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = save_tiny_vit(tmp_path / "net")
    kept = tmp_path / "hub" / "models--some--name"
    shutil.copytree(folder, kept / "snapshots" / "0123")
    (kept / "refs").mkdir()
    (kept / "refs" / "main").write_text("0123")
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    backbone = load_backbone("some/name")
    assert backbone.name == "some/name"
    assert backbone.digest == load_backbone(folder).digest
    assert session.asked == 1
