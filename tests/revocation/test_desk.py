"""Who is meant by an order, what the audit trail says of it, and how the configuration builds it all."""

import asyncio
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from authz_sidecar import configfile
from authz_sidecar.app.latest import latest
from authz_sidecar.app.revocations import revocations, shared
from authz_sidecar.app.revoking import Audited, RevocationDesk, learned
from authz_sidecar.errors import BadRequest, ConfigError, RevocationsFull
from authz_sidecar.events import AdminEvent
from authz_sidecar.model import RawToken
from authz_sidecar.revocation import Kind, Receipt, Revocation
from authz_sidecar.server.revocations import Order
from authz_sidecar.tokens.issuer import Issuer
from authz_sidecar.tokens.revocation_redis import RedisStore
from tests.tokens.makers import ISSUER, NOW, Clock, issuer, token
from tests.tokens.revoking import kept, opened, revocation

OTHER = "https://other.example"
ONE = (issuer(),)
TWO = (issuer(qualify=True, family_claim="sid"), issuer(alias="other", issuer=OTHER, qualify=True))


class Told:
    """A `Revokes` that keeps what it is told, or refuses."""

    def __init__(self, *, pending: bool = False, error: Exception | None = None) -> None:
        self.entries: list[Revocation] = []
        self._pending, self._error = pending, error

    async def revoke(self, entry: Revocation) -> Receipt:
        if self._error is not None:
            raise self._error
        self.entries.append(entry)
        return Receipt(kept=kept("r", entry, epoch=7), pending=self._pending)


async def ordered(tmp_path: Path, issuers: tuple[Issuer, ...], order: Order) -> Revocation:
    told = Told()
    async with opened(tmp_path) as known:
        await RevocationDesk(revokes=told, known=known, issuers=issuers, clock=Clock()).revoke(order)
    return told.entries[0]


@pytest.mark.parametrize(
    ("issuers", "order", "meant"),
    [
        pytest.param(ONE, Order(issuer="", kind=Kind.SUBJECT, value="a"), ISSUER, id="the only issuer"),
        pytest.param(ONE, Order(issuer="main", kind=Kind.SUBJECT, value="a"), ISSUER, id="by its alias"),
        pytest.param(TWO, Order(issuer=OTHER, kind=Kind.SUBJECT, value="a"), OTHER, id="by its iss"),
        pytest.param(TWO, Order(issuer="main", kind=Kind.FAMILY, value="a"), ISSUER, id="that has families"),
        pytest.param(TWO, Order(issuer="other", token=RawToken(token())), ISSUER, id="a token names its own"),
        pytest.param(ONE, Order(issuer="", issued_before=5.0), ISSUER, id="the whole issuer"),
    ],
)
async def test_an_order_means_one_issuer(tmp_path: Path, issuers: tuple[Issuer, ...], order: Order, meant: str) -> None:
    assert (await ordered(tmp_path, issuers, order)).issuer == meant


@pytest.mark.parametrize(
    ("issuers", "order", "said"),
    [
        pytest.param(TWO, Order(issuer="", kind=Kind.SUBJECT, value="a"), "one of `main`, `other`", id="which of two"),
        pytest.param(ONE, Order(issuer="x", kind=Kind.SUBJECT, value="a"), "`issuer` is `x`", id="a stranger"),
        pytest.param(TWO, Order(issuer="other", kind=Kind.FAMILY, value="a"), "no `family_claim`", id="no families"),
        pytest.param(ONE, Order(issuer="", token=RawToken("x.y.z")), "not one of a configured", id="no token of ours"),
        pytest.param(ONE, Order(issuer="", token=RawToken(token()), issued_before=1.0), "goes with", id="one in time"),
        pytest.param(ONE, Order(issuer=""), "give `issued_before`", id="nothing at all"),
    ],
)
async def test_an_order_that_means_nothing_is_refused(
    tmp_path: Path, issuers: tuple[Issuer, ...], order: Order, said: str
) -> None:
    with pytest.raises(BadRequest, match=said):
        await ordered(tmp_path, issuers, order)


async def test_a_report_tells_what_is_in_force(tmp_path: Path) -> None:
    async with opened(tmp_path) as known:
        desk = RevocationDesk(revokes=known, known=known, issuers=ONE, clock=Clock())
        await desk.revoke(Order(issuer="", kind=Kind.SUBJECT, value="a"))
        report = desk.revocations(after=0, limit=5)
    assert ([one.revocation.value for one in report.kept], report.epoch, report.total) == (["a"], 1, 1)
    assert not report.stale


@pytest.mark.parametrize(
    ("told", "outcome", "epoch"),
    [
        pytest.param(Told(), "revoked", 7, id="done"),
        pytest.param(Told(pending=True), "pending", 7, id="not shared yet"),
        pytest.param(Told(error=RevocationsFull("x")), "revocations_full", 0, id="refused"),
    ],
)
async def test_every_revocation_leaves_an_event(told: Told, outcome: str, epoch: int) -> None:
    events: list[AdminEvent] = []
    entry = revocation(issued_before=NOW, reason="why", by="me")
    if epoch:
        assert await Audited(told, events.append).revoke(entry)
    else:
        with pytest.raises(RevocationsFull):
            await Audited(told, events.append).revoke(entry)
    (event,) = events
    assert (event.action, event.outcome, event.revocation_epoch) == ("revoke", outcome, epoch)
    assert (event.by, event.detail) == ("me", "why")
    assert event.target == f"subject `alice` of {ISSUER}, issued before {NOW:.3f}"


def test_what_others_revoked_leaves_one_event() -> None:
    events: list[AdminEvent] = []
    learned(events.append)(3, 9)
    assert [(one.outcome, one.detail, one.revocation_epoch) for one in events] == [
        ("learned", "3 from the shared store", 9)
    ]


async def _steps(queue: "asyncio.Queue[Any]") -> AsyncIterator[Any]:
    while (step := await queue.get()) is not None:
        yield step


async def test_two_streams_become_one_of_the_newest_pairs() -> None:
    left: asyncio.Queue[Any] = asyncio.Queue()
    right: asyncio.Queue[Any] = asyncio.Queue()
    pairs = latest(_steps(left), _steps(right))
    async with asyncio.timeout(10):
        left.put_nowait("a")
        right.put_nowait(1)
        assert await anext(pairs) == ("a", 1)
        right.put_nowait(2)
        assert await anext(pairs) == ("a", 2)
        left.put_nowait("b")
        assert await anext(pairs) == ("b", 2)
        left.put_nowait(None)
        with pytest.raises(StopAsyncIteration):
            await anext(pairs)


async def test_whoever_stops_listening_leaves_nothing_behind() -> None:
    left: asyncio.Queue[Any] = asyncio.Queue()
    right: asyncio.Queue[Any] = asyncio.Queue()
    left.put_nowait("a")
    right.put_nowait(1)
    pairs = latest(_steps(left), _steps(right))
    assert await anext(pairs) == ("a", 1)
    await pairs.aclose()
    assert asyncio.all_tasks() == {asyncio.current_task()}


CONFIG = """\
[[issuers]]
alias = "main"
issuer = "https://idp.example"
algorithms = ["ES256"]
jwks_file = "jwks.json"
family_claim = "sid"

[[servers]]
name = "ops"
audience = "https://ops.example/mcp"

[revocation]
"""


def config(directory: Path, text: str) -> Any:
    path = directory / "authz.toml"
    path.write_text(CONFIG + text)
    return configfile.load(path)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param('redis = "http://x"', "expected `redis://HOST", id="another kind of address"),
        pytest.param('redis = "redis://u:secret@h/0"', "holds a password", id="a password in the address"),
        pytest.param('redis_password_file = "x"', "`redis_password_file` needs `redis`", id="a password for nobody"),
        pytest.param('redis = "redis://h"\nredis_ca_file = "x"', "needs `rediss://`", id="an authority without TLS"),
        pytest.param("keep_seconds = 299", "keep_seconds", id="kept too short"),
        pytest.param('on_unreachable = "allow"', "on_unreachable", id="a policy that is none"),
        pytest.param("max_entires = 5", "did you mean `max_entries`", id="a misspelt key"),
    ],
)
def test_a_mistake_in_the_configuration_is_told(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        config(tmp_path, text)
    assert said in str(caught.value)
    assert "secret" not in str(caught.value)


async def test_the_configuration_is_what_is_built(tmp_path: Path) -> None:
    found = config(tmp_path, "keep_seconds = 600\nmax_entries = 1000")
    it = revocations(found, lambda count, epoch: None)
    try:
        await it.open()
        assert (tmp_path / "var" / "revocations.db").exists()
        assert not it.stale
        receipt = await it.revoke(revocation())
        assert receipt.kept.keep_until - receipt.kept.at == 600
    finally:
        await it.close()


async def test_redis_is_built_with_its_password_and_authority(tmp_path: Path) -> None:
    (tmp_path / "password").write_text("s3cret\n")
    text = 'redis = "rediss://h:1/0"\nredis_password_file = "password"\nredis_ca_file = "ca.pem"'
    store = shared(config(tmp_path, text))
    assert isinstance(store, RedisStore)
    options = store._redis.connection_pool.connection_kwargs
    assert (options["password"], options["ssl_ca_certs"]) == ("s3cret", str(tmp_path / "ca.pem"))
    assert (options["ssl_cert_reqs"], options["ssl_check_hostname"]) == ("required", True)
    await store.close()


@pytest.mark.parametrize(
    ("password", "said"),
    [
        pytest.param(None, "cannot read the password", id="no file"),
        pytest.param(b"\xff", "not UTF-8", id="not text"),
        pytest.param(b"\n", "expected the password", id="empty"),
        pytest.param(b"x" * 5000, "expected the password", id="too long"),
    ],
)
def test_a_password_that_cannot_be_read_is_no_start(tmp_path: Path, password: bytes | None, said: str) -> None:
    if password is not None:
        (tmp_path / "password").write_bytes(password)
    found = config(tmp_path, 'redis = "redis://h/0"\nredis_password_file = "password"')
    with pytest.raises(ConfigError, match=said):
        shared(found)


def test_without_the_redis_client_it_is_said_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = config(tmp_path, 'redis = "redis://h/0"')
    monkeypatch.setitem(sys.modules, "authz_sidecar.tokens.revocation_redis", None)
    with pytest.raises(ConfigError, match=r"authz-sidecar\[redis\]"):
        shared(found)
