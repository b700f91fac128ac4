"""What stops the reading of a condition."""

from authz_sidecar.errors import Flaw


class Misread(Exception):
    """Carries the one flaw at which reading stopped; it never leaves this room."""

    def __init__(self, offset: int, code: str, message: str) -> None:
        super().__init__(message)
        self.flaw = Flaw(offset, code, message)
