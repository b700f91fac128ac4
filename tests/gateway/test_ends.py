"""How things end: ports that are taken, servers that are retired in mid-request, faults of our own."""

import asyncio
import socket

import pytest

from mcp_adapter.gateway.config import Gateway, Limits
from mcp_adapter.gateway.configfile import ConfigError
from mcp_adapter.gateway.hosts import hosts
from mcp_adapter.gateway.limits import Limited
from mcp_adapter.gateway.listen import Listener
from mcp_adapter.gateway.proxy import Proxy
from mcp_adapter.gateway.rates import Counted
from tests.gateway.standing import asking, call, config, gateway


async def test_a_port_that_is_taken_keeps_it_from_starting(tmp_path, sidecar, upstream):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        bind = f"127.0.0.1:{taken.getsockname()[1]}"
        path = config(tmp_path, sidecar, upstream, f'[listen]\nbind = "{bind}"\n')
        with pytest.raises(ConfigError, match=f"cannot listen on {bind}"):
            async with gateway(path):
                pass


async def test_it_listens_on_the_loopback_of_ipv6_too(server):
    listener = Listener(server, "[::1]:0")
    assert (await listener.start()).startswith("http://[::1]:")
    await listener.stop()


async def test_a_listener_that_never_started_stops(server):
    await Listener(server, "localhost:0").stop()


async def test_a_request_in_flight_ends_when_the_grace_of_a_retired_server_is_over(tmp_path, sidecar, server, upstream):
    asked = server.hold()
    async with gateway(config(tmp_path, sidecar, upstream)) as front, asking(front) as http:
        request = asyncio.create_task(http.post("/mcp", content=call()))
        async with asyncio.timeout(10):
            await asked.wait()
            await front.app.plan.servers["/mcp"].retire(0.01)
            await server.gone.wait()
            assert (await request).status_code == 502


async def test_a_request_in_flight_is_finished_before_its_server_is_retired(tmp_path, sidecar, server, upstream):
    asked, go = asyncio.Event(), asyncio.Event()

    async def answering(send):
        asked.set()
        await go.wait()
        await send({"type": "http.response.start", "status": 200, "headers": server.headers})
        await send({"type": "http.response.body", "body": server.body})

    server.answering = answering
    async with gateway(config(tmp_path, sidecar, upstream)) as front, asking(front) as http:
        request = asyncio.create_task(http.post("/mcp", content=call()))
        async with asyncio.timeout(10):
            await asked.wait()
            retiring = asyncio.create_task(front.app.plan.servers["/mcp"].retire(10))
            go.set()
            await retiring
            assert (await request).content == server.body


class Broken:
    """A server's connections with a fault of our own in them."""

    async def send(self, method, headers, body):
        raise LookupError("a fault")


class Nobody:
    """Says nothing of who is calling."""

    def headers(self, scope, body):
        return []


async def test_a_fault_of_our_own_is_heard_by_the_guard():
    said = [{"type": "http.request", "body": b"a", "more_body": True}, {"type": "http.request", "body": b"b"}]

    async def receive():
        if said:
            return said.pop(0)
        return await asyncio.Event().wait()

    with pytest.raises(LookupError, match="a fault"):
        await Proxy(Broken(), Nobody())({"type": "http", "method": "POST", "headers": []}, receive, None)


async def test_a_client_that_is_gone_at_once_costs_nothing():
    held = asyncio.Event()

    class Slow:
        async def send(self, method, headers, body):
            held.set()
            await asyncio.Event().wait()

    async def receive():
        return {"type": "http.disconnect"}

    async with asyncio.timeout(10):
        await Proxy(Slow(), Nobody())({"type": "http", "method": "POST", "headers": []}, receive, None)


def test_beyond_the_loopback_only_names_that_were_given_are_served():
    listen = {"bind": "10.0.0.1:443", "tls_cert_file": "a", "tls_key_file": "b"}
    server = {"name": "a", "path": "/a", "url": "https://a.example"}
    found = Gateway.model_validate(
        {"public_url": "https://mcp.example:8443", "listen": listen, "servers": [server], "allowed_hosts": ["x"]}
    )
    assert hosts(found) == {"mcp.example:8443", "x"}


async def test_limits_let_the_lifespan_pass():
    seen = []

    async def app(scope, receive, send):
        seen.append(scope["type"])

    counted = Counted()
    limited = Limited(app=app, server="ops", limits=Limits(), rates=counted)
    await limited({"type": "lifespan"}, None, None)
    await counted.close()
    assert seen == ["lifespan"]


async def test_an_edit_that_fails_half_way_keeps_the_servers_that_were_there(tmp_path, sidecar, upstream):
    path = config(tmp_path, sidecar, upstream)
    async with gateway(path) as front, asking(front) as http:
        before = front.app.plan
        more = f'[[servers]]\nname = "b"\npath = "/b"\nurl = "{upstream}"\n'
        more += f'[[servers]]\nname = "c"\npath = "/c"\nurl = "{upstream}"\ncredential_file = "gone"\n'
        path.write_text(path.read_text() + more)
        assert not await front.refresh()
        assert front.app.plan is before
        assert (await http.post("/mcp", content=call())).status_code == 200
        assert (await http.post("/b", content=call())).status_code == 404


async def test_what_touches_every_server_makes_all_of_them_anew(tmp_path, sidecar, upstream):
    path = config(tmp_path, sidecar, upstream)
    async with gateway(path) as front, asking(front) as http:
        before = front.app.plan.servers["/mcp"]
        path.write_text(path.read_text().replace("http://gateway.example", "http://other.example"))
        assert await front.refresh()
        assert front.app.plan.servers["/mcp"] is not before
        assert (await http.post("/mcp", content=call())).status_code == 403
        answer = await http.post("/mcp", content=call(), headers={"host": "other.example"})
        assert answer.status_code == 200
