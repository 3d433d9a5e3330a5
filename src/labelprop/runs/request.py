"""A request: one frozen dataclass a verb, from which its flags and its Python function are both made.

`option` makes a field with its flag and help text. `Request.of` makes a request from names and values, `to_json`
gives what run.json keeps, and `resumed` reads it back. Nothing here imports torch: the command line builds its flags
from it.
"""

from __future__ import annotations

import operator
import os
import time
from collections.abc import Collection, Mapping
from dataclasses import MISSING, Field, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

from labelprop.core import registry
from labelprop.core.errors import RequestError, UnknownNameError
from labelprop.core.files import PYTHON_OBJECT, json_setting, python_setting, type_only
from labelprop.core.progress import Reporter, Silent
from labelprop.core.text import short_repr

HelpGroup = Literal["data", "recipe", "method", "settings", "length", "machine", "output"]
OPTION = "option"  # the key of a field's metadata


@dataclass(frozen=True, slots=True)
class Option:
    """A field's flag and help: `kind` is its type on the command line, `flag` its name there, if it is another.

    A positional one has no flag, on the command line and in Python. What is of kind Path becomes one. A `required`
    one must be given on the command line, whatever its default in Python. A `file` may be a path, or something else:
    one of `names`, say, also where a file is called so.
    What is not `kept` stands in no run.json: an object that only the caller has. `in_python` is its help there.
    """

    help: str
    group: HelpGroup
    kind: Any
    flag: str
    metavar: str | None
    positional: bool
    required: bool
    file: bool
    names: tuple[str, ...]
    kept: bool
    in_python: str


def option(
    help: str,
    group: HelpGroup,
    default: Any = MISSING,
    *,
    kind: Any = None,
    flag: str = "",
    metavar: str | None = None,
    positional: bool = False,
    required: bool = False,
    file: bool = False,
    names: tuple[str, ...] = (),
    kept: bool = True,
    in_python: str = "",
    factory: Any = MISSING,
) -> Any:
    """A field of a request. Its kind is that of its default, where that is a number or a switch, else text."""
    kind = kind or (type(default) if isinstance(default, bool | int | float) else str)
    file, in_python = file or kind is Path, in_python or help
    about = Option(help, group, kind, flag, metavar, positional, required, file, names, kept, in_python)
    return field(default=default, default_factory=factory, metadata={OPTION: about})


@dataclass(frozen=True, kw_only=True)
class Request:
    """Base of all requests. `reporter` gets messages and progress; `command` is the command line, for the record.
    `began` is when it was made, before anything was loaded for it, as `time.perf_counter` has it.

    A verb without `shows_progress` has no --quiet. One that `keeps_threads` writes down with how many it worked.
    """

    reporter: Reporter = field(default_factory=Silent)
    command: str = ""
    began: float = field(default_factory=time.perf_counter, compare=False)

    shows_progress: ClassVar[bool] = True
    keeps_threads: ClassVar[bool] = False
    python_only: ClassVar[frozenset[str]] = frozenset()
    command_only: ClassVar[frozenset[str]] = frozenset()
    belong_together: ClassVar[tuple[frozenset[str], ...]] = ()

    def __post_init__(self) -> None:
        for name, one in self.options().items():
            object.__setattr__(self, name, _checked(name, one, getattr(self, name)))
        if not all(callable(getattr(self.reporter, method, None)) for method in ("say", "advance")):
            raise RequestError(f"reporter={short_repr(self.reporter)} must have the methods `say` and `advance`.")

    @classmethod
    def options(cls) -> dict[str, Field[Any]]:
        """The fields made by `option`, positional ones first."""
        found = [one for one in fields(cls) if OPTION in one.metadata]
        return {one.name: one for one in sorted(found, key=lambda one: not one.metadata[OPTION].positional)}

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> Self:
        """The request with these values. Raises UnknownNameError for another name, RequestError for a missing one."""
        known = cls.options()
        for name in options:
            if name not in known and name not in ("reporter", "command"):
                _refuse_inside(cls, name, options)
                raise UnknownNameError("option", name, {*known, "quiet"} - cls.command_only)
        for name, one in known.items():
            if name not in options and one.default is MISSING and one.default_factory is MISSING:
                raise RequestError(f"{name} is missing; pass {name}=...")
        return cls(**options)

    @property
    def kept_threads(self) -> int | None:
        """The number of threads that a run began with, which is continued; None where there is none."""
        return None

    def to_json(self) -> dict[str, Any]:
        """Values by name, paths absolute; of a Python object that JSON cannot hold only the type."""
        kept = {name: one for name, one in self.options().items() if one.metadata[OPTION].kept}
        return {name: _kept(one, getattr(self, name)) for name, one in kept.items()}

    def resumed(self, kept: Mapping[str, Any], given: Collection[str]) -> Self:
        """This request; values not `given` now are those of the interrupted one (`kept`: its `to_json`).

        Where one field of a `belong_together` set is given, the whole set is that of this request.
        """
        now = {*given}.union(*(names for names in self.belong_together if not names.isdisjoint(given)))
        changes = {name: kept[name] for name in self.options() if name in kept and name not in now}
        for name, value in changes.items():
            if isinstance(value, dict) and PYTHON_OBJECT in value:
                raise RequestError(f"{name} was an object of Python ({value[PYTHON_OBJECT]}); pass {name}= again.")
            if isinstance(value, dict):  # settings by name; elsewhere "nan" may be a text
                changes[name] = python_setting(value)
        return replace(self, **changes)


def _refuse_inside(kind: type[Request], name: str, options: Mapping[str, Any]) -> None:
    """Raises RequestError where the name is no option itself, but may stand inside of one."""
    taken, known = kind.options(), dict[str, Mapping[str, Any]]()
    if "parameters" in taken:
        known["parameters"] = registry.propagator_parameters()
    elif "recipe" in taken:
        recipe = options.get("recipe", taken["recipe"].default)
        if isinstance(recipe, str) and recipe in registry.entries("recipes"):
            known["settings"] = registry.parameters("recipes", recipe)
    for option, names in known.items():
        if name in names:
            raise RequestError(f"{name} is one of the {option}; pass {option}={{'{name}': ...}}.")


def given_path(name: str, value: Any) -> Path:
    """The value of that name as a path. Raises RequestError for what is none."""
    if not isinstance(value, str | os.PathLike):
        raise RequestError(f"{name}={short_repr(value)} must be a path.")
    return Path(value)


# What a value may be by the annotation of its field, and how that is said; another annotation allows everything.
ALLOWED: Mapping[str, tuple[Any, str]] = {
    "str": (str, "a text"),
    "str | Path": (str | os.PathLike, "a path"),
    "str | float": (str | int | float, "a text or a number"),
    "Mapping[str, Any]": (Mapping, "a dictionary, of values by name"),
}


def _checked(name: str, one: Field[Any], value: Any) -> Any:
    """The value as its kind: a path, a whole number, a switch, or what its annotation says. Raises RequestError."""
    option: Option = one.metadata[OPTION]
    if value is None and one.default_factory is not MISSING:
        return one.default_factory()
    if value is None:
        if one.default is not None:
            raise RequestError(f"{name} is missing; pass {name}=...")
        return value
    if option.kind is Path:
        return given_path(name, value)
    said = f"{name}={short_repr(value)}"  # from Python: the command line gives none but such values
    if option.kind not in (int, bool):
        kinds, what = ALLOWED.get(str(one.type).removesuffix(" | None"), (object, ""))
        if not isinstance(value, kinds):
            raise RequestError(f"{said} must be {what}.")
        return value
    try:
        whole = operator.index(value.item() if hasattr(value, "item") else value)
    except TypeError:
        whole = None
    switch = isinstance(value.item() if hasattr(value, "item") else value, bool)
    if whole is None or (whole not in (0, 1) if option.kind is bool else switch):
        raise RequestError(f"{said} must be {'a whole number' if option.kind is int else 'True or False'}.")
    return option.kind(whole)


def _kept(one: Field[Any], value: Any) -> Any:
    """A value as run.json has it."""
    if one.metadata[OPTION].file and not (isinstance(value, str) and value in one.metadata[OPTION].names):
        several = isinstance(value, list | tuple) and all(isinstance(part, str | os.PathLike) for part in value)
        return [_kept_file(part) for part in value] if several else _kept_file(value)
    return json_setting(value)


def _kept_file(value: Any) -> Any:
    if isinstance(value, os.PathLike) or (isinstance(value, str) and os.path.exists(value)):
        return os.path.abspath(value)  # found again from wherever the run is resumed
    return value if value is None or isinstance(value, str) else type_only(value)
