"""The command line: `authz-sidecar`."""

from authz_sidecar.cli.root import main

__all__ = ["main"]
