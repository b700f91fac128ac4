"""The sample server's store."""

import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest

from examples.ops_assistant.store import Author, Item, Store

ALICE = Author(subject="alice", issuer="https://idp.example")


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "deep" / "ops.db", now=lambda: datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC))


@pytest.mark.parametrize(
    ("query", "skus"),
    [
        pytest.param("lap", ["LAP-14", "LAP-16"], id="part of a number in another case"),
        pytest.param("USB-C", ["DOC-USB"], id="part of a name"),
        pytest.param(
            "", ["CAB-HDMI", "DOC-USB", "KEY-US", "LAP-14", "LAP-16", "MON-27"], id="nothing finds everything"
        ),
        pytest.param("%", [], id="a percent sign is no wildcard"),
        pytest.param("' OR 1=1 --", [], id="a quote is a quote"),
    ],
)
def test_items_are_found_by_part_of_number_or_name(store: Store, query: str, skus: list[str]) -> None:
    assert [item.sku for item in store.find_items(query)] == skus


def test_an_item_is_found_by_its_exact_number_only(store: Store) -> None:
    assert store.item("LAP-16") == Item(sku="LAP-16", name="Laptop, 16 inch", location="Shelf A2", quantity=3)
    assert store.item("lap-16") is None


def test_a_ticket_keeps_its_author_and_time(store: Store) -> None:
    ticket = store.add_ticket("No light", "Desk 4", "high", ALICE)
    assert store.ticket(ticket.id) == ticket
    assert (ticket.author, ticket.issuer, ticket.status) == ("alice", "https://idp.example", "open")
    assert ticket.created == "2026-03-04T05:06:07Z"


def test_tickets_are_listed_by_status_oldest_first(store: Store) -> None:
    new = store.add_ticket("No light", "Desk 4", "low", ALICE)
    assert [ticket.id for ticket in store.tickets()] == [1, 2, new.id]
    assert [ticket.id for ticket in store.tickets("open")] == [1, new.id]
    assert [ticket.id for ticket in store.tickets("closed")] == [2]


def test_a_deleted_tickets_number_is_never_used_again(store: Store) -> None:
    first = store.add_ticket("One", "body", "low", ALICE)
    assert store.remove_ticket(first.id)
    assert not store.remove_ticket(first.id)
    assert store.ticket(first.id) is None
    assert store.add_ticket("Two", "body", "low", ALICE).id > first.id


def test_the_summary_counts_what_there_is(store: Store) -> None:
    summary = store.summary()
    assert (summary.kinds, summary.pieces, summary.sold_out, summary.open_tickets) == (6, 188, 1, 1)


def test_a_second_start_keeps_the_data(store: Store, tmp_path: Path) -> None:
    store.remove_ticket(1)
    again = Store(tmp_path / "deep" / "ops.db")
    assert [ticket.id for ticket in again.tickets()] == [2]
    assert len(again.find_items("")) == 6


def test_many_threads_write_without_losing_a_ticket(store: Store) -> None:
    def write() -> None:
        for _ in range(5):
            store.add_ticket("Busy", "body", "low", ALICE)

    threads = [threading.Thread(target=write) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert len(store.tickets()) == 2 + 40
