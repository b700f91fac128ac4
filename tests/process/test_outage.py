"""The sidecar dies in mid-traffic: 503, nothing is let through, and service returns by itself."""

import pytest

from examples.demo import processes
from examples.ops_assistant.store import Store
from tests.process.grounds import Ground, lines, playground, token, until

pytestmark = [pytest.mark.process, pytest.mark.timeout(120)]


@pytest.mark.parametrize("mode", ["enforce", "observe"])
def test_without_a_sidecar_nothing_is_let_through_and_service_returns(mode: str) -> None:
    with playground(mode=mode) as found, processes.ops_assistant(found) as server:
        ground = Ground(found)
        bearer = token(found, "alice", "tickets:write")

        def create(title: str) -> int:
            return ground.call("create_ticket", bearer, title=title, body="x").status_code

        with processes.sidecar(found) as sidecar:
            assert create("before") == 200
            sidecar.kill()
            sidecar.wait(10)
            for number in range(5):
                assert create(f"down {number}") == 503
            anonymous = ground.call("create_ticket", title="nobody", body="x")
            assert anonymous.status_code == 503
            assert anonymous.headers["retry-after"] == "1"
            assert anonymous.json()["error"]["code"] == 50300
        assert create("still down") == 503
        with processes.sidecar(found):
            until(lambda: create("after") == 200)
        assert server.poll() is None
        titles = [ticket.title for ticket in Store(found.directory / "ops.db").tickets()]
        assert [title for title in titles if "down" in title or title == "nobody"] == []
        assert titles.count("before") == 1
        unanswered = [one for one in lines(found.requests) if one["status"] == 503]
        assert {one["outcome"] for one in unanswered} == {"unanswered"}
        assert len(unanswered) >= 7


def test_observe_mode_lets_everything_through_and_marks_it() -> None:
    with playground(mode="observe") as found, processes.sidecar(found), processes.ops_assistant(found):
        ground = Ground(found)
        assert ground.call("delete_ticket", token(found, "vera"), ticket_id=1).status_code == 200
        assert ground.call("list_tickets").status_code == 200  # nobody at all
        assert ground.call("list_tickets", "no.good.token").status_code == 200
        assert ground.call("list_tickets", token(found, "vera")).status_code == 200
        assert Store(found.directory / "ops.db").ticket(1) is None
        events = until(lambda: seen if len(seen := lines(found.decisions)) >= 5 else None)
        assert {one["mode"] for one in events if one["type"] == "decision"} == {"observe"}
        requests = until(lambda: seen if len(seen := _calls(ground)) >= 4 else None)
        assert [(one["tool"], one["outcome"], one["reason"]) for one in requests] == [
            ("delete_ticket", "observed", "no_matching_rule"),
            ("list_tickets", "observed", "token_missing"),
            ("list_tickets", "observed", "token_malformed"),
            ("list_tickets", "allowed", "allowed_by_rule"),
        ]


def _calls(ground: Ground) -> list[dict[str, object]]:
    return [one for one in lines(ground.playground.requests) if one["type"] == "audit" and one["outcome"] != "public"]
