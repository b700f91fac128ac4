"""Limits by address meet the browser behind the operator's proxy, and nobody can choose their address."""

from typing import Any

import pytest

from authz_sidecar.oauth.forwarded import Forwarded


async def _seen(header: str, peer: tuple[str, int] | None, *values: str) -> object:
    """Give the address that the application sees."""
    seen: list[object] = []

    async def app(scope: Any, _: Any, __: Any) -> None:
        seen.append(scope["client"])

    headers = [(b"x-forwarded-for", value.encode("latin-1")) for value in values]
    await Forwarded(app, header=header)({"type": "http", "client": peer, "headers": headers}, None, None)  # type: ignore[arg-type]
    return seen[0][0] if isinstance(seen[0], tuple) else seen[0]


HERE = ("127.0.0.1", 1)


@pytest.mark.parametrize(
    ("header", "peer", "values", "address"),
    [
        pytest.param("x-forwarded-for", HERE, ["192.0.2.1"], "192.0.2.1", id="the proxy's word"),
        pytest.param("x-forwarded-for", HERE, ["10.0.0.1, 192.0.2.1"], "192.0.2.1", id="after the browser's own"),
        pytest.param("x-forwarded-for", HERE, ["10.0.0.1", "192.0.2.1"], "192.0.2.1", id="in a line of its own"),
        pytest.param("x-forwarded-for", HERE, ["2001:db8::1"], "2001:db8::1", id="IPv6"),
        pytest.param("x-forwarded-for", ("::1", 1), ["192.0.2.1"], "192.0.2.1", id="a proxy by IPv6"),
        pytest.param("x-forwarded-for", HERE, ["192.0.2.1, "], "127.0.0.1", id="an empty word"),
        pytest.param("x-forwarded-for", HERE, ["evil"], "127.0.0.1", id="no address"),
        pytest.param("x-forwarded-for", HERE, [], "127.0.0.1", id="no header"),
        pytest.param("x-forwarded-for", ("198.51.100.1", 1), ["192.0.2.1"], "198.51.100.1", id="a stranger says so"),
        pytest.param("x-real-ip", HERE, ["192.0.2.1"], "127.0.0.1", id="another header"),
        pytest.param("", HERE, ["192.0.2.1"], "127.0.0.1", id="not configured"),
        pytest.param("x-forwarded-for", None, ["192.0.2.1"], None, id="no peer"),
    ],
)
async def test_the_address_is_that_of_the_browser(
    header: str, peer: tuple[str, int] | None, values: list[str], address: str | None
) -> None:
    assert await _seen(header, peer, *values) == address
