"""An engine of another package: installed into an environment of its own, found by its name, held to the contract."""

import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PLUGIN = ROOT / "examples" / "engine_plugin"


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make an environment that sees what we have, and install the plug into it; nothing is fetched."""
    place = tmp_path_factory.mktemp("plugin")
    source = shutil.copytree(PLUGIN, place / "source")
    home = place / "venv"
    run(sys.executable, "-m", "venv", "--without-pip", str(home))
    found = home / "bin" / "python"
    packages = run(str(found), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").strip()
    Path(packages, "ours.pth").write_text(f"{sysconfig.get_path('purelib')}\n{ROOT}\n")
    pip = [sys.executable, "-m", "pip", "--python", str(found), "--disable-pip-version-check", "--no-input"]
    run(*pip, "install", "--quiet", "--no-index", "--no-deps", "--no-build-isolation", str(source))
    return found


def run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=50, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_it_is_not_there_where_it_is_not_installed() -> None:
    script = "from authz_sidecar.engines.registry import load\ntry: load('sqlite')\nexcept Exception as e: print(e)"
    assert "0 engines are called `sqlite`" in run(sys.executable, "-c", script)


@pytest.mark.process
def test_its_own_tests_pass_where_it_is_installed(python: Path) -> None:
    run(str(python), "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(PLUGIN), str(PLUGIN / "tests"))


@pytest.mark.process
def test_the_command_line_uses_it_when_the_configuration_names_it(python: Path, tmp_path: Path) -> None:
    run(str(python), "-m", "authz_sidecar", "init", str(tmp_path / "here"))
    config = tmp_path / "here" / "authz.toml"
    text = config.read_text()
    assert 'engine = "casbin"' in text
    config.write_text(text.replace('engine = "casbin"', 'engine = "sqlite"'))
    told = run(str(python), "-m", "authz_sidecar", "policy", "test", "--config", str(config))
    assert "hold" in told


def test_it_decides_together_with_a_built_in_engine(python: Path) -> None:
    script = (
        "from authz_sidecar.engines.registry import load\n"
        "from authz_sidecar.testing.engines import check_engine\n"
        "check_engine(load('all:index,sqlite'), policies=10)"
    )
    run(str(python), "-c", script)
