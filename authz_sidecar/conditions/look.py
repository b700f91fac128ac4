"""Takes out of the facts what a condition looks at."""

from collections.abc import Mapping
from datetime import UTC, datetime

from authz_sidecar.conditions.cost import Path
from authz_sidecar.conditions.price import ELEMENT
from authz_sidecar.errors import ConditionError
from authz_sidecar.facts import Facts
from authz_sidecar.strictjson import StrictJsonError, loads

Members = Mapping[str, object]


def variable(name: str, facts: Facts) -> object:
    """Give a variable whole, or raise `ConditionError`."""
    found: object
    match name:
        case "args":
            found = facts.once("args", _arguments)
        case "claims":
            found = facts.once("claims", _claims)
        case "context":
            found = dict(facts.context)
        case _:
            found = facts.once("now", _now)
    if isinstance(found, ConditionError):
        raise ConditionError(str(found))
    return found


def at(path: Path, variables: Mapping[str, object]) -> object:
    """Give what stands at a path; null where there is nothing."""
    found: object = variables.get(path[0])
    for name in path[1:]:
        found = found.get(name) if isinstance(found, dict) else None
    return found


def size(value: object) -> int:
    """Measure a value as `price` counts, or raise `ConditionError` for what the evaluator would misread."""
    total = 0
    waiting = [value]
    while waiting:
        one = waiting.pop()
        total += ELEMENT
        if isinstance(one, str):
            if "\0" in one:
                # The evaluator takes a text only up to its first null character: `a\0b` would be equal to `a`.
                raise ConditionError("a text has a null character")
            total += len(one) if one.isascii() else 4 * len(one)
        elif isinstance(one, dict):
            waiting += one.keys()
            waiting += one.values()
        elif isinstance(one, list):
            waiting += one
    return total


def _arguments(facts: Facts) -> Members | ConditionError:
    """Read the arguments, once for a question, whether that works or not."""
    if not facts.arguments:
        return {}
    try:
        found = loads(facts.arguments)
    except StrictJsonError as error:
        return ConditionError(f"the arguments cannot be read: JSON that {error}")
    return found if isinstance(found, dict) else ConditionError("the arguments are not an object")


def _claims(facts: Facts) -> Members:
    return {name: _plain(value) for name, value in facts.claims.items()}


def _plain(value: object) -> object:
    """Thaw: the evaluator knows lists and dicts only."""
    if isinstance(value, Mapping):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(one) for one in value]
    return value


def _now(facts: Facts) -> datetime | ConditionError:
    if facts.now is None:
        return ConditionError("nobody says what time it is")
    return datetime.fromtimestamp(facts.now, UTC)
