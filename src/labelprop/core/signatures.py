"""Parameters of classes and functions, read from their source: importing them would take torch, and seconds.

A class has the annotated fields of its body and of its bases (a dataclass), or the parameters of its own `__init__`;
a function has its keyword-only parameters. One place says what a parameter is: its line in the source.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Any

# What a value of an annotation is called: NUMBER and WHOLE are one number, NUMBERS several with commas, NAMES names.
KINDS = {"int": "WHOLE", "float": "NUMBER", "Shares": "NUMBERS", "bool": "", "str": "", "Any": ""}


@dataclass(frozen=True, slots=True)
class Parameter:
    """A default, and the allowed values as `none|seeds|NUMBERS`: words, and kinds in capitals; "" where unknown."""

    default: Any
    allowed: str


class UnreadableError(Exception):
    """The source is missing, or a default in it is computed."""


@cache
def read_parameters(target: str) -> Mapping[str, Parameter]:
    """The parameters of `module:name`, those of a class before those of its bases. Raises UnreadableError."""
    module, _, name = target.partition(":")
    found = _ModuleNames.of(module).resolve(name)
    if found is None:
        raise UnreadableError(f"{target} is not in the source of {module}")
    return dict(_parameters(*found))


def _parameters(source: _ModuleNames, node: ast.stmt) -> Iterator[tuple[str, Parameter]]:
    if isinstance(node, ast.FunctionDef):
        yield from _of_function(source, node)
        return
    assert isinstance(node, ast.ClassDef)
    for line in node.body:
        if isinstance(line, ast.FunctionDef) and line.name == "__init__":
            yield from _of_function(source, line)
            return
    seen = set()
    for line in node.body:
        if not isinstance(line, ast.AnnAssign) or line.value is None or "ClassVar" in ast.dump(line.annotation):
            continue
        assert isinstance(line.target, ast.Name)
        seen.add(line.target.id)
        yield line.target.id, source.parameter(line.annotation, line.value)
    for base in node.bases:
        found = source.resolve(base.id) if isinstance(base, ast.Name) else None
        for name, parameter in _parameters(*found) if found else ():
            if name not in seen:
                seen.add(name)
                yield name, parameter


def _of_function(source: _ModuleNames, node: ast.FunctionDef) -> Iterator[tuple[str, Parameter]]:
    """Keyword-only parameters; of a constructor positional ones with a default, too."""
    positional = node.args.args[len(node.args.args) - len(node.args.defaults) :] if node.name == "__init__" else []
    given = [*zip(positional, node.args.defaults), *zip(node.args.kwonlyargs, node.args.kw_defaults)]  # noqa: B905
    for argument, default in given:
        if default is not None:
            yield argument.arg, source.parameter(argument.annotation, default)


@dataclass(frozen=True)
class _ModuleNames:
    """A module's top-level names."""

    module: str
    tree: ast.Module

    @classmethod
    @cache
    def of(cls, module: str) -> _ModuleNames:
        top, *inner = module.split(".")
        spec = find_spec(top)  # of a module inside, this would import what it is in
        place = Path(spec.origin or "") if spec else Path()
        if inner:
            place = place.parent.joinpath(*inner)
            place = place / "__init__.py" if place.is_dir() else place.with_suffix(".py")
        if not place.is_file() or place.suffix != ".py":
            raise UnreadableError(f"there is no source of {module}")
        return cls(module, ast.parse(place.read_text(encoding="utf-8")))

    @cached_property
    def _defined(self) -> dict[str, ast.stmt]:
        found: dict[str, ast.stmt] = {}
        for node in self.tree.body:
            if isinstance(node, ast.ClassDef | ast.FunctionDef):
                found[node.name] = node
            elif isinstance(node, ast.Assign | ast.AnnAssign):
                targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                found |= {target.id: node for target in targets if isinstance(target, ast.Name)}
        return found

    @cached_property
    def _imported(self) -> dict[str, tuple[str, str]]:
        """Module and original name of each imported name; only modules of its own package and of labelprop."""
        ours = (self.module.split(".")[0], "labelprop")
        for_types = [line for node in self.tree.body if isinstance(node, ast.If) for line in node.body]
        return {
            alias.asname or alias.name: (node.module, alias.name)
            for node in (*self.tree.body, *for_types)
            if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] in ours
            for alias in node.names
        }

    def resolve(self, name: str) -> tuple[_ModuleNames, ast.stmt] | None:
        """Where a name is defined; None where that is elsewhere."""
        if name in self._defined:
            return self, self._defined[name]
        module, original = self._imported.get(name, ("", ""))
        return _ModuleNames.of(module).resolve(original) if module else None

    def parameter(self, annotation: ast.expr | None, default: ast.expr) -> Parameter:
        allowed = self._allowed(annotation)
        words = [word for word in allowed if word != "none"]
        if "none" in allowed:  # "none or a number", but "left, right or none"
            words = ["none", *words] if any(word.isupper() for word in words) else [*words, "none"]
        value = self._value(default)
        whole_for_float = allowed == ["NUMBER"] and isinstance(value, int)
        return Parameter(float(value) if whole_for_float else value, "|".join(words))

    def _allowed(self, node: ast.expr | None) -> list[str]:
        match node:
            case ast.Constant(value=None):
                return ["none"]
            case ast.BinOp(left=left, op=ast.BitOr(), right=right):
                return self._allowed(left) + self._allowed(right)
            case ast.Subscript(value=ast.Name(id="Literal"), slice=words):
                return [str(word) for word in _flat(ast.literal_eval(words))]
            case ast.Subscript(value=ast.Name(id="Annotated"), slice=ast.Tuple(elts=[kind, rule])):
                return ["NAMES"] if ast.unparse(rule) == "CandidateNames()" else self._allowed(kind)
            case ast.Name(id=name) if name in KINDS:
                return [KINDS[name]] if KINDS[name] else []
            case ast.Name(id=name):
                source, line = self.resolve(name) or (self, None)
                value = line.value if isinstance(line, ast.Assign | ast.AnnAssign) else None
                return source._allowed(value)
        return []

    def _value(self, node: ast.expr) -> Any:
        match node:
            case ast.Call(func=ast.Name(id="field"), keywords=keywords):
                return self._value(next(keyword.value for keyword in keywords if keyword.arg == "default"))
            case ast.Name(id=name):
                source, line = self.resolve(name) or (self, None)
                if isinstance(line, ast.Assign | ast.AnnAssign) and line.value is not None:
                    return source._value(line.value)
            case ast.Attribute(value=ast.Name(id=name), attr=attribute) if name in self._imported:
                return _ModuleNames.of(".".join(self._imported[name]))._value(ast.Name(attribute))
        try:
            return ast.literal_eval(node)
        except ValueError:
            raise UnreadableError(f"{ast.unparse(node)} in {self.module} is computed") from None


def _flat(words: Any) -> tuple[Any, ...]:
    return words if isinstance(words, tuple) else (words,)
