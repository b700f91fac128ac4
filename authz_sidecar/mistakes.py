"""Says what is wrong with settings: each mistake once, with its line and a suggestion."""

import difflib
import typing
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

from pydantic import BaseModel, ValidationError

from authz_sidecar.tomlfile import Location, lines

_NOTHING: Final[Mapping[Location, str]] = MappingProxyType({})


def mistakes(
    error: ValidationError,
    *,
    path: Path,
    text: str,
    model: type[BaseModel],
    overrides: Mapping[Location, str] = _NOTHING,
) -> list[str]:
    """Say each mistake once, in the order of the file; a list that is short only for what is wrong in it is no news.

    `overrides` names the variable of the environment that set a value.
    """
    problems = error.errors(include_url=False)
    places = [tuple(problem["loc"]) for problem in problems]
    known = lines(text)
    said: dict[str, int] = {}
    for place, problem in zip(places, problems, strict=True):
        inner = any(other[: len(place)] == place and len(other) > len(place) for other in places)
        if not (problem["type"] == "too_short" and inner):
            line = _line(known, place)
            said.setdefault(f"{_source(path, line, place, overrides)}: {_what(model, place, problem)}", line)
    return sorted(said, key=said.__getitem__)


def fields(model: type[BaseModel], where: Location) -> Mapping[str, typing.Any]:
    """Give the fields of the section at a place of the tree; none where there is no section."""
    for step in where:
        if isinstance(step, int):
            continue
        field = model.model_fields.get(step)
        inner = next((kind for kind in _inside(getattr(field, "annotation", None))), None)
        if inner is None:
            return {}
        model = inner
    return model.model_fields


def _inside(annotation: object) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [found for part in typing.get_args(annotation) for found in _inside(part)]


def _line(known: Mapping[Location, int], where: Location) -> int:
    return next((known[where[:end]] for end in range(len(where), 0, -1) if where[:end] in known), 0)


def _source(path: Path, line: int, where: Location, overrides: Mapping[Location, str]) -> str:
    # A section that only the environment names is as unknown as its key.
    variable = overrides.get(where) or next((overrides[one] for one in overrides if one[: len(where)] == where), None)
    if variable and (where in overrides or not line):
        return f"environment {variable}"
    return f"{path}:{line}" if line else str(path)


def _what(model: type[BaseModel], where: Location, problem: typing.Any) -> str:  # pydantic's own loose dictionary
    spelled = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in where).lstrip(".")
    match problem["type"]:
        case "extra_forbidden":
            known = [*fields(model, where[:-1])]
            close = difflib.get_close_matches(str(where[-1]), known, n=1)
            hint = f"did you mean `{close[0]}`?" if close else f"known here: {', '.join(known)}"
            return f"unknown key `{spelled}`; {hint}"
        case "missing":
            return f"`{spelled}` is missing"
        case "value_error":
            reason = str(problem["ctx"]["error"])
            return f"`{spelled}`: {reason}" if spelled else reason
        case _:
            return f"`{spelled}`: {_expected(spelled, problem)}"


def _expected(spelled: str, problem: typing.Any) -> str:
    """Say in words of TOML what should be there."""
    match problem["type"], problem["input"]:
        case "tuple_type", dict():
            return f"is a list of tables, write `[[{spelled}]]`"
        case "tuple_type", _:
            return 'expected a list, for example `["one", "two"]`'
        case "model_type" | "dict_type", list() | tuple():
            return f"stands once, write `[{spelled}]`"
        case "model_type" | "dict_type", _:
            return "expected a table, with keys of its own"
        case "bool_type", _:
            return "expected `true` or `false`, without quotes"
        case "int_type", _:
            return "expected a whole number, without quotes"
        case "string_type", _:
            return "expected a text in quotes"
        case _:
            return f"{problem['msg'][:1].lower()}{problem['msg'][1:]}"
