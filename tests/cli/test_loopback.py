"""What counts as this machine alone."""

import pytest

from authz_sidecar import config as tree


@pytest.mark.parametrize(
    ("address", "loopback"),
    [
        ("127.0.0.1:1", True),
        ("127.8.8.8:65535", True),
        ("[::1]:50051", True),
        ("localhost:1", True),
        ("127.0.0.1", False),
        ("127.0.0.1:65536", False),
        ("127.0.0.1:", False),
        ("127.0.0.1.example:1", False),
        ("localhost.example:1", False),
        ("0.0.0.0:1", False),
        ("10.0.0.1:1", False),
        (":1", False),
        ("", False),
    ],
)
def test_only_this_machine_is_the_loopback(address: str, loopback: bool) -> None:
    assert tree.is_loopback(address) is loopback
