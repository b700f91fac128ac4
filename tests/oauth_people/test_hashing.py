"""Hashing gives way to everything else that the server does."""

import os
import sys
import threading

import pytest

from authz_sidecar.oauth.people.passwords import Cost, Passwords


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ranks single threads")
async def test_a_flood_of_logins_does_not_outrank_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    passwords = Passwords(Cost(rounds=1, memory_kib=64, lanes=1))
    known = passwords.hash("correct horse battery")
    ranks: list[int] = []
    check = passwords._check

    def noted(*given: str | None) -> object:
        ranks.append(os.getpriority(os.PRIO_PROCESS, threading.get_native_id()))
        return check(*given)  # type: ignore[arg-type] # passed on as it came

    monkeypatch.setattr(passwords, "_check", noted)
    assert await passwords.check(known, "correct horse battery")
    assert not await passwords.check(known, "wrong horse battery")
    own = os.getpriority(os.PRIO_PROCESS, threading.get_native_id())
    assert ranks == [max(own, 10)] * 2
