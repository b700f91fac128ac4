"""Who holds which roles."""

from hypothesis import given
from hypothesis import strategies as st

from authz_sidecar.engines import membership
from authz_sidecar.engines.membership import close
from authz_sidecar.rules import Membership


def _rows(*pairs: tuple[str, str]) -> list[Membership]:
    return [Membership(member=m, role=r, source="policy.csv", line=i, text="") for i, (m, r) in enumerate(pairs, 1)]


def test_a_name_that_no_row_knows_holds_itself() -> None:
    assert close([]).held(frozenset({"user:ann"})) == {"user:ann"}


def test_nobody_holds_nothing() -> None:
    assert close(_rows(("user:ann", "role:a"))).held(frozenset()) == frozenset()


def test_roles_of_all_names_add_up() -> None:
    closure = close(_rows(("user:ann", "role:a"), ("group:g", "role:b"), ("role:b", "role:c"), ("user:bob", "role:d")))
    assert closure.held(frozenset({"user:ann", "group:g"})) == {"user:ann", "group:g", "role:a", "role:b", "role:c"}


def test_a_chain_of_ten_thousand_roles_is_followed_to_its_end() -> None:
    closure = close(_rows(*((f"role:{n}", f"role:{n + 1}") for n in range(10_000))))
    assert len(closure.held(frozenset({"role:0"}))) == 10_001


def test_every_link_of_a_long_chain_can_be_asked_for() -> None:
    closure = close(_rows(*((f"role:{n}", f"role:{n + 1}") for n in range(1_000))))
    assert [len(closure.held(frozenset({f"role:{n}"}))) for n in range(1_001)] == list(range(1_001, 0, -1))


def test_a_hundred_thousand_members_of_one_role_each_hold_it() -> None:
    closure = close(_rows(("role:staff", "role:all"), *((f"user:{n}", "role:staff") for n in range(100_000))))
    for n in (0, 99_999):
        assert closure.held(frozenset({f"user:{n}"})) == {f"user:{n}", "role:staff", "role:all"}


def test_callers_are_not_remembered_and_roles_only_up_to_a_bound() -> None:
    closure = close(_rows(("user:ann", "role:0"), *((f"role:{n}", f"role:{n + 1}") for n in range(2_000))))
    for n in range(2_000):
        closure.held(frozenset({f"role:{n}", "user:ann"}))
    remembered = closure._remembered
    assert "user:ann" not in remembered
    assert sum(map(len, remembered.values())) <= membership._REMEMBERED
    assert len(closure.held(frozenset({"role:1999", "user:ann"}))) == 2_002


_name = st.sampled_from([f"role:{n}" for n in range(8)])


@given(st.lists(st.tuples(_name, _name), max_size=20), st.frozensets(_name, max_size=3))
def test_held_is_the_least_closed_set(pairs: list[tuple[str, str]], subjects: frozenset[str]) -> None:
    expected = set(subjects)
    for _ in range(9):
        expected |= {role for member, role in pairs if member in expected}
    closure = close(_rows(*pairs))
    assert closure.held(subjects) == expected
    assert closure.held(subjects) == expected, "what was remembered says the same"
