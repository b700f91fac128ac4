"""What the tests of guarded local servers share: a sidecar that answers from a table."""

from tests.adapter.conftest import lines, run_dir, sidecar, table

__all__ = ["lines", "run_dir", "sidecar", "table"]
