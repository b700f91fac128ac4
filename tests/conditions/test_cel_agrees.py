"""The library agrees with a small evaluator on random expressions."""

from hypothesis import given, settings
from hypothesis import strategies as st

from authz_sidecar.errors import ConditionError, ConditionFlaws
from authz_sidecar.ports import Known
from tests.conditions.evaluator import LEAVES, OPERATORS, VALUES, Tree, Wrong, evaluate, spelled
from tests.conditions.language import CEL, facts
from tests.effort import examples

TREES: st.SearchStrategy[Tree] = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.tuples(st.sampled_from([*OPERATORS, "&&", "||", "&&", "||"]), inner, inner),
        st.tuples(st.just("not"), inner),
        st.tuples(st.just("in"), inner, st.lists(inner, min_size=1, max_size=3).map(tuple)),
    ),
    max_leaves=12,
)


@given(TREES)
@settings(max_examples=examples(400))
def test_the_library_agrees_with_a_small_evaluator(tree: Tree) -> None:
    try:
        expected: object = evaluate(tree)
    except Wrong:
        expected = "an error"
    try:
        condition = CEL.read(spelled(tree), Known()).condition
    except ConditionFlaws:
        return  # never a condition, or too deep; the two are not asked the same
    try:
        found: object = condition.holds(facts(VALUES))
    except ConditionError:
        found = "an error"
    assert found == (expected if isinstance(expected, bool) else "an error")
