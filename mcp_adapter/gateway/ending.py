"""When the certificates end that a configuration names: the gateway's own, those of servers, and authorities."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography import x509

from mcp_adapter.gateway.config import Gateway, place

_DAY: Final = 86_400
_SOON_DAYS: Final = 14


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """What is known of the end of the certificates in one file."""

    what: str
    ok: bool
    detail: str


def endings(config: Gateway, base: Path, clock: Callable[[], float] = time.time) -> list[Ending]:
    """Look at every file once; the clock gives seconds since the epoch. It raises nothing."""
    listen, sidecar, servers = config.listen, config.sidecar, config.servers
    shown = [listen.tls_cert_file, sidecar.cert_file, *(server.cert_file for server in servers)]
    trusted = [listen.client_ca_file, sidecar.ca_file, *(server.ca_file for server in servers)]
    # One that is over spoils a chain, and does no harm beside another authority.
    files = dict.fromkeys([(said, False) for said in shown if said] + [(said, True) for said in trusted if said])
    return [_look(said, place(base, said) or base, several, clock()) for said, several in files]


def _look(said: str, path: Path, several: bool, now: float) -> Ending:
    what = f"{'authorities' if several else 'certificate'} `{said}`"
    try:
        ends = [one.not_valid_after_utc.timestamp() for one in x509.load_pem_x509_certificates(path.read_bytes())]
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "holds no certificate in PEM"
        return Ending(what=what, ok=False, detail=f"{path}: {why}")
    left = [end for end in ends if end > now]
    if not left or (len(left) < len(ends) and not several):
        days = (now - max(end for end in ends if end <= now)) / _DAY
        return Ending(what=what, ok=False, detail=f"ended {days:.0f} days ago; renew it")
    days = (min(left) - now) / _DAY
    first = "the first ends" if len(left) > 1 else "ends"
    return Ending(what=what, ok=True, detail=f"{first} in {days:.0f} days" + "; renew it" * (days < _SOON_DAYS))
