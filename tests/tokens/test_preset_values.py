"""Presets as configuration: every value is visible, a given key wins, and what could never work is refused."""

import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from authz_sidecar import app
from authz_sidecar.config import Config
from authz_sidecar.errors import ConfigError
from authz_sidecar.tokens import mint, presets
from tests.tokens import provider_tokens as shapes
from tests.tokens.makers import UNHURRIED, key
from tests.tokens.provider_configs import ISSUERS, configured
from tests.tokens.provider_tokens import TENANT, Shape


@pytest.mark.parametrize(
    ("name", "change", "words"),
    [
        pytest.param("auth0", {"issuer": "https://corp.eu.auth0.com"}, "with the slash", id="auth0 without the slash"),
        pytest.param("entra", {"issuer": "https://login.microsoftonline.com/common/v2.0"}, "TENANT-ID", id="common"),
        pytest.param("entra", {"issuer": f"https://sts.windows.net/{TENANT}"}, "TENANT-ID", id="entra 1.0, no slash"),
        pytest.param("okta", {"issuer": "https://corp.okta.com"}, "for Okta alone", id="okta, the org server"),
        pytest.param("keycloak", {"issuer": "https://sso.example/realms/corp/"}, "without a slash", id="a slash more"),
        pytest.param("google", {"issuer": "accounts.google.com"}, "`https://accounts.google.com`", id="no scheme"),
        pytest.param("google", {"required_values": {}}, "`google` needs your domain", id="google without a domain"),
        pytest.param("keycloak", {"preset": "keycloack"}, "'keycloak'", id="a preset that does not exist"),
        pytest.param("keycloak", {"preset": 7}, "'keycloak'", id="a preset that is no string"),
        pytest.param("keycloak", {"issuer": 7}, "string", id="an issuer that is no string"),
        pytest.param("keycloak", {"client_tokens": "none"}, "'subject'", id="an unknown kind of client tokens"),
    ],
)  # fmt: skip
def test_what_such_a_token_could_never_be_is_refused_at_start(name: str, change: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError) as caught:
        configured(name, **change)
    assert words in str(caught.value)


def test_any_google_account_needs_a_word() -> None:
    assert configured("google", required_values={}, required_claims=[]).issuers[0].required_claims == ()


@pytest.mark.parametrize("path", ["a..b", ".a", "a.", 'a."b', 'a."b"c', '""'])
def test_a_path_that_cannot_be_read_is_refused_at_start(tmp_path: Path, path: str) -> None:
    (tmp_path / "jwks.json").write_text(json.dumps(mint.public_jwks([key("RS256")])))
    with pytest.raises(ConfigError, match="is not a path"):
        app.issuers(configured("keycloak", roles_claim=path).based(tmp_path))


def test_every_expanded_value_is_a_key_of_the_configuration_and_visible() -> None:
    for name in presets.NAMES:
        given = {"preset": name, "alias": "idp", "jwks_file": "jwks.json", **ISSUERS[name]}
        expanded = presets.expand(given)
        assert given.items() <= expanded.items()
        assert {"algorithms", "user_claim", "roles_claim", "leeway_seconds", "token_types"} <= expanded.keys()
        assert presets.AUDIENCE[name]
        assert configured(name).issuers[0].model_fields_set >= expanded.keys()


@pytest.mark.parametrize("name", presets.NAMES)
def test_without_a_key_source_the_keys_are_discovered(name: str) -> None:
    found = configured(name, jwks_file="")
    assert (found.issuers[0].discovery, found.issuers[0].jwks_file) == (True, "")
    assert configured(name).issuers[0].discovery is False


@pytest.mark.parametrize(
    ("given", "words"),
    [
        pytest.param({"preset": "keycloak", "user_claim": "preferred_username"}, None, id="a name that is unique"),
        pytest.param({"preset": "entra", "user_claim": "upn"}, "given to somebody else", id="a name that can move"),
        pytest.param({"preset": "entra", "groups_claim": "groups"}, "200", id="groups that are left out"),
        pytest.param({"user_claim": "upn"}, None, id="no preset"),
    ],
)
def test_what_deserves_a_look_is_said(given: dict[str, Any], words: str | None) -> None:
    found = presets.remarks(given)
    assert bool(found) is (words is not None)
    assert words is None or words in found[0]


@UNHURRIED
@given(st.dictionaries(st.sampled_from(["preset", "issuer", "required_values", "required_claims", "user_claim"]),
                       st.none() | st.integers() | st.text(max_size=9) | st.sampled_from(presets.NAMES)))  # fmt: skip
def test_any_values_expand_or_are_refused(values: dict[str, Any]) -> None:
    with suppress(ValueError):
        assert values.items() <= presets.expand(values).items()


def servers(*audiences: dict[str, str], alias: str = "idp") -> dict[str, Any]:
    return {
        "issuers": [{"alias": alias, "preset": "authz", "issuer": "https://a.example", "jwks_file": "k"}],
        "servers": [
            {"name": f"s{n}", "audience": f"https://s{n}.example", "audiences": one} for n, one in enumerate(audiences)
        ],
    }


@pytest.mark.parametrize(
    ("audiences", "words"),
    [
        pytest.param([{"idp": "x"}, {"idp": "x"}], "`x` stands twice", id="two servers with one audience"),
        pytest.param([{"idp": "https://s1.example"}, {}], "stands twice", id="the audience of another server"),
        pytest.param([{"other": "x"}], "names the issuer `other`", id="an issuer that nobody configured"),
        pytest.param([{"idp": ""}], "at least 1 character", id="an empty audience"),
        pytest.param([{"idp": "x"}, {"idp": "y"}], None, id="each its own"),
    ],
)
def test_an_audience_belongs_to_one_server(audiences: list[dict[str, str]], words: str | None) -> None:
    if words is None:
        assert Config.model_validate(servers(*audiences)).servers[0].audiences == audiences[0]
        return
    with pytest.raises(ValidationError, match=words):
        Config.model_validate(servers(*audiences))


def _all_shapes() -> list[Callable[..., Shape]]:
    return [value for name, value in vars(shapes).items() if callable(value) and value.__module__ == shapes.__name__]


def test_every_shape_says_where_it_comes_from() -> None:
    assert all(one.__doc__ for one in _all_shapes())
