"""Asks the running sidecar about a token that every check here accepts: it alone knows what was revoked."""

from pathlib import Path
from typing import Final

from authz_sidecar.cli import client
from authz_sidecar.errors import ConfigError
from authz_sidecar.model import Reason
from authz_sidecar.tokens.inspect import Finding, Inspection, Outcome, added
from authz_sidecar.wire import authz_pb2 as pb

_CHECK: Final = "revoked"


def vouched(found: Inspection, text: str, config_path: Path, server: str) -> Inspection:
    """Add what the sidecar says; where none runs, or the token is refused already, say that nobody was asked."""
    if not found:
        return added(found, _skipped("needs a token that every check accepts"))
    return added(found, _asked(text, config_path, server))


def _asked(text: str, config_path: Path, server: str) -> Finding:
    request = pb.CheckRequest(token=text, method="ping", server=server)
    try:
        with client.data(client.data_target(config_path, None)) as stub:
            answer = stub.Check(request, timeout=client.DEADLINE_SECONDS)
    except (client.Unreachable, ConfigError) as error:
        return _skipped(f"only a running sidecar knows: {error}")
    if answer.allowed:
        return Finding(check=_CHECK, outcome=Outcome.PASSED, sentence="the running sidecar accepts the token")
    name = pb.Reason.Name(answer.reason).removeprefix("REASON_")
    reason = Reason[name] if name in Reason.__members__ else None
    if reason is None or not reason.about_token:
        return _skipped(f"the running sidecar answers {name.lower()}; name a server by --server")
    sentence = f"the running sidecar refuses it: {reason}"
    return Finding(check=_CHECK, outcome=Outcome.FAILED, sentence=sentence, reason=reason)


def _skipped(sentence: str) -> Finding:
    return Finding(check=_CHECK, outcome=Outcome.SKIPPED, sentence=sentence)
