"""A policy without prefixes is only accepted where nobody could mistake a role for a user."""

import pytest
from pydantic import ValidationError

from authz_sidecar.app import translate
from authz_sidecar.config import Config

ISSUER = {"alias": "a", "issuer": "https://a.example", "algorithms": ["RS256"], "jwks_file": "keys.json"}
SERVERS = [{"name": "ops", "audience": "https://ops.example"}]


def configured(*issuers: dict[str, object], subjects: str = "plain") -> Config:
    return Config.model_validate({"issuers": list(issuers), "servers": SERVERS, "policy": {"subjects": subjects}})


@pytest.mark.parametrize(
    "issuers",
    [
        pytest.param(({**ISSUER, "roles_claim": "roles"},), id="roles of the token"),
        pytest.param(({**ISSUER, "groups_claim": "groups"},), id="groups of the token"),
        pytest.param((ISSUER, {**ISSUER, "alias": "b", "issuer": "https://b.example"}), id="two issuers"),
    ],
)
def test_plain_names_beside_names_of_a_token_are_refused(issuers: tuple[dict[str, object], ...]) -> None:
    with pytest.raises(ValidationError, match="needs one issuer without `roles_claim` and `groups_claim`"):
        configured(*issuers)
    assert not translate.plain_subjects(configured(*issuers, subjects="prefixed"))


def test_plain_names_are_another_meaning_and_so_another_revision() -> None:
    plain, prefixed = configured(ISSUER), configured(ISSUER, subjects="prefixed")
    assert translate.plain_subjects(plain)
    assert translate.claim_mapping(plain) != translate.claim_mapping(prefixed)
