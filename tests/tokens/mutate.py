"""Deletes each check of the token room, one at a time, and shows that a row of the hostile tables or a test notices.

`python -m tests.tokens.mutate [WORD …]` prints a line for each deletion (of those whose line has a WORD) and exits
with 1 when one survives. Each runs in a process of its own, on a changed copy in memory; no file is touched.
"""

import asyncio
import contextlib
import io
import signal
import sys
from importlib import import_module
from importlib.abc import MetaPathFinder, SourceLoader
from importlib.machinery import ModuleSpec
from importlib.util import spec_from_loader
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Final

import click
import pytest

from tests.tokens.mutants import ROOM, Mutant, careless, full, mutants, unchanged

MODULES: Final = (
    *("steps", "header", "claims", "base64url", "keyset", "jwk", "issuer", "principal", "verifier"),
    "authz_sidecar.strictjson",
)
"""Modules whose checks the hostile tables must notice."""
TABLES: Final = ("test_hostile_tokens", "test_hostile_keys", "test_hostile_settings")
TESTED: Final = {
    "signatures": ("test_signatures",),
    "ring": ("test_ring", "test_remote"),
    "remote": ("test_remote",),
    "introspection": ("test_introspection", "test_introspection_memory"),
    "introspected": ("test_introspection", "test_introspection_memory"),
}
"""Modules that no token alone can put to the test, and the tests that must notice."""
_SECONDS: Final = 60

KEPT: Final = {
    "verifier:if … not await case.issuer.keys.seek()": "the second look makes every check again and refuses as well",
    "verifier:if error.reason is not Reason.TOKEN_KEY_UNKNOWN or not await case.issuer.keys.seek()": "the same",
    "introspection:if … not isinstance(found, dict)": "what is no object has no `active` either",
    "authz_sidecar.strictjson:if data.startswith(b'\\xef\\xbb\\xbf')": "the decoder refuses it too, in other words",
    "authz_sidecar.strictjson:except UnicodeDecodeError": "a ValueError as well, which is refused",
    "authz_sidecar.strictjson:except json.JSONDecodeError": "a ValueError as well, which is refused",
    "authz_sidecar.strictjson:except RecursionError": "the depth is bounded before",
}
"""What no row can notice, each with the reason. One that is noticed after all no longer belongs here."""


class _Source(SourceLoader):
    def __init__(self, name: str, source: str) -> None:
        self._name, self._source = name, source

    def get_filename(self, fullname: str) -> str:
        return f"<{fullname}, changed>"

    def get_data(self, path: str | bytes) -> bytes:
        return self._source.encode()


class _Finder(MetaPathFinder):
    def __init__(self, mutant: Mutant) -> None:
        self._name, self._source = full(mutant.module), mutant.source

    def find_spec(self, fullname: str, path: Any, target: Any = None) -> ModuleSpec | None:
        if fullname != self._name:
            return None
        return spec_from_loader(fullname, _Source(fullname, self._source))


def noticed(mutant: Mutant) -> str:
    """Run the tables with the deletion, and name the first row that fails; empty when all rows still hold."""
    signal.signal(signal.SIGALRM, _too_long)
    signal.alarm(_SECONDS)
    made = import_module("tests.tokens.makers").key
    for name in [name for name in sys.modules if name.startswith((ROOM, "authz_sidecar.strictjson", "tests.tokens."))]:
        package, _, last = name.rpartition(".")
        del sys.modules[name]
        vars(sys.modules[package]).pop(last, None)  # `from package import name` looks here first
    sys.meta_path.insert(0, _Finder(mutant))
    try:
        import_module("tests.tokens.makers").key = made  # keys are slow to make
        if mutant.module in TESTED:
            return _first_test(TESTED[mutant.module])
        return asyncio.run(_first_failure())
    except BaseException as error:  # noqa: BLE001 - the room does not even start
        return f"(no row: {type(error).__name__})"


def _too_long(*_: object) -> None:
    raise TimeoutError


async def _first_failure() -> str:
    refuse = import_module("tests.tokens.attacks").refuse
    plain, *others = (import_module(f"tests.tokens.{name}") for name in TABLES)
    for row in plain.ROWS:
        try:
            await plain.test_a_hostile_token_is_refused_for_its_own_reason(*row.values)
        except BaseException as error:  # noqa: BLE001 - whatever it is, the row noticed
            return f"{row.id} ({type(error).__name__})"
    for table in others:
        for attack in table.ATTACKS:
            try:
                await refuse(attack)
            except BaseException as error:  # noqa: BLE001 - whatever it is, the row noticed
                return f"{attack.words} ({type(error).__name__})"
    return ""


class _First:
    """Remembers the test that fails first."""

    name = ""

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed and not self.name:
            self.name = report.nodeid.rpartition("::")[2]


def _first_test(names: tuple[str, ...]) -> str:
    first = _First()
    files = [str(Path(__file__).with_name(f"{name}.py")) for name in names]
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        code = pytest.main(
            ["-x", "-q", "-p", "no:cacheprovider", "-W", "ignore::pytest.PytestAssertRewriteWarning", *files],
            plugins=[first],
        )
    return first.name or ("" if code == pytest.ExitCode.OK else f"(no test: exit {int(code)})")


def main(words: list[str]) -> int:
    """Run every deletion, print the table, and give the exit code."""
    found = [*careless(), *(one for module in (*MODULES, *TESTED) for one in mutants(module))]
    chosen = [one for one in found if not words or any(word in f"{one.module}:{one.words}" for word in words)]
    if asyncio.run(_first_failure()):  # also makes the keys, which every copy of this process has then
        click.echo("a row fails already; mend that first")
        return 1
    survivors = 0
    with get_context("fork").Pool(maxtasksperchild=1) as pool:
        # What fails without a change would notice everything.
        for module, row in zip(TESTED, pool.imap(noticed, map(unchanged, TESTED)), strict=True):
            if row:
                click.echo(f"{module}: {row} fails already; mend that first")
                return 1
        for mutant, row in zip(chosen, pool.imap(noticed, chosen), strict=True):
            kept = KEPT.get(f"{mutant.module}:{mutant.words}", "")
            survivors += bool(kept) is bool(row)
            outcome = "KEPT NO MORE" if kept and row else "kept" if kept else "noticed" if row else "SURVIVED"
            click.echo(f"{outcome:8}  {mutant.module}:{mutant.line}  {mutant.words[:70]:70}  {row or kept}")
    for gone in set() if words else KEPT.keys() - {f"{one.module}:{one.words}" for one in chosen}:
        click.echo(f"KEPT names `{gone}`, which is not in the code any more")
        survivors += 1
    click.echo(f"\n{len(chosen)} deletions, {survivors} survived")
    return 1 if survivors or not chosen else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
