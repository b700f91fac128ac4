"""Reading where the sidecar is, and making sure that nobody else can answer in its place."""

import stat
from dataclasses import dataclass
from ipaddress import ip_address
from os import geteuid
from pathlib import Path
from typing import Final, Self
from urllib.parse import quote

from mcp_adapter.pdp import Fault, Unanswered

_LONGEST_UNIX_PATH: Final = 107


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where to ask."""

    spelling: str
    """As gRPC wants it."""
    folder: Path | None = None
    """The directory of the Unix socket, if it is one."""
    loopback: bool = True
    """Whether it is on this machine."""

    @classmethod
    def read(cls, text: str) -> Self:
        """Read `unix:PATH` or `HOST:PORT`; raises `ValueError` for what cannot be meant."""
        scheme, _, path = text.partition(":")
        if scheme == "unix" and path:
            socket = Path(path).absolute()
            if len(str(socket).encode()) > _LONGEST_UNIX_PATH:
                raise ValueError(f"sidecar `{text}`: the socket's path is longer than {_LONGEST_UNIX_PATH} bytes")
            return cls(spelling=f"unix:{quote(str(socket))}", folder=socket.parent)
        host, _, port = text.rpartition(":")
        if not host or "/" in host or not port.isdecimal() or not 0 < int(port) <= 65535:
            raise ValueError(f"sidecar `{text}` is neither `unix:PATH` nor `HOST:PORT`")
        return cls(spelling=f"dns:{text}", loopback=_is_loopback(host.strip("[]")))

    def look(self) -> None:
        """Raise `Unanswered` unless the socket's directory is ours or root's alone: who can put one there gets tokens.

        It is for every call, since the channel connects again by itself, and costs two microseconds.
        """
        if self.folder is None:
            return
        try:
            found = self.folder.stat()
        except OSError as error:
            raise Unanswered(Fault.UNAVAILABLE, f"{self.folder}: {error.strerror}") from None
        if found.st_uid not in (geteuid(), 0):
            raise Unanswered(Fault.UNAVAILABLE, f"{self.folder}: belongs to user {found.st_uid}, not to us or root")
        if found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            # Closing `/tmp` would stop everybody who lives there.
            what = "use a directory of its own" if found.st_mode & stat.S_ISVTX else "run `chmod 700` on it"
            raise Unanswered(Fault.UNAVAILABLE, f"{self.folder}: others may write there; {what}")


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
