"""Runs a command of ours in this process: what it asks of a real sidecar is the same, and nothing is imported again."""

import io
from contextlib import redirect_stderr, redirect_stdout

import structlog

from authz_sidecar.cli import main


def run(*arguments: str) -> str:
    """Give what the command prints; it may say yes or no, anything else fails."""
    out, complaint = io.StringIO(), io.StringIO()
    code: object = None
    try:
        with redirect_stdout(out), redirect_stderr(complaint):
            main(arguments)
    except SystemExit as ended:
        code = ended.code
    finally:
        structlog.reset_defaults()  # a command may have set the log up for a stream that ends here
    assert code in (0, 1), complaint.getvalue()
    return out.getvalue().strip()
