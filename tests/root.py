"""Looks for files that a test left in the root of the repository, where only tracked and ignored ones may stand."""

import subprocess
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[1]


def strays(root: Path = ROOT) -> frozenset[str]:
    """Name what stands right in this directory and is neither tracked nor ignored; nothing outside a checkout."""
    try:
        done = subprocess.run(
            ["git", "ls-files", "--others", "--exclude-standard", "--directory", "-z"],
            cwd=root,
            capture_output=True,
            timeout=10,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return frozenset()
    names = done.stdout.decode(errors="replace").split("\0") if not done.returncode else []
    return frozenset(name for name in names if name and "/" not in name.rstrip("/"))
