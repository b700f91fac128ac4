"""The wheel installs and runs where the repository is not."""

import subprocess
import sys
import venv
import zipfile
from pathlib import Path
from typing import Final

import pytest

pytestmark = [pytest.mark.process, pytest.mark.timeout(180)]

ROOT: Final = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel, once."""
    target = tmp_path_factory.mktemp("wheel")
    _run([sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(target), str(ROOT)], target)
    (built,) = target.glob("*.whl")
    return built


@pytest.fixture(scope="session")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install the wheel into a new environment that borrows our packages, but neither the project nor its tree."""
    home = tmp_path_factory.mktemp("installed") / "venv"
    venv.create(home, with_pip=False, symlinks=True)
    pip = [sys.executable, "-m", "pip", "--python", str(home), "install", "--disable-pip-version-check"]
    _run([*pip, "--no-index", "--no-deps", str(wheel)], home)
    (packages,) = home.glob("lib/python*/site-packages")
    # A path in a .pth file is searched, and the .pth files in it (one of which leads to the tree) are not.
    (packages / "borrowed.pth").write_text(f"{_packages()}\n")
    return home / "bin"


def _packages() -> Path:
    """Say where the packages of this environment are."""
    (found,) = Path(sys.prefix).glob("lib/python*/site-packages")
    return found


def test_the_wheel_holds_the_packages_and_nothing_else(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    tops = {name.split("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"authz_sidecar", "mcp_adapter"}
    assert "authz_sidecar/py.typed" in names
    assert "mcp_adapter/py.typed" in names
    assert any(name.endswith("licenses/LICENSE") for name in names)


def test_the_installed_packages_are_those_of_the_wheel(installed: Path, tmp_path: Path) -> None:
    said = _run(
        [
            str(installed / "python"),
            "-c",
            "import authz_sidecar, mcp_adapter as m; print(authz_sidecar.__file__, m.__file__)",
        ],
        tmp_path,
    )
    for file in said.split():
        assert Path(file).is_relative_to(installed.parent)


def test_the_command_tells_its_version_outside_the_repository(installed: Path, wheel: Path, tmp_path: Path) -> None:
    assert wheel.name.split("-")[1] in _run([str(installed / "authz-sidecar"), "--version"], tmp_path)


def test_the_command_explains_itself_outside_the_repository(installed: Path, tmp_path: Path) -> None:
    assert "serve" in _run([str(installed / "authz-sidecar"), "--help"], tmp_path)


def _run(command: list[str], home: Path) -> str:
    done = subprocess.run(command, cwd=home, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
