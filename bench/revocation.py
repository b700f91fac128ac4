"""Asking whether a token is revoked, at up to 100,000 revocations, against a bare dict look-up in the same rounds; and
how long a restart reads them. `python -m bench.revocation [--quick]`"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from authz_sidecar.model import Principal
from authz_sidecar.revocation import Kept, Kind, Revocation
from authz_sidecar.tokens.revocation_disk import Disk
from authz_sidecar.tokens.revocation_marks import Marks

ISSUER = "https://idp.example"
KINDS = (Kind.TOKEN, Kind.SUBJECT, Kind.CLIENT, Kind.FAMILY)


def made(count: int) -> list[Kept]:
    """Make revocations of every kind in turn."""
    return [
        Kept(
            id=f"{number:032x}",
            epoch=number + 1,
            revocation=Revocation(issuer=ISSUER, kind=KINDS[number % 4], value=f"name-{number}"),
            at=1.8e9,
            keep_until=1.9e9,
        )
        for number in range(count)
    ]


def caller(number: int) -> Principal:
    """Make somebody whom no revocation means, so that every question is asked."""
    return Principal(
        issuer=ISSUER,
        subject=f"other-{number}",
        user=f"user:other-{number}",
        client_id=f"client-{number % 10}",
        token_id=f"token-{number}",
        family=f"family-{number}",
        issued_at=1.8e9,
        expires_at=1.9e9,
    )


def nanoseconds(ask: Callable[[Principal], object], callers: list[Principal]) -> float:
    """Give the CPU time of one question; what others do on the machine does not count."""
    started = time.thread_time_ns()
    for one in callers:
        ask(one)
    return (time.thread_time_ns() - started) / len(callers)


def measure(count: int, rounds: int, questions: int) -> None:
    entries, callers = made(count), [caller(number) for number in range(questions)]
    marks = Marks()
    for one in entries:
        marks.add(one)
    plain = {(ISSUER, one.revocation.value): one for one in entries}
    assert not any(map(marks.find, callers))
    assert all(marks.find(_held(one)) for one in entries[:1_000])
    ours, bare = [], []
    for _ in range(rounds):
        ours.append(nanoseconds(marks.find, callers))
        bare.append(nanoseconds(lambda one: plain.get((one.issuer, one.token_id)), callers))
    us, control = statistics.median(ours), statistics.median(bare)
    print(
        f"{count:>9,} in force: {us / 1000:5.2f} µs a question, {us / control:4.1f} x a dict look-up ({control:.0f} ns)"
    )


def _held(kept: Kept) -> Principal:
    what = kept.revocation
    field = {Kind.TOKEN: "token_id", Kind.SUBJECT: "subject", Kind.CLIENT: "client_id", Kind.FAMILY: "family"}
    given = {"subject": "x", field[what.kind]: what.value}
    return Principal(issuer=ISSUER, user="user:x", expires_at=1.9e9, **given)


def restart(count: int) -> None:
    with tempfile.TemporaryDirectory() as directory:
        disk = Disk(Path(directory) / "revocations.db")
        disk.save(made(count))
        started = time.perf_counter()
        found = disk.load()
        read = time.perf_counter() - started
        disk.close()
    assert len(found.kept) == count
    print(f"{count:>9,} read from disk at a start: {read * 1000:.0f} ms")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    quick = parser.parse_args().quick
    for count in (0, 1_000, 100_000):
        measure(count, rounds=5 if quick else 15, questions=5_000 if quick else 20_000)
    restart(10_000 if quick else 100_000)


if __name__ == "__main__":
    main()
