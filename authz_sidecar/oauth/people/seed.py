"""Makes the accounts of a development server from its seed file."""

import time
from collections.abc import Mapping, Sequence
from typing import Final

from authz_sidecar.errors import ConfigError
from authz_sidecar.oauth.people.accounts import AccountProblem, Accounts, known_as
from authz_sidecar.oauth.people.passwords import Passwords
from authz_sidecar.oauth.settings import Settings
from authz_sidecar.oauth.store import Store
from authz_sidecar.ports import Clock

_KEYS: Final = frozenset({"name", "shown", "password", "roles", "groups"})


async def seed(
    store: Store,
    settings: Settings,
    users: Sequence[Mapping[str, object]],
    *,
    clock: Clock = time.time,
    passwords: Passwords | None = None,
) -> None:
    """Make each account that is not there yet; those that are stay as they are. Raises `ConfigError`.

    Passwords in a file are for development: no other server takes them.
    """
    if users and not settings.development:
        raise ConfigError("`[[users]]` of a seed file hold passwords, so they need `development = true`")
    accounts, passwords = Accounts(store, clock), passwords or Passwords()
    for number, user in enumerate(users, 1):
        where = f"`users[{number}]` of the seed file"
        if strange := sorted(user.keys() - _KEYS):
            raise ConfigError(f"{where}: unknown key `{strange[0]}`; known here: {', '.join(sorted(_KEYS))}")
        name = ""
        try:
            name = known_as(_text(user, "name"))
            if await accounts.find(name) is None:
                await accounts.add(
                    name,
                    passwords.hash(_text(user, "password")),
                    shown=_text(user, "shown"),
                    roles=_texts(user, "roles"),
                    groups=_texts(user, "groups"),
                )
        except (AccountProblem, ValueError) as problem:
            if isinstance(problem, AccountProblem) and await accounts.find(name) is not None:
                continue  # another server that began at the same moment was quicker
            raise ConfigError(f"{where}: {problem}") from None


def _text(user: Mapping[str, object], key: str) -> str:
    value = user.get(key, "")
    if not isinstance(value, str):
        raise ValueError(f"`{key}` is not a text")
    return value


def _texts(user: Mapping[str, object], key: str) -> tuple[str, ...]:
    value = user.get(key, [])
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise ValueError(f"`{key}` is not a list of texts")
    return tuple(value)
