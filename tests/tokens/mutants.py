"""Makes mutants of the token room: each is one module with one check deleted, or weakened as a careless hand would."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Final

ROOM: Final = "authz_sidecar.tokens."

CACHE: Final = "now < entry and entry.epoch == entry.keys.epoch and (now >= self._latest or now >= entry.begins)"
DIGEST: Final = 'f"{server.name}\\0{server.audience}\\0{text}"'
CHANGES: Final = (
    ("cache", CACHE, "now < entry and entry.epoch == entry.keys.epoch"),
    ("cache", CACHE, CACHE.removeprefix("now < entry and ")),
    ("cache", CACHE, CACHE.replace("entry.epoch == entry.keys.epoch and ", "")),
    ("cache", "self._latest = max(self._latest, verified.begins)", "pass"),
    ("cache", DIGEST, DIGEST.replace("{text}", "{text.rpartition('.')[0]}")),
    ("cache", DIGEST, DIGEST.replace("{text}", "{text.rpartition('.')[2]}")),
    ("cache", DIGEST, DIGEST.replace("{text}", "{text.split('.')[1]}")),
    ("cache", DIGEST, "text"),
    ("cache", DIGEST, DIGEST.replace("{server.name}", "")),
    ("ring", "max(self._clock() - wall, self._monotonic() - steady, 0.0)", "max(self._clock() - wall, 0.0)"),
    ("ring", "max(self._clock() - wall, self._monotonic() - steady, 0.0)", "max(self._monotonic() - steady, 0.0)"),
    (
        "ring",
        "return 0.0 if age is None else max(self._max_age - age, 0.0)",
        "return 0.0 if age is None else self._max_age",
    ),
    ("ring", "        if removed:\n            self.epoch += 1\n", ""),
    (
        "ring",
        "        self._set = KeySet()\n        self.version += 1\n        self.epoch += 1\n",
        "        self._set = KeySet()\n        self.version += 1\n",
    ),
    ("ring", "        self._set = KeySet()\n        self.version += 1\n", "        self.version += 1\n"),
    ("remote", "self._cool_until = now + COOL_DOWN", "self._cool_until = now"),
    (
        "remote",
        "        if self._fetching is None:\n            self._fetching = ",
        "        if True:\n            self._fetching = ",
    ),
    ("remote", "timeout=self._patience", "timeout=None"),
    ("remote", "min(lifetime, self._max_age / 2)", "lifetime"),
    ("remote", "                if self._ring.expire():\n", "                if False:\n"),
    ("signatures", "salt_length=digest.digest_size", "salt_length=PSS.AUTO"),
    (
        "signatures",
        "whole, scheme, verify = 2 * half, ECDSA(digest), key.verify",
        "whole, scheme, verify = 2 * half, ECDSA(SHA256()), key.verify",
    ),
    ("introspection", "min(case.expires_at, answer.asked + ACTIVE_SECONDS)", "answer.asked + ACTIVE_SECONDS"),
    ("introspection", "min(case.expires_at, answer.asked + ACTIVE_SECONDS)", "case.expires_at"),
    ("introspection", "now=max(now, answer.asked)", "now=answer.asked"),
    ("introspection", "if found is not None and now >= found.until:", "if False:"),
    ("introspection", "while len(self._entries) > self._size:", "while False:"),
    ("introspection", "min(max(ends - now, 0.0), ACTIVE_SECONDS)", "ACTIVE_SECONDS"),
    ("introspection", "min(max(ends - now, 0.0), ACTIVE_SECONDS)", "max(ends - now, 0.0)"),
    ("introspection", "return found if active else None", "return found"),
    ("introspection", "hashlib.sha256(text.encode()).digest()", "hashlib.sha256(text[:8].encode()).digest()"),
    (
        "introspection",
        "self._active, self._inactive = _Answers(size), _Answers(size)",
        "self._active = self._inactive = _Answers(size)",
    ),
    ("introspected", 'and trusted and "aud" not in claims', "and trusted"),
    ("introspected", 'and trusted and "aud" not in claims', 'and "aud" not in claims'),
    ("introspected", "    steps.marks(case)\n", ""),
)
"""Checks that are no refusal: what they are, and what a careless hand would make of them."""


@dataclass(frozen=True, kw_only=True)
class Mutant:
    """One deletion."""

    module: str
    line: int
    words: str
    source: str


def mutants(module: str) -> Iterator[Mutant]:
    """Give every deletion of a module: refusals, their single conditions, translations of errors, listed steps."""
    for words, line, tree in _changes(unchanged(module).source):
        yield Mutant(module=module, line=line, words=words, source=ast.unparse(tree))


def careless() -> Iterator[Mutant]:
    """Give the changes that are written out; raises `ValueError` when the code no longer reads so."""
    for module, old, new in CHANGES:
        text = unchanged(module).source
        before, found, _ = text.partition(old)
        if not found:
            raise ValueError(f"{module} no longer reads `{old}`; change the list")
        words = " ".join(new.split()) if len(new) >= len(old) or "\n" not in old else f"without {' '.join(old.split())}"
        yield Mutant(module=module, line=before.count("\n") + 1, words=words, source=text.replace(old, new))


def unchanged(module: str) -> Mutant:
    """Give a module as it stands."""
    path = Path(str(find_spec(full(module)).origin))  # type: ignore[union-attr] # they are our own modules
    return Mutant(module=module, line=0, words="as it stands", source=path.read_text())


def full(module: str) -> str:
    """Give the whole name of a module of the room."""
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
            case ast.match_case(guard=ast.expr() as guard):
                if isinstance(guard, ast.BoolOp):
                    yield from _parts_of_guard(text, at, guard)
                node.guard = None
                yield f"case … if {ast.unparse(guard)}", guard.lineno, tree
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


def _parts_of_guard(text: str, at: int, guard: ast.BoolOp) -> Iterator[tuple[str, int, ast.Module]]:
    for index, part in enumerate(guard.values):
        tree = ast.parse(text)
        node = list(ast.walk(tree))[at]
        assert isinstance(node, ast.match_case)
        assert isinstance(node.guard, ast.BoolOp)
        del node.guard.values[index]
        yield f"case … if {ast.unparse(part)}", part.lineno, tree


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
