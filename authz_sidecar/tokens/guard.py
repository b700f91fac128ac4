"""The SSRF guard: a URL that somebody else wrote may lead to public addresses alone, over https.

Every address that the name has is checked, and the caller connects to a checked address, not to the name: a second
look-up could answer otherwise (DNS rebinding). Sources: the IANA special-purpose address registries.
"""

import asyncio
import ipaddress
import socket
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from authz_sidecar.tokens.urls import Url

Resolver = Callable[[str, int], Awaitable[Sequence[str]]]
"""Gives every address of a host name, or raises `OSError`."""

_SECONDS: Final = 5.0
_MOST: Final = 64
_V4: Final = {
    "0.0.0.0/8": "this network",
    "10.0.0.0/8": "private",
    "100.64.0.0/10": "shared by a carrier",
    "127.0.0.0/8": "loopback",
    "168.63.129.16/32": "a cloud's own",
    "169.254.0.0/16": "link-local",
    "172.16.0.0/12": "private",
    "192.0.0.0/24": "reserved",
    "192.0.2.0/24": "for documentation",
    "192.31.196.0/24": "reserved",
    "192.52.193.0/24": "reserved",
    "192.88.99.0/24": "a 6to4 relay",
    "192.168.0.0/16": "private",
    "192.175.48.0/24": "reserved",
    "198.18.0.0/15": "for benchmarks",
    "198.51.100.0/24": "for documentation",
    "203.0.113.0/24": "for documentation",
    "224.0.0.0/4": "multicast",
    "240.0.0.0/4": "reserved",
}
# Only 2000::/3 is public; these are the exceptions in it. What embeds an IPv4 address (mapped, NAT64, 6to4, Teredo) is
# refused whatever it embeds: no public service needs it, and a translator may lead anywhere.
_V6: Final = {
    "2001::/23": "reserved or Teredo",
    "2001:db8::/32": "for documentation",
    "2002::/16": "6to4",
    "2620:4f:8000::/48": "reserved",
    "3fff::/20": "for documentation",
}
_NETWORKS_V4: Final = tuple((ipaddress.IPv4Network(text), what) for text, what in _V4.items())
_NETWORKS_V6: Final = tuple((ipaddress.IPv6Network(text), what) for text, what in _V6.items())
_PUBLIC_V6: Final = ipaddress.IPv6Network("2000::/3")


class Refused(Exception):
    """The URL may not be called; the message says why, for the operator."""


async def resolve(host: str, port: int) -> tuple[str, ...]:
    """Ask the system for every address of a host, or raise `OSError`."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return tuple(dict.fromkeys(str(entry[4][0]) for entry in found))


def objection(address: str) -> str | None:
    """Say what speaks against an address; None for a public one."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return "not an address"
    if isinstance(found, ipaddress.IPv4Address):
        return next((what for network, what in _NETWORKS_V4 if found in network), None)
    if found.scope_id is not None or found not in _PUBLIC_V6:
        return "not a public IPv6 address"
    return next((what for network, what in _NETWORKS_V6 if found in network), None)


class Guard:
    """Finds the addresses to which a foreign URL may lead."""

    def __init__(self, resolver: Resolver = resolve, *, seconds: float = _SECONDS) -> None:
        """Take what resolves names, and how long it may take."""
        self._resolve = resolver
        self._seconds = seconds

    async def addresses(self, url: Url) -> tuple[str, ...]:
        """Give the checked addresses, at least one; connect to one of them and to nothing else. Raises `Refused`.

        One bad address among good ones refuses all: whoever answers for the name decides which is used.
        """
        host = url.origin.host
        if url.origin.scheme != "https":
            raise Refused(f"`{url.origin}` is not https")
        try:
            async with asyncio.timeout(self._seconds):
                found = await self._resolve(host, url.origin.port)
        except (OSError, UnicodeError) as error:
            why = "in time" if isinstance(error, TimeoutError) else ""
            raise Refused(f"the host `{host}` cannot be resolved {why}".rstrip()) from None
        if not found or len(found) > _MOST:
            raise Refused(f"the host `{host}` has {len(found)} addresses")
        for address in found:
            if (what := objection(address)) is not None:
                raise Refused(f"the host `{host}` has the address {address}, which is {what}")
        return tuple(found)
