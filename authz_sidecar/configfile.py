"""Reads `authz.toml`: every mistake is said at once, with its line and a suggestion."""

import difflib
import os
import re
import tomllib
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ValidationError

from authz_sidecar.config import Config
from authz_sidecar.errors import ConfigError
from authz_sidecar.section import Section

_ENVIRONMENT: Final = "AUTHZ_"
_NOT_SETTINGS: Final = frozenset({"AUTHZ_CONFIG", "AUTHZ_TOKEN"})  # where the file is; the command line's own token
_HEADER: Final = re.compile(r"\s*\[(\[)?\s*([A-Za-z0-9_.\-\" ]+?)\s*\]")
_KEY: Final = re.compile(r"\s*[\"']?([A-Za-z0-9_:.\-]+?)[\"']?\s*=")
_PLACE: Final = re.compile(r" \(at line (\d+), column (\d+)\)$")
_LARGEST: Final = 1_048_576
_BOM: Final = b"\xef\xbb\xbf"

Location = tuple[str | int, ...]


def load(path: Path, environment: Mapping[str, str] = os.environ) -> Config:
    """Read the file, let `AUTHZ_SECTION__KEY` override its scalars, and check everything.

    Raises `ConfigError`, a line for each problem: `file:line: what is wrong, what to do`.
    """
    text = _read(path)
    try:
        tree = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(_not_toml(path, str(error))) from None
    except (ValueError, RecursionError):
        raise ConfigError(f"{path}: not valid TOML: a number is too long, or the nesting too deep") from None
    overrides = _overrides(environment, tree)
    try:
        return Config.model_validate(tree).based(path.parent.resolve())
    except ValidationError as error:
        raise ConfigError("\n".join(_report(path, text, overrides, error))) from None


def _not_toml(path: Path, said: str) -> str:
    """Put the place in front, where editors look for it."""
    place = _PLACE.search(said)
    if place is None:
        return f"{path}: not valid TOML: {said}"
    return f"{path}:{place[1]}:{place[2]}: not valid TOML: {said[: place.start()]}"


def _read(path: Path) -> str:
    data = b""
    try:
        data = path.read_bytes()
        if len(data) > _LARGEST:
            raise ConfigError(f"{path}: larger than {_LARGEST} bytes, so surely not a configuration")
        if data.startswith(_BOM):
            raise ConfigError(f"{path}:1:1: begins with a byte order mark, save as plain UTF-8")
        return data.decode("utf-8")
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such file; `authz-sidecar init` writes one") from None
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise ConfigError(f"{path}:{line}: not UTF-8") from None


def _overrides(environment: Mapping[str, str], tree: dict[str, typing.Any]) -> dict[Location, str]:
    """Apply the environment to the tree, and say which variable set what."""
    found: dict[Location, str] = {}
    for name in sorted(environment):
        if not name.startswith(_ENVIRONMENT) or name in _NOT_SETTINGS:
            continue
        *sections, key = name.removeprefix(_ENVIRONMENT).lower().split("__")
        place = tree
        for section in sections:
            inner = place.setdefault(section, {})
            if not isinstance(inner, dict):
                raise ConfigError(f"environment {name}: `{section}` is a list; edit it in the file")
            place = inner
        place[key] = _scalar((*sections, key), environment[name])
        found[(*sections, key)] = name
    return found


def _scalar(where: Location, value: str) -> str | int | bool:
    """Read a variable as the field is typed; the types are strict, so `"1"` alone would be no number."""
    field = _fields(where[:-1]).get(str(where[-1]))
    kind = getattr(field, "annotation", str)
    if kind is bool and value.lower() in ("true", "false"):
        return value.lower() == "true"
    if kind is int and re.fullmatch(r"-?\d{1,18}", value):
        return int(value)
    return value


def _fields(where: Location) -> Mapping[str, typing.Any]:
    """Give the fields of the section at a place of the tree."""
    model: type[BaseModel] = Config
    for step in where:
        if isinstance(step, int):
            continue
        field = model.model_fields.get(step)
        inner = next((kind for kind in _inside(getattr(field, "annotation", None))), None)
        if inner is None:
            return {}
        model = inner
    return model.model_fields


def _inside(annotation: object) -> list[type[Section]]:
    if isinstance(annotation, type) and issubclass(annotation, Section):
        return [annotation]
    return [found for part in typing.get_args(annotation) for found in _inside(part)]


def _lines(text: str) -> dict[Location, int]:
    """Find the line of each key and table; enough for messages, while `tomllib` does the reading."""
    found: dict[Location, int] = {}
    counts: dict[Location, int] = {}
    table: Location = ()
    for number, line in enumerate(text.split("\n"), 1):
        if header := _HEADER.match(line):
            table = tuple(part.strip().strip('"') for part in header[2].split("."))
            if header[1]:
                counts[table] = counts.get(table, -1) + 1
                table = (*table, counts[table])
            found.setdefault(table, number)
        elif key := _KEY.match(line):
            found.setdefault((*table, key[1]), number)
    return found


def _report(path: Path, text: str, overrides: Mapping[Location, str], error: ValidationError) -> list[str]:
    """Say each mistake once, in the order of the file; a list that is short only for what is wrong in it is no news."""
    problems = error.errors(include_url=False)
    places = [tuple(problem["loc"]) for problem in problems]
    lines = _lines(text)
    said: dict[str, int] = {}
    for place, problem in zip(places, problems, strict=True):
        inner = any(other[: len(place)] == place and len(other) > len(place) for other in places)
        if not (problem["type"] == "too_short" and inner):
            said.setdefault(_say(path, lines, overrides, problem), _line(lines, place))
    return sorted(said, key=said.__getitem__)


def _line(lines: Mapping[Location, int], where: Location) -> int:
    return next((lines[where[:end]] for end in range(len(where), 0, -1) if where[:end] in lines), 0)


def _say(path: Path, lines: Mapping[Location, int], overrides: Mapping[Location, str], problem: typing.Any) -> str:
    where: Location = tuple(part for part in problem["loc"])
    spelled = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in where).lstrip(".")
    line = _line(lines, where)
    # A section that only the environment names is as unknown as its key.
    variable = overrides.get(where) or next((overrides[one] for one in overrides if one[: len(where)] == where), None)
    if variable and (where in overrides or not line):
        source = f"environment {variable}"
    else:
        source = f"{path}:{line}" if line else str(path)
    return f"{source}: {_what(where, spelled, problem)}"


def _what(where: Location, spelled: str, problem: typing.Any) -> str:
    known = [*_fields(where[:-1])]
    match problem["type"]:
        case "extra_forbidden":
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
