"""`authz-sidecar token`: make a token for development, and explain any token without trusting it."""

import asyncio
import secrets
import time
from pathlib import Path
from typing import Any, Final

import click
from rich.markup import escape

from authz_sidecar import strictjson
from authz_sidecar.cli.asks import read_token
from authz_sidecar.cli.grouped import Group
from authz_sidecar.cli.show import ANSWERED_NO, YES, as_json, complain, config_option, dump, err
from authz_sidecar.errors import ConfigError

_DEEPEST: Final = 8
_LONGEST_NAME: Final = 256


@click.group(cls=Group)
def token() -> None:
    """Make a development token; explain any token."""


@token.command()
@click.option("--sub", "subject", required=True, help="Who it is for: `user:SUB` in the policy.")
@click.option("--scope", "scopes", multiple=True, help="A scope; may be given several times.")
@click.option("--role", "roles", multiple=True, help="A role, put where the issuer's `roles_claim` says.")
@click.option("--server", default="", help="Whose audience it gets; default: the only configured server.")
@click.option("--client-id", default="", help="The OAuth client that it is issued to.")
@click.option("--ttl", default=3600, show_default=True, type=click.IntRange(1, 86_400), help="Seconds until it ends.")
@click.option("--claim", "claims", multiple=True, metavar="NAME=VALUE", help="A further claim; VALUE may be JSON.")
@click.option("--key", type=click.Path(path_type=Path), help="The signing key; default: beside `jwks_file`.")
@config_option
@as_json
def mint(
    subject: str,
    scopes: tuple[str, ...],
    roles: tuple[str, ...],
    server: str,
    client_id: str,
    ttl: int,
    claims: tuple[str, ...],
    key: Path | None,
    config_path: Path,
    json_: bool,
) -> int:
    """Sign a token for development with the local key that `init` or `keys generate` made.

    The token goes to standard output, the remark that it is for development to standard error.
    """
    from authz_sidecar import app, configfile
    from authz_sidecar.cli import devkeys
    from authz_sidecar.tokens import mint as minting

    config = configfile.load(config_path)
    issuer = next((one for one in config.issuers if one.development and one.jwks_file), None)
    if issuer is None:
        raise ConfigError(f"{config_path}: no issuer is marked `development = true`; only those tokens are minted here")
    servers = app.servers(config)
    if not server and len(servers) > 1:
        raise ConfigError(f"--server is needed, one of {', '.join(servers)}")
    if server and server not in servers:
        raise ConfigError(f"--server: `{server}` is not configured; there is {', '.join(servers)}")
    path = key or devkeys.paths(config.at(issuer.jwks_file).parent)[0]
    now = int(time.time())
    body: dict[str, Any] = {
        "iss": issuer.issuer,
        "aud": servers[server or next(iter(servers))].audience,
        "sub": subject,
        "iat": now,
        "exp": now + ttl,
        "jti": secrets.token_urlsafe(12),
    }
    if scopes:
        body["scope"] = " ".join(scopes)
    if client_id:
        body["client_id"] = client_id
    _put(body, issuer.user_claim, subject)
    if issuer.user_claim == "email":
        body["email_verified"] = True
    for claim in _several(issuer.groups_claim):
        _put(body, claim, [])  # a mapped claim must be there, and `--claim` may fill it
    for claim in _several(issuer.roles_claim):
        _put(body, claim, list(roles))
    if roles and not issuer.roles_claim:
        raise ConfigError(f"--role: the issuer `{issuer.alias}` has no `roles_claim`; give roles by `g` rows instead")
    for claim in claims:
        name, equals, value = claim.partition("=")
        if not equals:
            raise ConfigError(f"--claim `{claim}`: expected NAME=VALUE")
        _put(body, name, _value(value))
    signed = minting.mint(minting.read_keys(path)[0], body)
    if json_:
        dump({"token": signed, "claims": body, "development": True})
    else:
        click.echo(signed)
        near = path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
        err().print(f"[dim]for development only: signed with {escape(str(near))}, ends in {ttl} s[/]")
    return YES


def _several(paths: str | tuple[str, ...]) -> tuple[str, ...]:
    return (paths,) if isinstance(paths, str) and paths else tuple(paths)


def _steps(path: str) -> tuple[str, ...]:
    """Take the path of a claim apart; raises `ConfigError`."""
    from authz_sidecar.tokens.claims import steps

    try:
        return steps(path)
    except ValueError:
        raise ConfigError(f"the claim `{path}`: a name is missing, or a quote is open") from None


def _put(body: dict[str, Any], path: str, value: object) -> None:
    """Set a claim, along the dots of its name unless it is a URL (`https://example.com/roles`)."""
    *outer, last = [path] if "/" in path and '"' not in path else _steps(path)
    for name in outer:
        inner = body.setdefault(name, {})
        if not isinstance(inner, dict):
            raise ConfigError(f"the claim `{path}`: `{name}` is a value already, so nothing can be put into it")
        body = inner
    body[last] = value


def _value(text: str) -> object:
    try:
        return strictjson.loads(text.encode(), max_depth=_DEEPEST)
    except strictjson.StrictJsonError:
        return text


def _given(text: str, file: str | None) -> str:
    """Take the token from whichever place was named; raises `ConfigError`."""
    if text and file:
        raise ConfigError(f"`{text[:16]}` and --token-file are two tokens; give one")
    if source := file or ("-" if text == "-" else None):
        return read_token(source)
    text = text or read_token(None)
    if not text:
        raise ConfigError("there is no token; give --token-file FILE, or set AUTHZ_TOKEN")
    if len(text) < _LONGEST_NAME and Path(text).is_file():
        raise ConfigError(f"`{text}` is a file; give it as --token-file {text}")
    return text


@token.command("inspect")
@click.argument("token_text", metavar="[TOKEN|-]", default="")
@click.option("--token-file", metavar="FILE|-", help="The token; default: the variable AUTHZ_TOKEN.")
@click.option("--server", default="", help="Check the audience of this server.")
@config_option
@as_json
def look(token_text: str, token_file: str | None, server: str, config_path: Path, json_: bool) -> int:
    """Explain a token without trusting it: issuer, key, every check, and who the caller would be.

    An opaque token is asked about at its issuer. A running sidecar is asked as well, by a `ping`: it alone knows what
    was revoked. Others on the machine can see an argument, but no file and no standard input (`-`). Exits with 1 when
    the token is refused.

    Example: authz-sidecar token inspect --token-file alice.token
    """
    from authz_sidecar import app, configfile
    from authz_sidecar.app.inspecting import inspected
    from authz_sidecar.cli import explaining
    from authz_sidecar.cli.vouching import vouched

    config = configfile.load(config_path)
    known = app.servers(config)
    if server and server not in known:
        raise ConfigError(f"--server: `{server}` is not configured; there is {', '.join(known)}")
    only = known[server] if server else next(iter(known.values())) if len(known) == 1 else None
    text = _given(token_text, token_file)
    found, problems = asyncio.run(inspected(config, text, only))
    for problem in problems:
        complain(str(problem))
    found = vouched(found, text, config_path, "" if only is None else only.name)
    if json_:
        dump(explaining.as_json(found))
    else:
        explaining.explain(found)
    return YES if found else ANSWERED_NO
