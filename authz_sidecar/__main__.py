"""Lets `python -m authz_sidecar` stand for `authz-sidecar`."""

from authz_sidecar.cli import main

if __name__ == "__main__":
    main()
