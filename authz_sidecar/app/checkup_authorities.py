"""A look at the files of authorities by which others are trusted: when does each of them end."""

from pathlib import Path
from typing import Final

from cryptography import x509

from authz_sidecar.app.finding import Finding, fail, ok, warn
from authz_sidecar.config import Config

_DAY: Final = 86_400
_SOON_DAYS: Final = 14
_RENEW: Final = "put the authority that signs from then on beside it, and restart the sidecar"


def authorities(config: Config, now: float) -> list[Finding]:
    """Look at those of callers with a certificate, of Redis and of the login server; an issuer's stand with it."""
    listed = (
        ("tls", config.listen.client_ca_file),
        ("revocation", config.revocation.redis_ca_file),
        ("oauth", config.oauth.ca_file),
    )
    return [found for about, file in listed if file for found in look(about, config.at(file), now)]


def look(about: str, path: Path, now: float) -> list[Finding]:
    """Look at one file; it may hold several, of which those that have ended do no harm while another is good."""
    try:
        ends = [one.not_valid_after_utc.timestamp() for one in x509.load_pem_x509_certificates(path.read_bytes())]
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "holds no certificate in PEM"
        return [fail(about, f"{path}: {why}", "name a file of the authorities' certificates")]
    left = [end for end in ends if end > now]
    if not left:
        whose = "the authority" if len(ends) == 1 else f"each of the {len(ends)} authorities"
        days = (now - max(ends)) / _DAY
        return [fail(about, f"{whose} in {path} has ended, the last one {days:.0f} days ago", _RENEW)]
    days = (min(left) - now) / _DAY
    whose = "the authority" if len(ends) == 1 else f"the next of {len(left)} authorities"
    ended = f"; {len(ends) - len(left)} more have ended" if len(left) < len(ends) else ""
    said = f"{whose} in {path} ends in {days:.0f} days{ended}"
    return [warn(about, said, _RENEW) if days < _SOON_DAYS else ok(about, said)]
