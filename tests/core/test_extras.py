from __future__ import annotations

import math

import pytest

from labelprop.core.errors import RequestError
from labelprop.core.extras import require


def test_a_missing_package_is_named_with_its_command() -> None:
    assert require("math", "hf", "this") is math
    with pytest.raises(RequestError, match=r"^this needs the package no_such_one: pip install 'labelprop\[hf\]'$"):
        require("no_such_one", "hf", "this")
