"""The fixtures of the gRPC door, for these tests too."""

from tests.server.conftest import serving, short

__all__ = ["serving", "short"]
