"""An engine is loaded because the configuration names it."""

from collections.abc import Callable
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from authz_sidecar.engines import registry
from authz_sidecar.engines.registry import load
from authz_sidecar.errors import ConfigError

GROUP = "authz_sidecar_test.engines"
Install = Callable[..., None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Install distributions that offer engines, as far as Python's import system can tell."""

    def _install(distribution: str, **engines: str) -> None:
        info = tmp_path / distribution / f"{distribution}-1.0.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.0\n")
        lines = [f"{name} = {target}" for name, target in engines.items()]
        (info / "entry_points.txt").write_text("\n".join([f"[{GROUP}]", *lines, ""]))
        monkeypatch.syspath_prepend(info.parent)

    return _install


@pytest.mark.parametrize("name", ["casbin", "index", "plain"])
def test_the_built_in_engines_take_the_same_path_as_others(name: str) -> None:
    assert load(name).name == name


def test_no_built_in_engine_is_missing_here() -> None:
    built_in = {entry.name for entry in entry_points(group=registry.GROUP) if entry.value.startswith("authz_sidecar.")}
    assert {"casbin", "index", "plain"} <= built_in <= {"casbin", "cedar", "index", "plain", "pycasbin"}


def test_an_engine_of_another_package_is_loaded_by_its_name(install: Install) -> None:
    install("others", plain="authz_sidecar.engines.plain:PlainEngine", broken="no.such.module:Engine")
    assert load("plain", group=GROUP).name == "plain"


def test_an_unknown_name_is_refused_and_the_known_ones_are_listed(install: Install) -> None:
    install("others", b="x:Y", a="x:Y")
    with pytest.raises(ConfigError, match="0 engines are called `cedar`, expected one; installed: `a`, `b`"):
        load("cedar", group=GROUP)


def test_with_no_engines_at_all_the_message_says_so() -> None:
    with pytest.raises(ConfigError, match="installed: none"):
        load("plain", group="authz_sidecar_test.nothing")


def test_two_engines_of_one_name_are_refused(install: Install) -> None:
    install("first", plain="authz_sidecar.engines.plain:PlainEngine")
    install("second", plain="authz_sidecar.engines.index:IndexEngine")
    with pytest.raises(ConfigError, match="2 engines are called `plain`, expected one; installed: `plain`"):
        load("plain", group=GROUP)


@pytest.mark.parametrize(
    ("target", "message"),
    [
        pytest.param("no.such.module:Engine", "cannot be loaded", id="its module is missing"),
        pytest.param("authz_sidecar.engines.plain:Nothing", "cannot be loaded", id="its class is missing"),
        pytest.param("authz_sidecar.engines.plain:PlainEngine", "calls itself `plain`", id="it has another name"),
    ],
)
def test_an_engine_that_is_not_what_it_says_is_refused(install: Install, target: str, message: str) -> None:
    install("others", mine=target)
    with pytest.raises(ConfigError, match=f"the engine `mine` .*{message}"):
        load("mine", group=GROUP)
