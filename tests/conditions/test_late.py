"""The evaluator is loaded when the first condition is read, and its absence is said."""

import sys

import pytest

from authz_sidecar.conditions import late
from authz_sidecar.errors import ConditionFlaws
from authz_sidecar.facts import Facts
from authz_sidecar.ports import Known


def test_a_condition_is_read_by_the_library() -> None:
    condition = late.Late().read("args == {}", Known()).condition
    assert condition.holds(Facts())


def test_without_the_library_a_condition_is_refused_with_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "authz_sidecar.conditions.cel", None)
    late._cel.cache_clear()
    with pytest.raises(ConditionFlaws) as caught:
        late.Late().read("true", Known())
    assert "authz-sidecar[conditions]" in str(caught.value)
    late._cel.cache_clear()
