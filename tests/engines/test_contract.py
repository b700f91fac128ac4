"""Every engine keeps the contract, and the contract catches engines that are wrong."""

import pytest

from authz_sidecar.engines.casbin import CasbinEngine, PycasbinEngine
from authz_sidecar.engines.index import IndexEngine
from authz_sidecar.engines.plain import PlainEngine
from authz_sidecar.ports import PolicyEngine
from authz_sidecar.testing.cases import CASES
from authz_sidecar.testing.engines import check_engine
from tests.engines.wrong import ALL, ForgetfulEngine, Judge, WrongEngine

ENGINES = [
    pytest.param(PlainEngine(), id="plain"),
    pytest.param(CasbinEngine(), id="casbin"),
    pytest.param(PycasbinEngine(), id="pycasbin"),
    pytest.param(IndexEngine(), id="index"),
]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_engine_keeps_the_contract(engine: PolicyEngine, seed: int) -> None:
    check_engine(engine, seed=seed)


@pytest.mark.parametrize("wrong", ALL, ids=lambda wrong: wrong.__name__)
def test_contract_catches_an_engine_that(wrong: Judge) -> None:
    with pytest.raises(AssertionError, match=r"expected lines .* the engine says .* the policy is"):
        check_engine(WrongEngine(wrong))


@pytest.mark.parametrize("wrong", ALL, ids=lambda wrong: wrong.__name__)
def test_table_alone_catches_an_engine_that(wrong: Judge) -> None:
    with pytest.raises(AssertionError):
        check_engine(WrongEngine(wrong), policies=0)


def test_contract_catches_an_engine_that_mixes_questions() -> None:
    with pytest.raises(AssertionError, match="asked again among others"):
        check_engine(ForgetfulEngine())


def test_contract_catches_an_engine_without_a_name() -> None:
    with pytest.raises(AssertionError, match="has a name"):
        check_engine(WrongEngine(ALL[0], name=""))


def test_contract_names_the_same_failure_for_the_same_seed() -> None:
    messages = []
    for _ in range(2):
        with pytest.raises(AssertionError) as caught:
            check_engine(WrongEngine(ALL[1]), seed=7)
        messages.append(str(caught.value))
    assert messages[0] == messages[1]


def test_cases_have_names_of_their_own() -> None:
    names = [case.id for case in CASES]
    assert len(set(names)) == len(names)
