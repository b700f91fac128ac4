"""Editing the policy while requests run: the last good one answers, a good one is live, and nothing is mixed."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from examples.demo import processes
from tests.process import commands
from tests.process.grounds import Ground, lines, playground, token, until

pytestmark = [pytest.mark.process, pytest.mark.timeout(180)]


@pytest.fixture(scope="module")
def ground() -> Iterator[Ground]:
    with playground() as found, processes.sidecar(found), processes.ops_assistant(found):
        yield Ground(found)


@dataclass
class Traffic:
    """Somebody who calls one tool over and over; keeps every status."""

    ground: Ground
    user: str
    tool: str
    seen: list[int] = field(default_factory=list)

    @contextmanager
    def running(self) -> Iterator["Traffic"]:
        done = threading.Event()

        def work() -> None:
            bearer = token(self.ground.playground, self.user, jti=f"traffic-{self.user}")
            while not done.is_set():
                self.seen.append(self.ground.call(self.tool, bearer).status_code)

        thread = threading.Thread(target=work)
        thread.start()
        try:
            yield self
        finally:
            done.set()
            thread.join(20)
        assert not thread.is_alive()

    def more(self, count: int = 5) -> None:
        """Wait until so many more requests have been answered."""
        wanted = len(self.seen) + count
        until(lambda: len(self.seen) >= wanted)


def status(ground: Ground) -> Any:
    return json.loads(commands.run("policy", "status", "--json", "--config", str(ground.playground.config)))


def test_a_broken_edit_changes_no_answer_and_every_mistake_is_told(ground: Ground) -> None:
    policy = ground.playground.policies / "policy.csv"
    good = policy.read_text()
    count = good.count("\n")
    before = status(ground)["policy_revision"]
    with Traffic(ground, "vera", "list_tickets").running() as traffic:
        traffic.more()
        policy.write_text(
            f"{good}p, role:viewer, ops-assistant, tools/call, x, Deny\ng, user:noor, rle:support\nq, 1\n"
        )
        stale = until(lambda: found if (found := status(ground))["stale"] else None)
        traffic.more()
        policy.write_text(good)
        until(lambda: not status(ground)["stale"])
        traffic.more()
    assert set(traffic.seen) == {200}
    assert stale["policy_revision"] == before
    places = [(one["file"], one["line"]) for one in stale["problems"]]
    assert places == [("policy.csv", count + 1), ("policy.csv", count + 2), ("policy.csv", count + 3)]
    assert all(one["column"] > 0 for one in stale["problems"])
    log = (ground.playground.directory / "sidecar.log").read_text()
    for one in stale["problems"]:
        assert f'"policy.csv:{one["line"]}:{one["column"]}"' in log
    with_metrics = _metrics(ground)
    assert "authz_policy_stale 0.0" in with_metrics
    assert 'authz_policy_reloads_total{outcome="refused"}' in with_metrics


def test_no_request_sees_a_mixture_of_two_policies(ground: Ground) -> None:
    policy = ground.playground.policies / "policy.csv"
    good = policy.read_text()
    first = status(ground)["policy_revision"]
    with Traffic(ground, "noor", "list_tickets").running() as traffic:
        traffic.more()
        policy.write_text(f"{good}g, user:noor, role:viewer\n")
        second = until(lambda: found if (found := status(ground)["policy_revision"]) != first else None)
        traffic.more()
        policy.write_text(good)
        until(lambda: status(ground)["policy_revision"] == first)
        traffic.more()
    assert set(traffic.seen) == {200, 403}
    events = until(lambda: _of(ground, "traffic-noor", len(traffic.seen)))
    assert {(one["revision"], one["allowed"]) for one in events} == {(first, False), (second, True)}
    requests = [
        one for one in lines(ground.playground.requests) if one.get("who", {}).get("token_id") == "traffic-noor"
    ]
    assert {(one["revision"], one["status"]) for one in requests} == {(first, 403), (second, 200)}


def _of(ground: Ground, token_id: str, count: int) -> list[dict[str, Any]]:
    found = [one for one in lines(ground.playground.decisions) if one.get("who", {}).get("token_id") == token_id]
    return found if len(found) >= count else []


def _metrics(ground: Ground) -> str:
    with httpx.Client(trust_env=False, timeout=10) as http:
        return http.get(f"http://127.0.0.1:{ground.playground.http_port}/metrics").text
