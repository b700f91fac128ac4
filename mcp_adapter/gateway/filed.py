"""A small secret in a file, read again when the file changes."""

from pathlib import Path
from typing import Final

_LARGEST: Final = 16 * 1024


class Filed:
    """Gives the content of a file without the space round it; a file that is gone or empty gives no old secret."""

    def __init__(self, path: Path) -> None:
        """Take the file; raises `ValueError` when it cannot be read now."""
        self._path = path
        self._seen: tuple[int, int, int] | None = None
        self._value = b""
        self.value()

    def value(self) -> bytes:
        """Give the secret as it is now; raises `ValueError`, whose message does not quote it."""
        try:
            found = self._path.stat()
            seen = (found.st_mtime_ns, found.st_size, found.st_ino)
            if seen != self._seen:
                self._value = _checked(self._path.read_bytes().strip())
                self._seen = seen
        except OSError as error:
            self._seen = None
            raise ValueError(f"{self._path}: {error.strerror}") from None
        except ValueError as error:
            self._seen = None
            raise ValueError(f"{self._path}: {error}") from None
        return self._value


def _checked(value: bytes) -> bytes:
    if not value:
        raise ValueError("is empty")
    if len(value) > _LARGEST:
        raise ValueError(f"is longer than {_LARGEST} bytes")
    if any(byte < 0x20 or byte > 0x7E for byte in value):
        raise ValueError("has a character that no header can carry: expected one line of ASCII")
    return value
