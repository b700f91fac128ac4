"""The whole sidecar in one process: what it refuses to begin with, and how it lives and ends."""

import asyncio
import base64
import json
import secrets
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import httpx
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from authz_sidecar import app, configfile
from authz_sidecar.errors import ConfigError
from authz_sidecar.tokens import mint
from authz_sidecar.wire import authz_pb2 as pb
from authz_sidecar.wire import authz_pb2_grpc as rpc
from tests.app.running import AUDIENCE, POLICY, House, ask, refused, running, until


async def health(home: House) -> int:
    async with grpc.aio.insecure_channel(f"unix:{home.socket}") as channel:
        request = health_pb2.HealthCheckRequest()
        return int((await health_pb2_grpc.HealthStub(channel).Check(request, timeout=5)).status)


async def http(home: House, path: str) -> httpx.Response:
    async with httpx.AsyncClient(trust_env=False, timeout=5) as client:
        return await client.get(f"http://127.0.0.1:{home.http_port}{path}")


async def admin(home: House) -> pb.GetStatusResponse:
    async with grpc.aio.insecure_channel(f"unix:{home.socket.with_name('admin.sock')}") as channel:
        stub: Any = rpc.AdminServiceStub(channel)  # type: ignore[no-untyped-call] # generated
        found: pb.GetStatusResponse = await stub.GetStatus(pb.GetStatusRequest(), timeout=5)
        return found


async def test_it_answers_counts_and_records(home: House) -> None:
    async with running(home) as stub:
        yes, no = await ask(stub, home.token()), await ask(stub, home.token("bob"))
        assert (yes.allowed, no.allowed) == (True, False)
        assert (await http(home, "/readyz")).status_code == 200
        assert 'reason="allowed_by_rule"' in (await http(home, "/metrics")).text
        assert await health(home) == health_pb2.HealthCheckResponse.SERVING
        report = await admin(home)
        assert (report.ready, report.stale, report.rules, report.memberships) == (True, False, 1, 1)
        news = await anext(aiter(stub.WatchPolicy(pb.WatchPolicyRequest(), timeout=5)))
        assert news.policy_revision == yes.policy_revision == report.policy_revision
    events = home.decisions
    assert [one["type"] for one in events] == ["admin", "admin", "decision", "decision", "admin"]
    assert [one["action"] for one in events if one["type"] == "admin"] == ["start", "reload", "stop"]
    assert {one["decision_id"] for one in events if one["type"] == "decision"} == {yes.decision_id, no.decision_id}
    assert not home.socket.exists()
    assert not list(home.socket.parent.iterdir())


async def test_a_development_key_is_marked_everywhere(home: House) -> None:
    async with running(home) as stub:
        answer = await ask(stub, home.token("bob"))
        assert answer.message == "not permitted (development key)"
        assert list((await admin(home)).development_issuers) == ["main"]
    assert [one["development"] for one in home.decisions if one["type"] == "decision"] == [True]


async def test_a_key_that_is_not_for_development_is_not_marked(home: House) -> None:
    home.configure(issuers=home.issuer(development=False))
    async with running(home) as stub:
        assert (await ask(stub, home.token())).message == "allowed"
        assert not list((await admin(home)).development_issuers)


async def test_a_development_key_counts_as_one_whatever_the_configuration_says(home: House) -> None:
    home.configure(issuers=home.issuer().replace("development = true", "development = false"))
    async with running(home):
        assert list((await admin(home)).development_issuers) == ["main"]


async def test_a_development_issuer_stands_alone(home: House) -> None:
    home.configure(issuers=home.issuer() + home.issuer("corp", development=False))
    assert await refused(home) == "the issuer `main` is for development and cannot stand beside another issuer"


async def test_a_development_issuer_and_tls_do_not_go_together(home: House) -> None:
    listen = 'tcp = "127.0.0.1:0"\ntls_cert_file = "c"\ntls_key_file = "k"'
    home.configure(issuers=home.issuer(), listen=listen)
    assert await refused(home) == "the issuer `main` is for development: remove TLS and listen on loopback"


async def test_two_issuers_qualify_every_name(home: House) -> None:
    home.configure(issuers=home.issuer("corp", development=False) + home.issuer("club", development=False))
    home.policy.write_text(POLICY.replace("user:alice", "user:corp/alice"))
    async with running(home) as stub:
        answer = await ask(stub, home.token(alias="corp"))
        assert (answer.allowed, list(answer.principal.subjects)) == (True, ["user:corp/alice"])
        answer = await ask(stub, home.token(alias="club"))
        assert (answer.allowed, list(answer.principal.subjects)) == (False, ["user:club/alice"])
        stolen = home.token(alias="club", iss="https://corp.example")
        assert (await ask(stub, stolen)).reason in (pb.REASON_TOKEN_KEY_UNKNOWN, pb.REASON_TOKEN_SIGNATURE_INVALID)
        home.policy.write_text(POLICY)
        await until(lambda: _stale(home))
        (problem,) = (await admin(home)).problems
        assert "user:corp/alice" in problem.message


async def _stale(home: House) -> bool:
    return (await admin(home)).stale


async def test_a_shared_secret_verifies_hs256(home: House) -> None:
    secret = secrets.token_bytes(48).replace(b"\n", b"x").replace(b"\r", b"x").replace(b"{", b"x").replace(b"[", b"x")
    (home.home / "secret").write_bytes(secret)
    home.configure(
        issuers='[[issuers]]\nalias = "main"\nissuer = "https://main.example"\n'
        'secret_file = "secret"\nalgorithms = ["HS256"]\n'
    )
    key = {"kty": "oct", "alg": "HS256", "k": base64.urlsafe_b64encode(secret).rstrip(b"=").decode()}
    (home.home / "main.key").write_text(json.dumps(key))
    async with running(home) as stub:
        assert (await ask(stub, home.token())).allowed
        es256 = mint.mint(mint.generate_key("ES256"), {"iss": "https://main.example", "aud": AUDIENCE, "sub": "alice"})
        assert (await ask(stub, es256)).reason == pb.REASON_TOKEN_ALGORITHM_NOT_ALLOWED


async def test_decisions_may_go_to_standard_output(home: House, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    home.configure(issuers=home.issuer(), extra='[audit]\npath = "-"\nconsole = true\n')
    async with running(home) as stub:
        answer = await ask(stub, home.token())
    told = capfdbinary.readouterr()
    events = [json.loads(line) for line in told.out.splitlines() if line.startswith(b'{"type"')]
    assert [one["type"] for one in events] == ["admin", "admin", "decision", "admin"]
    assert events[2]["decision_id"] == answer.decision_id
    assert answer.decision_id.encode() in told.err
    assert not (home.home / "var" / "audit").exists()


async def test_no_answer_before_the_first_policy_and_ready_when_it_is_mended(home: House) -> None:
    home.policy.write_text("p, alice\n")
    async with running(home) as stub:
        assert await health(home) == health_pb2.HealthCheckResponse.NOT_SERVING
        answer = await http(home, "/readyz")
        assert (answer.status_code, (await http(home, "/healthz")).status_code) == (503, 200)
        assert "no policy is loaded" in answer.text
        with pytest.raises(grpc.aio.AioRpcError) as unanswered:
            await ask(stub, home.token())
        assert unanswered.value.code() is grpc.StatusCode.UNAVAILABLE
        assert unanswered.value.details() == "not ready: no policy is loaded"
        with pytest.raises(grpc.aio.AioRpcError):
            await anext(aiter(stub.WatchPolicy(pb.WatchPolicyRequest(), timeout=5)))
        report = await admin(home)
        assert (report.ready, report.policy_revision, {one.line for one in report.problems}) == (False, "", {1})
        home.policy.write_text(POLICY)
        await until(lambda: _ready(home))
        assert (await ask(stub, home.token())).allowed
        assert (await http(home, "/readyz")).status_code == 200


async def _ready(home: House) -> bool:
    return await health(home) == health_pb2.HealthCheckResponse.SERVING


async def test_the_last_good_policy_survives_a_restart(home: House) -> None:
    async with running(home) as stub:
        first = await ask(stub, home.token())
    home.policy.write_text("p, alice\n")
    async with running(home) as stub:
        again = await ask(stub, home.token())
        assert (again.allowed, again.policy_revision) == (True, first.policy_revision)
        report = await admin(home)
        assert (report.ready, report.stale, report.policy_origin) == (True, True, "last-good")
        assert "authz_policy_stale 1.0" in (await http(home, "/metrics")).text
        home.policy.write_text(f"{POLICY}g, user:bob, role:user\n")
        await until(lambda: _mended(home))
        assert (await ask(stub, home.token("bob"))).allowed


async def _mended(home: House) -> bool:
    return not (await admin(home)).stale


async def test_many_at_once_are_answered(home: House) -> None:
    async with running(home) as stub:
        asked = [asyncio.create_task(ask(stub, home.token())) for _ in range(50)]
        await asyncio.sleep(0)
        assert all([(await one).allowed for one in asked])


async def test_without_http_there_is_no_listener(home: House) -> None:
    home.config.write_text(home.config.read_text().replace(f"127.0.0.1:{home.http_port}", ""))
    async with running(home) as stub:
        assert (await ask(stub, home.token())).allowed
        with pytest.raises(httpx.ConnectError):
            await http(home, "/healthz")


async def test_both_listeners_answer_alike(home: House) -> None:
    home.configure(issuers=home.issuer(), listen=f'tcp = "127.0.0.1:{home.http_port + 1}"')
    async with running(home) as stub, grpc.aio.insecure_channel(f"127.0.0.1:{home.http_port + 1}") as channel:
        by_tcp: Any = rpc.AuthorizationServiceStub(channel)  # type: ignore[no-untyped-call] # generated
        assert (await ask(by_tcp, home.token())).allowed == (await ask(stub, home.token())).allowed


async def test_scopes_stand_for_others_through_several_steps(home: House) -> None:
    home.configure(issuers=home.issuer(), extra='[scopes.implies]\nroot = ["all"]\nall = ["some", "root"]\n')
    (home.policy.parent / "scopes.csv").write_text("server,method,tool,scopes\nops, tools/call, echo, some\n")
    async with running(home) as stub:
        assert (await ask(stub, home.token(scope="root"))).allowed
        denied = await ask(stub, home.token(scope="other"))
        assert (denied.reason, list(denied.required_scopes)) == (pb.REASON_INSUFFICIENT_SCOPE, ["some"])


@pytest.mark.parametrize(
    ("extra", "said"),
    [
        pytest.param('[policy]\nengine = "no"\n', "no", id="an engine that nobody has"),
        pytest.param('[audit]\ndigest_key_file = "main.jwks"\n', "digest key", id="a digest key that is none"),
        pytest.param('[audit]\npath = "authz.toml"\n', "cannot be opened", id="a log where a file is"),
    ],
)
async def test_what_cannot_work_is_said_before_anybody_is_answered(home: House, extra: str, said: str) -> None:
    home.configure(issuers=home.issuer(), extra=extra)
    assert said in await refused(home)
    assert not home.socket.exists()


async def test_a_rehearsal_reads_what_serve_reads(home: House) -> None:
    report = await app.rehearse(configfile.load(home.config, {}))
    assert (report.problems, report.summary.split(",")[0]) == ((), "1 rules")
    home.configure(issuers=home.issuer().replace("main.jwks", "no.jwks"))
    with pytest.raises(ConfigError, match=r"no\.jwks"):
        await app.rehearse(configfile.load(home.config, {}))


async def test_another_directory_can_be_examined(home: House, tmp_path: Path) -> None:
    report = await app.examine(configfile.load(home.config, {}), tmp_path)
    assert report.problems
