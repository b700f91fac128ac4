"""Loads the evaluator when the first condition is read: a policy without conditions pays nothing for it."""

import importlib
from functools import cache

from authz_sidecar.errors import ConditionFlaws, Flaw
from authz_sidecar.ports import ConditionLanguage, Known, Read

_MISSING = "conditions (`when`) need the extra `conditions`: pip install 'authz-sidecar[conditions]'"


class Late:
    """Is a `ConditionLanguage`, and becomes CEL on first use."""

    def read(self, text: str, known: Known) -> Read:
        """Compile a condition, or raise `ConditionFlaws`, also where the library is not installed."""
        try:
            language = _cel()
        except ImportError:
            # A condition that is ignored would make its allow row wider than its author meant.
            raise ConditionFlaws([Flaw(0, "condition-not-available", _MISSING)]) from None
        return language.read(text, known)


@cache
def _cel() -> ConditionLanguage:
    language: ConditionLanguage = importlib.import_module("authz_sidecar.conditions.cel").Cel()
    return language
