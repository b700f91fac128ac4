"""A look at everything that the sidecar needs: what is well, what is not, and what to do."""

import asyncio
from typing import Final

from authz_sidecar.app import checkup_authorities, checkup_issuers, checkup_oauth, checkup_places, translate
from authz_sidecar.app.examine import examine
from authz_sidecar.app.finding import Finding, fail, ok, warn
from authz_sidecar.config import Config
from authz_sidecar.errors import AuthzError, ConfigError
from authz_sidecar.ports import Clock

_MOST: Final = 10


async def checkup(config: Config, clock: Clock) -> tuple[Finding, ...]:
    """Look at issuers, policy, addresses, certificates, directories and the log; never raises an `AuthzError`."""
    issuers = await asyncio.gather(*(checkup_issuers.look(config, one, clock) for one in config.issuers))
    return (
        *(found for each in issuers for found in each),
        *_together(config),
        *await _policy(config),
        *checkup_places.certificate(config, clock()),
        *checkup_authorities.authorities(config, clock()),
        *checkup_places.sockets(config),
        *checkup_places.state(config),
        *checkup_places.log(config),
        *checkup_oauth.look(config),
    )


def _together(config: Config) -> list[Finding]:
    """Look at what only all issuers and the listener together can get wrong."""
    try:
        translate.issuers(config)
        translate.tcp(config)
    except ConfigError as error:
        return [fail("configuration", str(error), "change it as it says; `serve` refuses to begin")]
    return []


async def _policy(config: Config) -> list[Finding]:
    try:
        report = await examine(config)
    except AuthzError as error:
        return [fail("policy", str(error), "see `authz-sidecar policy lint`")]
    found = [
        fail("policy", str(one), "change that line; the last good policy stays in force")
        for one in report.problems[:_MOST]
    ]
    found += [warn("policy", str(one), "see `authz-sidecar policy lint`") for one in report.warnings[:_MOST]]
    return found or [ok("policy", report.summary)]
