"""What conditions may be written in and look at, as the configuration says."""

from authz_sidecar.conditions.late import Late
from authz_sidecar.config import Config
from authz_sidecar.policy.whens import Conditions


def conditions(config: Config) -> Conditions:
    """Give the language, the claims that any issuer lists, and the keys that enforcement points fill in."""
    return Conditions(
        language=Late(),
        claims=frozenset(claim for issuer in config.issuers for claim in issuer.condition_claims),
        context=frozenset(config.context.keys),
    )
