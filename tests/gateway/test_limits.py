"""How much one caller may ask of one server."""

import asyncio

import pytest

from mcp_adapter.gateway.config import Limits
from mcp_adapter.gateway.limits import Limited, NotCounted
from mcp_adapter.gateway.rates import Counted
from mcp_adapter.passed import PASSED_KEY, Passed
from mcp_adapter.principal import SCOPE_KEY, Principal
from tests.gateway.standing import asking, call, config, events, gateway
from tests.redis.servers import needed, redis_server

PING = b'{"jsonrpc":"2.0","id":1,"method":"ping"}'


async def test_too_many_requests_are_told_when_to_come_back(tmp_path, sidecar, server, upstream):
    path = config(tmp_path, sidecar, upstream, server='[servers.limits]\nper_principal = ["2/hour"]')
    async with gateway(path) as front, asking(front) as alice, asking(front, "bob") as bob:
        answers = [await alice.post("/mcp", content=call(number=number)) for number in range(3)]
        assert (await bob.post("/mcp", content=call("whoami"))).status_code == 200
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    error = answers[2].json()
    assert (error["id"], error["error"]["code"]) == (2, 42900)
    assert error["error"]["message"] == "too many requests: more than 2/hour"
    assert 0 < int(answers[2].headers["retry-after"]) <= 3600
    assert len(server.bodies) == 3
    limited = next(event for event in events(tmp_path) if event["status"] == 429)
    assert (limited["outcome"], limited["who"]["subject"]) == ("refused", "alice")
    assert limited["decision_id"]


async def test_each_tool_is_counted_for_itself_and_may_have_a_rate_of_its_own(tmp_path, sidecar, upstream):
    limits = '[servers.limits]\nper_tool = ["2/hour"]\ntools = { echo = ["1/hour"], fail = [] }'
    path = config(tmp_path, sidecar, upstream, server=limits)
    async with gateway(path) as front, asking(front) as http:

        async def statuses(tool):
            return [(await http.post("/mcp", content=call(tool))).status_code for _ in range(3)]

        assert await statuses("echo") == [200, 429, 429]
        assert await statuses("whoami") == [200, 200, 429]
        assert await statuses("fail") == [200, 200, 200]
        assert (await http.post("/mcp", content=PING)).status_code == 200


async def test_keys_that_are_written_alike_are_counted_apart():
    counted = Counted()
    assert [await counted.hit("1/day", key) for key in (("a/b", "c"), ("a", "b/c"), ("a", "b", "c"))] == [0, 0, 0]
    await counted.close()


class Held:
    """An app that is busy until it is told otherwise."""

    def __init__(self) -> None:
        self.go = asyncio.Event()
        self.served = 0
        self.busy = asyncio.Semaphore(0)

    async def __call__(self, scope, receive, send) -> None:
        self.busy.release()
        await self.go.wait()
        self.served += 1


class Never:
    """A counter that cannot count."""

    async def hit(self, rate, key) -> int:
        raise NotCounted("no answer")

    async def close(self) -> None: ...


def scope(method: str = "tools/call", who: str = "alice", tool: str = "echo"):
    return {
        "type": "http",
        SCOPE_KEY: Principal(issuer="i", subject=who) if who else None,
        PASSED_KEY: Passed(id=1, method=method, tool=tool),
    }


async def status(limited, asked) -> int:
    """Ask, and give the status of a refusal, or 0."""
    found = [0]

    async def send(event):
        found.append(event.get("status", found[-1]))

    await limited(asked, None, send)
    return found[-1]


@pytest.mark.parametrize(
    ("limits", "first", "second", "expected"),
    [
        pytest.param({"concurrent": 1}, {}, {"who": "bob"}, 429, id="all of them together"),
        pytest.param({"concurrent_per_principal": 1}, {}, {}, 429, id="one caller"),
        pytest.param({"concurrent_per_principal": 1}, {}, {"who": "bob"}, 0, id="another caller"),
        pytest.param({"concurrent_per_principal": 1}, {"who": ""}, {"who": ""}, 429, id="all whom nobody verified"),
        pytest.param(
            {"streams_per_principal": 1}, {"method": "session/stream"}, {"method": "session/stream"}, 429, id="streams"
        ),
        pytest.param(
            {"streams_per_principal": 1},
            {"method": "session/stream"},
            {"method": "subscriptions/listen"},
            429,
            id="streams of both eras",
        ),
        pytest.param(
            {"concurrent": 1, "concurrent_per_principal": 1},
            {"method": "session/stream"},
            {},
            0,
            id="a call beside a stream",
        ),
    ],
)
async def test_requests_at_once_are_bounded(limits, first, second, expected):
    held = Held()
    limited = Limited(app=held, server="ops", limits=Limits(**limits), rates=Never())
    running = asyncio.create_task(limited(scope(**first), None, None))
    async with asyncio.timeout(10):
        await held.busy.acquire()
        asking_too = asyncio.create_task(status(limited, scope(**second)))
        if expected:
            assert await asking_too == expected
        else:
            await held.busy.acquire()
        held.go.set()
        await running
        assert await asking_too == expected
        assert await status(limited, scope(**second)) == 0
    assert not limited._running  # nothing is left behind


@pytest.mark.parametrize(("deny", "expected", "served"), [(True, 503, 0), (False, 0, 1)])
async def test_what_cannot_be_counted_is_refused_unless_the_operator_says_otherwise(deny, expected, served):
    held = Held()
    held.go.set()
    limited = Limited(
        app=held, server="ops", limits=Limits(per_principal=("1/day",)), rates=Never(), deny_uncounted=deny
    )
    assert await status(limited, scope()) == expected
    assert held.served == served


@pytest.mark.parametrize("url", ["redis//x", "mysql://127.0.0.1/", "redis://127.0.0.1:port/"])
async def test_a_counter_that_cannot_be_meant_is_refused(url):
    with pytest.raises(ValueError, match="URL of Redis"):
        Counted(url)


@needed
@pytest.mark.redis
async def test_two_gateways_share_a_redis_and_refuse_when_it_is_gone(tmp_path, sidecar, server, upstream):
    with redis_server(tmp_path) as redis:
        (tmp_path / "redis.url").write_text(redis.url + "\n")
        fronts = []
        for name in ("a", "b"):
            (tmp_path / name).mkdir()
            more = '[counting]\nredis_url_file = "../redis.url"\n'
            limits = '[servers.limits]\nper_principal = ["3/hour"]'
            fronts.append(config(tmp_path / name, sidecar, upstream, more, server=limits))
        async with gateway(fronts[0]) as a, gateway(fronts[1]) as b, asking(a) as one, asking(b) as two:
            shared = [(await http.post("/mcp", content=call())).status_code for http in (one, two, one, two)]
            assert shared == [200, 200, 200, 429]
            redis.kill()
            uncounted = await one.post("/mcp", content=call())
            assert (uncounted.status_code, uncounted.json()["error"]["code"]) == (503, 50320)
    assert events(tmp_path / "a")[-1]["outcome"] == "unanswered"
