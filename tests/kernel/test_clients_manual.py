"""`docs/clients.md` tells every reason, in the words of the wire contract, and what to answer."""

import re
from pathlib import Path
from typing import Final

import pytest

from authz_sidecar.model import Reason
from authz_sidecar.wire import authz_pb2 as pb

MANUAL: Final = (Path(__file__).parents[2] / "docs" / "clients.md").read_text()
ROWS: Final = dict(re.findall(r"^\| `(REASON_\w+)` \|.*\| (.*) \|$", MANUAL, re.MULTILINE))


def test_every_reason_is_told_and_no_other() -> None:
    assert set(ROWS) == set(pb.Reason.keys())


@pytest.mark.parametrize("reason", Reason)
def test_the_answer_over_http_follows_from_the_reason(reason: Reason) -> None:
    told = ROWS[f"REASON_{reason.name}"]
    if reason is Reason.ALLOWED_BY_RULE:
        assert told == "let it through"
    else:
        assert told.startswith("401" if reason.about_token else "403")
