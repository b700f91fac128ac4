"""The sidecar inside the server: it starts and stops with it, and follows edits; what is wrong keeps everybody out."""

import asyncio
import logging

import pytest
import uvicorn

from mcp_adapter import AuthzMiddleware
from mcp_adapter.embedded import EmbeddedPdp
from mcp_adapter.pdp import Fault, Item, Unanswered
from tests.adapter.bench import Lines, Upstream, lifespan, post, tool
from tests.app.running import House, house, until

ECHO = Item(method="tools/call", tool="echo")
DROP = Item(method="tools/call", tool="drop")


@pytest.fixture
def ground():
    with house() as found:
        yield found


async def asked(pdp: EmbeddedPdp, ground: House, item: Item = ECHO, **claims) -> str:
    answer = await pdp.check(ground.token(**claims), item, server="ops", request_id="r")
    return answer.decisions[0].reason


async def test_the_lifespan_of_the_app_starts_and_stops_it(ground: House):
    lines = Lines()
    app = AuthzMiddleware(_with_lifespan(Upstream()), config=ground.config, audit=lines)
    assert not ground.socket.exists()
    async with lifespan(app):
        assert ground.socket.exists()  # the commands find it, as they find a sidecar
        assert (await post(app, tool("echo"), token=ground.token())).status_code == 200
        assert (await post(app, tool("drop"), token=ground.token())).status_code == 403
        assert (await post(app, tool("echo"), token=ground.token() + "x")).status_code == 401
    assert not ground.socket.exists()
    decisions = [event for event in ground.decisions if event["type"] == "decision"]
    assert [event["reason"] for event in decisions] == [
        "allowed_by_rule",
        "no_matching_rule",
        "token_malformed",
    ]
    assert [event["decision_id"] for event in lines.events] == [event["decision_id"] for event in decisions]
    assert [event["action"] for event in ground.decisions if event["type"] == "admin"][-1] == "stop"


async def test_the_first_request_starts_it_where_no_lifespan_is_run(ground: House):
    pdp = EmbeddedPdp(ground.config)
    app = AuthzMiddleware(Upstream(), client=pdp, audit=Lines())
    answers = await asyncio.gather(*(post(app, tool("echo"), token=ground.token()) for _ in range(5)))
    assert [answer.status_code for answer in answers] == [200] * 5
    await pdp.close()
    starts = [event for event in ground.decisions if event.get("action") == "start"]
    assert len(starts) == 1


async def test_an_edit_is_live_without_a_restart_and_a_mistake_keeps_the_last_good_policy(ground: House):
    async with EmbeddedPdp(ground.config) as pdp:
        assert await asked(pdp, ground, DROP) == "no_matching_rule"
        good = ground.policy.read_text()
        ground.policy.write_text(good + "p, role:user, ops, tools/call, drop, allow\n")
        await until(lambda: _is(pdp, ground, DROP, "allowed_by_rule"))
        ground.policy.write_text(good + "p, role:user, ops, tools/call, drop, alow\n")
        await until(lambda: any(event.get("outcome") == "refused" for event in ground.decisions))
        assert await asked(pdp, ground, DROP) == "allowed_by_rule"


async def test_opened_again_it_starts_anew(ground: House):
    pdp = EmbeddedPdp(ground.config)
    for _ in range(2):
        async with pdp:
            assert await asked(pdp, ground) == "allowed_by_rule"
    await pdp.close()  # a second time does nothing


async def test_a_mistake_in_the_configuration_keeps_the_server_from_starting(ground: House):
    ground.config.write_text(ground.config.read_text() + "[polcy]\n")
    app = AuthzMiddleware(_with_lifespan(Upstream()), config=ground.config, audit=Lines())
    with pytest.raises(Exception, match=r"authz\.toml:\d+: unknown key `polcy`; did you mean `policy`\?"):
        async with lifespan(app):
            pytest.fail("it started")


async def test_a_web_server_does_not_serve_what_could_not_start_and_says_why(ground: House, caplog):
    ground.config.write_text(ground.config.read_text() + "[polcy]\n")
    app = AuthzMiddleware(_with_lifespan(Upstream()), config=ground.config, audit=Lines())
    web = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_config=None))
    said = logging.getLogger("uvicorn.error")
    said.addHandler(caplog.handler)  # also where a test before this one has set uvicorn's log up
    try:
        with caplog.at_level(logging.ERROR, logger="uvicorn.error"), pytest.raises(SystemExit):
            async with asyncio.timeout(10):
                await web.serve()
    finally:
        said.removeHandler(caplog.handler)
    assert not web.started
    assert "unknown key `polcy`; did you mean `policy`?" in caplog.text


async def test_a_start_that_failed_for_want_of_a_file_is_tried_again(ground: House):
    good = ground.config.read_bytes()
    ground.config.unlink()
    ground.config.mkdir()
    pdp = EmbeddedPdp(ground.config)
    with pytest.raises(Unanswered):
        await asked(pdp, ground)
    ground.config.rmdir()
    ground.config.write_bytes(good)
    async with pdp:
        assert await asked(pdp, ground) == "allowed_by_rule"


async def test_without_a_lifespan_the_mistake_answers_nobody_until_it_is_mended(ground: House):
    good = ground.config.read_text()
    ground.config.write_text(good + "[polcy]\n")
    lines = Lines()
    pdp = EmbeddedPdp(ground.config)
    app = AuthzMiddleware(Upstream(), client=pdp, audit=lines)
    assert (await post(app, tool("echo"), token=ground.token())).status_code == 503
    assert "unknown key `polcy`" in lines.last["detail"]
    ground.config.write_text(good)
    assert (await post(app, tool("echo"), token=ground.token())).status_code == 200
    await pdp.close()


async def test_two_over_one_state_directory_never_run(ground: House):
    async with EmbeddedPdp(ground.config):
        with pytest.raises(Unanswered, match="another sidecar keeps its state there"):
            await asked(EmbeddedPdp(ground.config), ground)


def test_another_event_loop_is_told_what_to_do(ground: House):
    pdp = EmbeddedPdp(ground.config)
    opening = asyncio.new_event_loop()
    opening.run_until_complete(pdp.open())
    try:
        with pytest.raises(Unanswered, match="was started in another event loop: run the app's lifespan"):
            asyncio.run(asked(pdp, ground))
    finally:
        opening.run_until_complete(pdp.close())
        opening.close()


async def test_a_broken_policy_at_the_first_start_answers_nobody(ground: House):
    ground.policy.write_text("p, role:user, ops, tools/call, echo, alow\n")
    async with EmbeddedPdp(ground.config) as pdp:
        with pytest.raises(Unanswered) as found:
            await asked(pdp, ground)
    assert found.value.fault is Fault.UNAVAILABLE


@pytest.mark.parametrize(
    ("item", "problem"),
    [
        pytest.param(Item(method="tools/call", tool="x" * 2049), "tool` has 2049 bytes", id="a long name"),
        pytest.param(
            Item(method="tools/call", tool="echo", arguments=b'{"a":1,"a":2}'), "duplicate key", id="a key twice"
        ),
    ],
)
async def test_what_is_out_of_bounds_is_the_callers_to_mend(ground: House, item: Item, problem: str):
    async with EmbeddedPdp(ground.config) as pdp:
        with pytest.raises(Unanswered, match=problem) as found:
            await asked(pdp, ground, item)
        assert found.value.fault is Fault.INVALID
        with pytest.raises(Unanswered, match="1001 items in one batch"):
            await pdp.check_batch(ground.token(), [ECHO] * 1001, server="ops", request_id="r")
        with pytest.raises(Unanswered, match=problem):
            await pdp.check_batch(ground.token(), [ECHO, item], server="ops", request_id="r")


async def test_whoever_holds_a_stream_open_is_told_of_each_change(ground: House):
    async with EmbeddedPdp(ground.config) as pdp, asyncio.timeout(10):
        news = pdp.watch()
        first = await anext(news)
        ground.policy.write_text(ground.policy.read_text() + "g, user:bob, role:user\n")
        assert (await anext(news)).revision != first.revision
        await news.aclose()


async def test_without_a_policy_there_is_nothing_to_tell(ground: House):
    ground.policy.write_text("p, role:user, ops, tools/call, echo, alow\n")
    async with EmbeddedPdp(ground.config) as pdp:
        with pytest.raises(Unanswered) as found:
            await anext(pdp.watch())
    assert found.value.fault is Fault.UNAVAILABLE


class Stuck:
    """A sidecar that never comes to an end."""

    async def check(self, request) -> None:
        await asyncio.Event().wait()

    async def close(self) -> None:
        pass


async def test_a_question_that_takes_too_long_is_not_answered(ground: House):
    async def stuck() -> Stuck:
        return Stuck()

    pdp = EmbeddedPdp(ground.config, timeout=0.01)
    pdp._life = asyncio.get_running_loop(), asyncio.create_task(stuck())
    with pytest.raises(Unanswered) as found:
        await asked(pdp, ground)
    assert found.value.fault is Fault.TIMEOUT
    await pdp.close()


async def test_the_log_goes_to_standard_error_alone(ground: House, capfd):
    async with EmbeddedPdp(ground.config) as pdp:
        await asked(pdp, ground)
    told = capfd.readouterr()
    assert told.out == ""


def _with_lifespan(app: Upstream):
    async def served(scope, receive, send) -> None:
        if scope["type"] == "http":
            await app(scope, receive, send)
            return
        for word in ("startup", "shutdown"):
            assert (await receive())["type"] == f"lifespan.{word}"
            await send({"type": f"lifespan.{word}.complete"})

    return served


async def _is(pdp: EmbeddedPdp, ground: House, item: Item, reason: str) -> bool:
    return await asked(pdp, ground, item) == reason
