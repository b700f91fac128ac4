"""Redirect URIs: which may be registered, and which one a request means."""

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import SplitResult, urlsplit

_LONGEST: Final = 2_048
# Printable ASCII without what a parser drops or turns: a browser reads `\` as `/` and skips tabs.
_PLAIN: Final = re.compile(r"[!#-;=?-\[\]_a-z~%]+")
_HOST: Final = re.compile(r"[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?|\[[0-9a-f:]+\]")
_PRIVATE: Final = re.compile(r"[a-z][a-z0-9+-]*(?:\.[a-z0-9+-]+)+")
_LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "[::1]"})


class RedirectError(ValueError):
    """The URI may not be registered; the message says why, for the client's developer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Where:
    """Where a redirect goes, for people."""

    host: str
    """Host and port; the scheme of an application on the device."""
    loopback: bool
    """True for this very computer: any program there could be listening."""


def check(uri: str) -> str:
    """Give the URI when it may be registered, or raise `RedirectError`.

    That is https anywhere, http on the loopback (RFC 8252 section 7.3), and a scheme that reads like a reversed domain
    (RFC 8252 section 7.1): `com.example.app:/callback`.
    """
    if len(uri) > _LONGEST or not _PLAIN.fullmatch(uri):
        raise RedirectError("is empty, too long, or has characters that do not belong into a URI")
    parts = _split(uri)
    if "#" in uri:
        raise RedirectError("has a fragment")  # RFC 6749 section 3.1.2
    if parts.scheme == "https":
        _check_host(parts)
    elif parts.scheme == "http":
        _check_host(parts)
        if _host(parts) not in _LOOPBACK:
            raise RedirectError("is http beyond the loopback; use https")
    elif not _PRIVATE.fullmatch(parts.scheme) or parts.netloc:
        raise RedirectError("needs https, http on the loopback, or a scheme of your own such as `com.example.app:/`")
    return uri


def chosen(asked: str | None, registered: tuple[str, ...]) -> str | None:
    """Give the URI that a request means, or None when it means none of the client's.

    Compared byte by byte (RFC 9700 section 4.1.3); only the port of a loopback address may differ (RFC 8252
    section 7.3), and not that of the name `localhost`. One that is left out means the only one.
    """
    if asked is None:
        return registered[0] if len(registered) == 1 else None
    if asked in registered:
        return asked
    wanted = _portless(asked)
    return asked if wanted and any(wanted == _portless(one) for one in registered) else None


def where(uri: str) -> Where:
    """Say where it goes."""
    parts = urlsplit(uri)
    if parts.scheme not in ("http", "https"):
        return Where(host=f"{parts.scheme}:", loopback=False)
    return Where(host=parts.netloc, loopback=_host(parts) in _LOOPBACK)


def on_device(uri: str) -> bool:
    """Say whether it goes to a program on the person's own device."""
    return where(uri).loopback or not uri.startswith("https:")


def _split(uri: str) -> SplitResult:
    try:
        parts = urlsplit(uri)
        _ = parts.port  # raises when it is no port
    except ValueError:
        raise RedirectError("is not a URI") from None
    return parts


def _check_host(parts: SplitResult) -> None:
    if "@" in parts.netloc:
        raise RedirectError("has a user in it")
    if not _HOST.fullmatch(_host(parts)):
        raise RedirectError("has no plain host name in lower case")
    if ".." in f"{parts.path}/".replace("%2e", ".").replace("%2E", ".").split("/"):
        raise RedirectError("has dot segments in its path")


def _host(parts: SplitResult) -> str:
    host, colon, port = parts.netloc.rpartition(":")
    return host if colon and (port.isdecimal() or not port) else parts.netloc


def _portless(uri: str) -> str | None:
    """Give a loopback address without its port; None for everything else."""
    try:
        parts = _split(check(uri))
    except RedirectError:
        return None
    if parts.scheme != "http" or _host(parts) not in ("127.0.0.1", "[::1]"):
        return None
    return parts._replace(netloc=_host(parts)).geturl()
