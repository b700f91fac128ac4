"""URLs of providers: one strict reading, so that what was checked is what is called."""

import ipaddress
import re
from dataclasses import dataclass
from typing import Final

LONGEST: Final = 2_048
# Printable ASCII without user, fragment, backslash, or white space: two parsers must not find two hosts.
_URL: Final = re.compile(
    r"(?P<scheme>https?)://(?P<host>[A-Za-z0-9](?:[A-Za-z0-9._-]{0,252})|\[[0-9A-Fa-f:.]{2,45}\])"
    r"(?::(?P<port>[0-9]{1,5}))?(?P<target>/[A-Za-z0-9/._~!$&'()*+,;=:@%-]*)?(?P<query>\?[A-Za-z0-9/._~!$&'()*+,;=:@%?-]*)?"
)
_PORTS: Final = {"https": 443, "http": 80}


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Scheme, host and port: what one certificate and one operator answer for (RFC 6454 section 4)."""

    scheme: str
    host: str
    """In lower case; IPv6 without brackets."""
    port: int

    def __str__(self) -> str:
        """Spell it as in a URL, without the usual port."""
        return f"{self.scheme}://{self.authority}"

    @property
    def authority(self) -> str:
        """Give what stands in the `Host` header."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def loopback(self) -> bool:
        """Say whether it names this machine, whatever a resolver says."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False


@dataclass(frozen=True, slots=True, kw_only=True)
class Url:
    """A URL, taken apart."""

    origin: Origin
    target: str
    """Path and query, as they go over the wire."""

    def __str__(self) -> str:
        """Spell it in one way."""
        return f"{self.origin}{self.target}"

    @property
    def path(self) -> str:
        """Give the path without the query."""
        return self.target.partition("?")[0]


def parse(text: str) -> Url:
    """Take a URL apart, or raise `ValueError` with what is wrong."""
    found = _URL.fullmatch(text) if len(text) <= LONGEST else None
    if found is None:
        raise ValueError("is not a plain `https://HOST[:PORT]/PATH` URL")
    scheme, host = found["scheme"], found["host"].strip("[]").lower()
    port = int(found["port"]) if found["port"] else _PORTS[scheme]
    if not 0 < port < 65_536:
        raise ValueError(f"has the port {port}, which does not exist")
    if found["host"].startswith("["):
        try:
            host = str(ipaddress.IPv6Address(host))
        except ValueError:
            raise ValueError("has brackets round what is no IPv6 address") from None
    target = (found["target"] or "/") + (found["query"] or "")
    return Url(origin=Origin(scheme=scheme, host=host, port=port), target=target)


def written(text: str) -> Url:
    """Take apart a URL that the operator wrote: any host over https, http on loopback alone; raises `ValueError`."""
    url = parse(text)
    if url.origin.scheme != "https" and not url.origin.loopback:
        raise ValueError("must begin with `https://`; plain http is for loopback addresses alone")
    return url
