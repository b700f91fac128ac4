"""From the configuration to what the rooms are built of."""

from types import MappingProxyType

from authz_sidecar.app.issuers import known
from authz_sidecar.config import Config
from authz_sidecar.errors import ConfigError
from authz_sidecar.model import Mode, Server
from authz_sidecar.rules import ScopeHierarchy
from authz_sidecar.server.listen import Tcp, Tls
from authz_sidecar.tokens.issuer import Issuer


def servers(config: Config) -> dict[str, Server]:
    """Give the configured servers by name."""
    return {
        one.name: Server(
            name=one.name,
            audience=one.audience,
            mode=Mode(one.mode),
            methods=frozenset(one.methods),
            audiences=MappingProxyType(dict(one.audiences)),
        )
        for one in config.servers
    }


def issuers(config: Config) -> tuple[Issuer, ...]:
    """Build every issuer, for a look: nothing on the web is fetched; raises `ConfigError`."""
    return known(config).issuers


def hierarchy(config: Config) -> ScopeHierarchy:
    """Close `[scopes.implies]` over itself: what a scope stands for may stand for more."""
    direct = config.scopes.implies
    closed: dict[str, frozenset[str]] = {}
    for scope in direct:
        found: set[str] = set()
        waiting = list(direct[scope])
        while waiting:
            implied = waiting.pop()
            if implied not in found:
                found.add(implied)
                waiting += direct.get(implied, ())
        closed[scope] = frozenset(found)
    return ScopeHierarchy(implies=closed)


def claim_mapping(config: Config) -> bytes:
    """Spell what turns claims into names: a change of it is a change of the policy."""
    plain = ["plain"] if config.policy.subjects == "plain" else []
    return repr(
        plain
        + [*config.context.keys]
        + [
            (
                one.alias,
                one.issuer,
                one.user_claim,
                one.roles_claim,
                one.groups_claim,
                one.optional_claims,
                one.client_tokens,
                one.condition_claims,
            )
            for one in config.issuers
        ]
    ).encode()


def qualified_by(config: Config) -> frozenset[str]:
    """Give the aliases that names must carry: all of them, as soon as there are two."""
    return frozenset(one.alias for one in config.issuers) if len(config.issuers) > 1 else frozenset()


def plain_subjects(config: Config) -> bool:
    """Say whether the names of the policy have no prefix."""
    return config.policy.subjects == "plain"


def carried(config: Config) -> frozenset[str]:
    """Give the kinds of names that a token can carry; all others are made by the policy alone."""
    kinds = {"user:", "client:", "agent:"}
    if any(one.roles_claim for one in config.issuers):
        kinds.add("role:")
    if any(one.groups_claim for one in config.issuers):
        kinds.add("group:")
    return frozenset(kinds)


def tcp(config: Config) -> Tcp | None:
    """Give the TCP address to listen on; raises `ConfigError`."""
    if not config.listen.tcp:
        return None
    host, colon, port = config.listen.tcp.rpartition(":")
    if not colon or not port.isdecimal():
        raise ConfigError(f"`listen.tcp`: `{config.listen.tcp}` is not HOST:PORT")
    tls = None
    if config.listen.tls_cert_file:
        authority = config.listen.client_ca_file
        tls = Tls(
            cert_file=config.at(config.listen.tls_cert_file),
            key_file=config.at(config.listen.tls_key_file),
            client_ca_file=config.at(authority) if authority else None,
        )
    return Tcp(host=host.strip("[]"), port=int(port), tls=tls)
