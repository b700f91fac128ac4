"""A look at certificates, sockets and directories: there, ours, and closed to others."""

import os
import shutil
import stat
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from authz_sidecar.app.finding import Finding, fail, ok, warn
from authz_sidecar.app.state import check_own
from authz_sidecar.config import Config
from authz_sidecar.errors import ConfigError
from authz_sidecar.server.unixsocket import to_close

_DAY: Final = 86_400
_SOON_DAYS: Final = 14
_LITTLE_ROOM: Final = 256 * 1_048_576
_NO_ROOM: Final = 65_536
_LONGEST_SOCKET: Final = 107
_OTHERS: Final = 0o077


def certificate(config: Config, now: float) -> list[Finding]:
    """Look at the certificate that the sidecar shows, where it has one."""
    if not config.listen.tls_cert_file:
        return []
    cert_file, key_file = config.at(config.listen.tls_cert_file), config.at(config.listen.tls_key_file)
    try:
        shown = x509.load_pem_x509_certificate(cert_file.read_bytes())
        private = load_pem_private_key(key_file.read_bytes(), None)
        mode = key_file.stat().st_mode
    except (OSError, ValueError, TypeError, UnsupportedAlgorithm) as error:
        why = error.strerror if isinstance(error, OSError) else "cannot be read as PEM, or needs a passphrase"
        return [fail("tls", f"{cert_file} or {key_file}: {why}", "name a PEM certificate and its key")]
    if shown.public_key() != private.public_key():
        return [fail("tls", f"{key_file} is not the key of {cert_file}", "name the two that belong together")]
    found = _dates(shown, now)
    if mode & _OTHERS:
        found.append(warn("tls", f"{key_file} can be read by others", f"run `chmod 600 {key_file}`"))
    return found


def _dates(shown: x509.Certificate, now: float) -> list[Finding]:
    days = (shown.not_valid_after_utc.timestamp() - now) / _DAY
    if now < shown.not_valid_before_utc.timestamp():
        return [fail("tls", f"the certificate begins on {shown.not_valid_before_utc:%Y-%m-%d}", "look at the clock")]
    if days < 0:
        return [fail("tls", f"the certificate ended {-days:.0f} days ago", "renew it, then restart the sidecar")]
    if days < _SOON_DAYS:
        return [warn("tls", f"the certificate ends in {days:.0f} days", "renew it, then restart the sidecar")]
    return [ok("tls", f"the certificate ends in {days:.0f} days")]


def sockets(config: Config) -> list[Finding]:
    """Look at where the Unix sockets are, or will be."""
    paths = dict.fromkeys(path for path in (config.data_socket, config.admin_socket) if path is not None)
    return [found for path in paths for found in _socket(path.absolute())]


def _socket(path: Path) -> list[Finding]:
    about = f"socket {path.name}"
    if len(os.fsencode(path)) > _LONGEST_SOCKET:
        return [fail(about, f"{path} is longer than {_LONGEST_SOCKET} bytes", "use a shorter path")]
    try:
        folder = path.parent.lstat()
    except FileNotFoundError:
        return [ok(about, f"{path.parent} will be made with mode 0700")]
    except OSError as error:
        return [fail(about, f"{path.parent}: {error.strerror}", "make it a directory of the sidecar's own")]
    if not stat.S_ISDIR(folder.st_mode) or folder.st_uid != os.geteuid() or folder.st_mode & _OTHERS:
        mode = stat.S_IMODE(folder.st_mode)
        said = f"{path.parent} has mode {mode:04o} and the owner {folder.st_uid}, expected 0700 and {os.geteuid()}"
        ours = stat.S_ISDIR(folder.st_mode) and folder.st_uid == os.geteuid()
        what = to_close(path.parent) if ours else "name a directory of the sidecar's own"
        return [fail(about, said, f"{what}, or run this as the sidecar's user")]
    if path.exists() and path.stat().st_mode & 0o177:
        return [warn(about, f"{path} has mode {stat.S_IMODE(path.stat().st_mode):04o}", f"run `chmod 600 {path}`")]
    return [ok(about, f"{path.parent} is ours alone")]


def state(config: Config) -> list[Finding]:
    """Look at the state directory."""
    path = config.state
    try:
        found = path.stat()
    except FileNotFoundError:
        return [ok("state", f"{path} will be made with mode 0700")]
    except OSError as error:
        return [fail("state", f"{path}: {error.strerror}", "name another `state_dir`")]
    if found.st_uid != os.geteuid() or found.st_mode & 0o022:
        said = f"{path} belongs to user {found.st_uid} with mode {stat.S_IMODE(found.st_mode):04o}"
        return [fail("state", said, f"others could write a policy there; look at it, then `chmod 0700 {path}`")]
    if found.st_mode & _OTHERS:
        try:
            check_own(path)
        except ConfigError as error:
            said, _, what = str(error).partition("; ")
            return [fail("state", said, what)]
        return [warn("state", f"{path} can be read by others", f"run `chmod 0700 {path}`")]
    return [ok("state", f"{path} is ours alone")]


def log(config: Config) -> list[Finding]:
    """Look at where decisions are remembered."""
    if config.audit.path == "-":
        return [ok("audit", "decisions go to standard output")]
    folder = config.at(config.audit.path) if config.audit.path else config.state / "audit"
    file = folder / "decisions.jsonl"
    there = next(path for path in (file, folder, *folder.absolute().parents) if path.exists())
    if not os.access(there, os.W_OK):
        advice = 'let the sidecar\'s user write there; with `when_full = "deny"` nobody is let through until then'
        return [fail("audit", f"{there} cannot be written", advice)]
    return [room(file, shutil.disk_usage(there).free, denies=config.audit.when_full == "deny")]


def room(file: Path, free: int, *, denies: bool) -> Finding:
    """Look at the room that is left for the log, in bytes; `denies` says that nobody is let through without any."""
    if free < _NO_ROOM and denies:
        advice = "make room, or rotate the log; nobody is let through until then"
        return fail("audit", f"no room is left for {file}", advice)
    if free < _LITTLE_ROOM:
        return warn("audit", f"{free // 1_048_576} MiB are left for {file}", "make room, or rotate the log")
    return ok("audit", f"{file} can be written, {free // 1_073_741_824} GiB are left")
