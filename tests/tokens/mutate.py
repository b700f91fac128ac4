"""Deletes each check of the token room, one at a time, and shows that a row of the hostile tables notices.

`python -m tests.tokens.mutate [WORD …]` prints a line for each deletion (of those whose line has a WORD) and exits
with 1 when one survives. Each runs in a process of its own, on a changed copy in memory; no file is touched.
"""

import ast
import asyncio
import signal
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from importlib.abc import MetaPathFinder, SourceLoader
from importlib.machinery import ModuleSpec
from importlib.util import find_spec, spec_from_loader
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Final

import click

ROOM: Final = "authz_sidecar.tokens."
MODULES: Final = (
    *("steps", "header", "claims", "base64url", "keyset", "jwk", "issuer", "principal", "verifier"),
    "authz_sidecar.strictjson",
)
TABLES: Final = ("test_hostile_tokens", "test_hostile_keys", "test_hostile_settings")
_SECONDS: Final = 60

CACHE: Final = "entry.begins <= now < entry.ends and entry.epoch == entry.keys.epoch"
DIGEST: Final = 'f"{server.name}\\0{server.audience}\\0{text}"'
CHANGES: Final = (
    ("cache", CACHE, "now < entry.ends and entry.epoch == entry.keys.epoch"),
    ("cache", CACHE, "entry.begins <= now and entry.epoch == entry.keys.epoch"),
    ("cache", CACHE, "entry.begins <= now < entry.ends"),
    ("cache", DIGEST, DIGEST.replace("{text}", "{text.rpartition('.')[0]}")),
    ("cache", DIGEST, DIGEST.replace("{text}", "{text.rpartition('.')[2]}")),
    ("cache", DIGEST, DIGEST.replace("{text}", "{text.split('.')[1]}")),
    ("cache", DIGEST, "text"),
    ("cache", DIGEST, DIGEST.replace("{server.name}", "")),
)
"""Checks that are no refusal: what they are, and what a careless hand would make of them."""

KEPT: Final = {
    "verifier:if … not await case.issuer.keys.seek()": "the second look makes every check again and refuses as well",
    "verifier:if error.reason is not Reason.TOKEN_KEY_UNKNOWN or not await case.issuer.keys.seek()": "the same",
    "authz_sidecar.strictjson:if data.startswith(b'\\xef\\xbb\\xbf')": "the decoder refuses it too, in other words",
    "authz_sidecar.strictjson:except UnicodeDecodeError": "a ValueError as well, which is refused",
    "authz_sidecar.strictjson:except json.JSONDecodeError": "a ValueError as well, which is refused",
    "authz_sidecar.strictjson:except RecursionError": "the depth is bounded before",
}
"""What no row can notice, each with the reason. One that is noticed after all no longer belongs here."""


@dataclass(frozen=True, kw_only=True)
class Mutant:
    """One deletion."""

    module: str
    line: int
    words: str
    source: str


def mutants(module: str) -> Iterator[Mutant]:
    """Give every deletion of a module: refusals, their single conditions, translations of errors, listed steps."""
    path = Path(str(find_spec(_full(module)).origin))  # type: ignore[union-attr] # they are our own modules
    text = path.read_text()
    for words, line, tree in _changes(text):
        yield Mutant(module=module, line=line, words=words, source=ast.unparse(tree))


def careless() -> Iterator[Mutant]:
    """Give the changes that are written out; raises `ValueError` when the code no longer reads so."""
    for module, old, new in CHANGES:
        text = Path(str(find_spec(_full(module)).origin)).read_text()  # type: ignore[union-attr] # our own modules
        before, found, _ = text.partition(old)
        if not found:
            raise ValueError(f"{module} no longer reads `{old}`; change the list")
        yield Mutant(module=module, line=before.count("\n") + 1, words=new, source=text.replace(old, new))


def _full(module: str) -> str:
    return module if "." in module else ROOM + module


def _changes(text: str) -> Iterator[tuple[str, int, ast.Module]]:
    for at in range(sum(1 for _ in ast.walk(ast.parse(text)))):
        tree = ast.parse(text)
        node = list(ast.walk(tree))[at]
        match node:
            case ast.If() if _refuses(node.body):
                whole = ast.unparse(node.test)
                # Without a part of an `and` more is refused, so only a part of an `or` is a check.
                if isinstance(node.test, ast.BoolOp) and isinstance(node.test.op, ast.Or):
                    yield from _parts(text, at, node.test)
                node.test = ast.Constant(value=False)
                yield f"if {whole}", node.lineno, tree
            case ast.ExceptHandler() if _refuses(node.body):
                node.body = [ast.Raise()]
                yield f"except {ast.unparse(node.type) if node.type else ''}", node.lineno, tree
            case ast.Assign() | ast.AnnAssign() if _listed(node):
                yield from _entries(text, at, node)
            case _:
                pass


def _refuses(body: list[ast.stmt]) -> bool:
    last = body[-1]
    if isinstance(last, ast.Return):
        return isinstance(last.value, ast.Constant) and last.value.value is False
    return isinstance(last, ast.Raise)


def _parts(text: str, at: int, test: ast.BoolOp) -> Iterator[tuple[str, int, ast.Module]]:
    for index, part in enumerate(test.values):
        tree = ast.parse(text)
        node = list(ast.walk(tree))[at]
        assert isinstance(node, ast.If)
        assert isinstance(node.test, ast.BoolOp)
        del node.test.values[index]
        yield f"if … {ast.unparse(part)}", part.lineno, tree


_LISTS: Final = frozenset({"_REFUSED", "_MARKS", "STEPS"})


def _listed(node: ast.Assign | ast.AnnAssign) -> bool:
    target = node.targets[0] if isinstance(node, ast.Assign) else node.target
    return isinstance(target, ast.Name) and target.id in _LISTS


def _entries(text: str, at: int, node: ast.Assign | ast.AnnAssign) -> Iterator[tuple[str, int, ast.Module]]:
    count = len(_list(node))
    for index in range(count):
        tree = ast.parse(text)
        changed = list(ast.walk(tree))[at]
        assert isinstance(changed, ast.Assign | ast.AnnAssign)
        entries = _list(changed)
        gone = entries[index]
        if isinstance(changed.value, ast.Dict):
            del changed.value.keys[index]
        del _values(changed)[index]
        yield f"entry {ast.unparse(gone)[:60]}", gone.lineno, tree


def _list(node: ast.Assign | ast.AnnAssign) -> list[ast.expr]:
    return [one for one in node.value.keys if one] if isinstance(node.value, ast.Dict) else _values(node)


def _values(node: ast.Assign | ast.AnnAssign) -> list[ast.expr]:
    assert isinstance(node.value, ast.Dict | ast.Tuple)
    return node.value.values if isinstance(node.value, ast.Dict) else node.value.elts


class _Source(SourceLoader):
    def __init__(self, name: str, source: str) -> None:
        self._name, self._source = name, source

    def get_filename(self, fullname: str) -> str:
        return f"<{fullname}, changed>"

    def get_data(self, path: str | bytes) -> bytes:
        return self._source.encode()


class _Finder(MetaPathFinder):
    def __init__(self, mutant: Mutant) -> None:
        self._name, self._source = _full(mutant.module), mutant.source

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


def main(words: list[str]) -> int:
    """Run every deletion, print the table, and give the exit code."""
    found = [*careless(), *(one for module in MODULES for one in mutants(module))]
    chosen = [one for one in found if not words or any(word in f"{one.module}:{one.words}" for word in words)]
    if asyncio.run(_first_failure()):  # also makes the keys, which every copy of this process has then
        click.echo("a row fails already; mend that first")
        return 1
    survivors = 0
    with get_context("fork").Pool(maxtasksperchild=1) as pool:
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
