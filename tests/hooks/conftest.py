"""The native hooks are tested with the sidecar that answers from a table, as the ASGI form is."""

from tests.adapter.conftest import lines, run_dir, sidecar, table

__all__ = ["lines", "run_dir", "sidecar", "table"]
