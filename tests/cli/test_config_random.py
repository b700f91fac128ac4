"""Whatever stands in the file or the environment, the configuration is read or refused."""

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authz_sidecar import configfile
from authz_sidecar.config import Config
from authz_sidecar.errors import ConfigError
from tests.cli.conftest import CALM
from tests.cli.least import LEAST as GOOD


@given(st.binary(max_size=300))
@CALM
def test_any_bytes_are_read_or_refused(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "fuzz.toml"
    path.write_bytes(data)
    with pytest.raises(ConfigError):
        configfile.load(path, {})


_values = st.recursive(
    st.text(max_size=20) | st.integers() | st.booleans() | st.floats(),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "alias", "name"]), inner, max_size=3)
    ),
    max_leaves=6,
)


@given(
    st.dictionaries(
        st.sampled_from([*Config.model_fields, "nonsense", "base"]),
        _values | st.dictionaries(st.sampled_from(["path", "socket", "tcp", "bind", "implies", "engine"]), _values),
        max_size=6,
    )
)
@CALM
def test_any_tree_is_read_or_refused(tmp_path_factory: pytest.TempPathFactory, sections: dict[str, Any]) -> None:
    """Whatever is written where a section is expected; JSON's scalars and inline tables are nearly TOML's."""
    path = tmp_path_factory.getbasetemp() / "tree.toml"
    path.write_text("\n".join(f"{key} = {_toml(value)}" for key, value in sections.items()), errors="replace")
    with pytest.raises(ConfigError) as refused:
        configfile.load(path, {})
    assert str(refused.value).startswith(str(path))


@given(
    st.dictionaries(st.text("ABC_LISTENTCPHRBD", max_size=12).map("AUTHZ_".__add__), st.text(max_size=8), max_size=4)
)
@CALM
def test_any_environment_is_taken_or_refused(
    tmp_path_factory: pytest.TempPathFactory, environment: dict[str, str]
) -> None:
    path = tmp_path_factory.getbasetemp() / "env.toml"
    path.write_text(GOOD)
    with suppress(ConfigError):
        configfile.load(path, environment)


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {_toml(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_toml, value)) + "]"
    return json.dumps(value).replace("NaN", "nan").replace("Infinity", "inf")
