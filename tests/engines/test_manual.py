"""What docs/engines.md says is so."""

import re
from importlib.metadata import entry_points
from pathlib import Path

from authz_sidecar.engines import registry
from authz_sidecar.engines.compose import MODES
from authz_sidecar.policy.findings import Findings
from authz_sidecar.policy.foreign import FUNCTIONS
from authz_sidecar.policy.model import read_model
from authz_sidecar.policy.shape import How

MANUAL = (Path(__file__).parents[2] / "docs" / "engines.md").read_text("utf-8")


def test_the_model_of_the_manual_is_compiled() -> None:
    found = re.search(r"```ini\n(.*?)```", MANUAL, re.DOTALL)
    assert found is not None
    findings = Findings()
    shape = read_model("model.conf", found[1].encode(), findings)
    assert (findings.problems, findings.warnings) == ((), ())
    assert shape is not None
    assert [column.how for column in shape.columns] == [How.HOLDS, How.SAME, How.GROUP, How.KEY_MATCH, How.EFFECT]


def test_every_built_in_engine_and_mode_is_explained() -> None:
    built_in = [entry for entry in entry_points(group=registry.GROUP) if entry.value.startswith("authz_sidecar.")]
    assert all(f"| `{entry.name}`" in MANUAL for entry in built_in)
    assert all(f"| `{mode}:` |" in MANUAL for mode in MODES)


def test_every_function_that_casbin_may_be_asked_with_is_named() -> None:
    assert all(f"`{name.rstrip('2345')}" in MANUAL for name in FUNCTIONS)
