"""Values given as text."""

from __future__ import annotations

from typing import Any

from labelprop.core.errors import RequestError


def parse_value(what: str, text: str, default: Any) -> Any:
    """`text` as a value of the type of `default`; where that is None, a number if it looks like one.

    Raises RequestError naming `what`.
    """
    if isinstance(default, bool):
        known = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
        if text.lower() not in known:
            raise RequestError(f"{what}={text} must be true or false.")
        return known[text.lower()]
    if default is None:
        if text.lower() == "none":
            return None
        kinds: tuple[type, ...] = (int, float, str)
    else:
        kinds = (int, float) if isinstance(default, float) else (type(default),)
    for kind in kinds:
        try:
            return kind(text)
        except ValueError:
            continue
    raise RequestError(f"{what}={text} must be a {'number' if float in kinds or int in kinds else 'text'}.")
