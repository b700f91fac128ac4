"""Prints, inside an environment with mcp 1.x, what its clients can send."""

import json
import typing
from importlib.metadata import version

import mcp.types as types


def names(union: typing.Any) -> list[str]:
    kinds = typing.get_args(union.model_fields["root"].annotation)
    return sorted(typing.get_args(kind.model_fields["method"].annotation)[0] for kind in kinds)


print(  # noqa: T201 - what it is for
    json.dumps(
        {
            "version": version("mcp"),
            "requests": names(types.ClientRequest),
            "notifications": names(types.ClientNotification),
        }
    )
)
