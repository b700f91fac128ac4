"""Reads `gateway.toml`: every mistake is said at once, with its line and a suggestion."""

import difflib
import re
import tomllib
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ValidationError

from mcp_adapter.gateway.config import Gateway, Section

_HEADER: Final = re.compile(r"\s*\[(\[)?\s*([A-Za-z0-9_.\-\" ]+?)\s*\]")
_KEY: Final = re.compile(r"\s*[\"']?([A-Za-z0-9_:.\-]+?)[\"']?\s*=")
_PLACE: Final = re.compile(r" \(at line (\d+), column (\d+)\)$")
_LARGEST: Final = 1_048_576
_BOM: Final = b"\xef\xbb\xbf"

Location = tuple[str | int, ...]


class ConfigError(Exception):
    """The configuration is wrong: a line for each problem, `file:line: what is wrong, what to do`."""


def load(path: Path) -> Gateway:
    """Read and check the whole file; raises `ConfigError`."""
    text = _read(path)
    try:
        tree = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(_not_toml(path, str(error))) from None
    except (ValueError, RecursionError):
        raise ConfigError(f"{path}: not valid TOML: a number is too long, or the nesting too deep") from None
    try:
        return Gateway.model_validate(tree)
    except ValidationError as error:
        raise ConfigError("\n".join(_report(path, text, error))) from None


def _read(path: Path) -> str:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"{path}: {(error.strerror or str(error)).lower()}") from None
    if len(data) > _LARGEST:
        raise ConfigError(f"{path}: larger than {_LARGEST} bytes, so surely not a configuration")
    if data.startswith(_BOM):
        raise ConfigError(f"{path}:1:1: begins with a byte order mark, save as plain UTF-8")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise ConfigError(f"{path}:{line}: not UTF-8") from None


def _not_toml(path: Path, said: str) -> str:
    """Put the place in front, where editors look for it."""
    found = _PLACE.search(said)
    if found is None:
        return f"{path}: not valid TOML: {said}"
    return f"{path}:{found[1]}:{found[2]}: not valid TOML: {said[: found.start()]}"


def _report(path: Path, text: str, error: ValidationError) -> list[str]:
    """Say each mistake once, in the order of the file; a list that is short only for what is wrong in it is no news."""
    lines = _lines(text)
    said: dict[str, int] = {}
    problems = error.errors(include_url=False)
    places = [tuple(problem["loc"]) for problem in problems]
    for where, problem in zip(places, problems, strict=True):
        if problem["type"] == "too_short" and any(other[: len(where)] == where for other in places if other != where):
            continue
        line = next((lines[where[:end]] for end in range(len(where), 0, -1) if where[:end] in lines), 0)
        source = f"{path}:{line}" if line else str(path)
        said.setdefault(f"{source}: {_what(where, problem)}", line)
    return sorted(said, key=said.__getitem__)


def _what(where: Location, problem: typing.Any) -> str:  # pydantic's own loose dictionary
    spelled = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in where).lstrip(".")
    match problem["type"]:
        case "extra_forbidden":
            known = [*_fields(where[:-1])]
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


def _fields(where: Location) -> Mapping[str, typing.Any]:
    """Give the fields of the section at a place of the tree."""
    model: type[BaseModel] = Gateway
    for step in where:
        if isinstance(step, str):
            model = next(iter(_inside(model.model_fields[step].annotation)), model)
    return model.model_fields


def _inside(annotation: object) -> list[type[Section]]:
    if isinstance(annotation, type) and issubclass(annotation, Section):
        return [annotation]
    return [found for part in typing.get_args(annotation) for found in _inside(part)]


def _lines(text: str) -> dict[Location, int]:
    """Find the line of each key and table; enough for messages, while `tomllib` does the reading."""
    found: dict[Location, int] = {}
    counts: dict[str, int] = {}
    table: Location = ()
    for number, line in enumerate(text.split("\n"), 1):
        if header := _HEADER.match(line):
            names = [part.strip().strip('"') for part in header[2].split(".")]
            if header[1]:
                counts[names[0]] = counts.get(names[0], -1) + 1
            nth: Location = (counts[names[0]],) if names[0] in counts else ()
            table = (names[0], *nth, *names[1:])
            found.setdefault(table, number)
        elif key := _KEY.match(line):
            found.setdefault((*table, key[1]), number)
    return found
