"""Spells findings for other programs: SARIF 2.1.0, and annotations as GitHub's workflow commands."""

from collections.abc import Iterable, Iterator
from typing import Final
from urllib.parse import quote

from authz_sidecar.errors import Problem
from authz_sidecar.policy.lint import CODES

_SCHEMA: Final = "https://json.schemastore.org/sarif-2.1.0.json"


def sarif(problems: Iterable[Problem], warnings: Iterable[Problem], *, version: str, directory: str) -> object:
    """Give a SARIF log; `directory` stands before the file names, relative to the root of the repository."""
    found = [("error", problem) for problem in problems] + [("warning", problem) for problem in warnings]
    codes = sorted({problem.code for _, problem in found} | CODES.keys())
    return {
        "$schema": _SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {
                    "driver": {
                        "name": "authz-sidecar",
                        "version": version,
                        "rules": [
                            {"id": code, "shortDescription": {"text": CODES.get(code, code.replace("-", " "))}}
                            for code in codes
                        ],
                    }
                },
                "columnKind": "unicodeCodePoints",
                "results": [_result(level, problem, directory) for level, problem in found],
            }
        ],
    }


def _result(level: str, problem: Problem, directory: str) -> object:
    location: dict[str, object] = {"artifactLocation": {"uri": _uri(_within(directory, problem.file))}}
    if problem.line:
        region = {"startLine": problem.line}
        location["region"] = region | ({"startColumn": problem.column} if problem.column else {})
    return {
        "ruleId": problem.code,
        "level": level,
        "message": {"text": problem.message},
        "locations": [{"physicalLocation": location}],
    }


def annotations(problems: Iterable[Problem], warnings: Iterable[Problem], *, directory: str) -> Iterator[str]:
    """Give a workflow command for each finding."""
    for level, found in (("error", problems), ("warning", warnings)):
        for problem in found:
            place = f"file={_property(_within(directory, problem.file))}"
            place += f",line={problem.line}" if problem.line else ""
            place += f",col={problem.column}" if problem.column else ""
            yield f"::{level} {place},title={_property(problem.code)}::{_data(problem.message)}"


def _within(directory: str, file: str) -> str:
    # `./policy.csv` is no path of the repository to the programs that read this.
    return file if directory in {"", "."} or file.startswith("/") else f"{directory.rstrip('/')}/{file}"


def _uri(path: str) -> str:
    """Give a URI reference (SARIF 2.1.0 §3.4.3): a file's name may have spaces, `%`, `#` and `:`."""
    return ("file://" if path.startswith("/") else "") + quote(path, errors="backslashreplace")


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
