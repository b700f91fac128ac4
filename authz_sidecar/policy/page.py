"""Writes the matrix as one HTML page without anything from outside, for people who answer for the policy."""

import base64
import hashlib
import re
from collections.abc import Iterator, Sequence
from html import escape
from importlib import resources
from itertools import groupby
from typing import Final

from authz_sidecar.policy.matrix import Matrix
from authz_sidecar.policy.people import Name
from authz_sidecar.policy.questions import Grant
from authz_sidecar.policy.universe import Target

_MOST_COLUMNS: Final = 12
"""With more names than this, each call gets the list of those who may instead of a column for each name."""
_FIRST: Final = ("tools/call", "resources/read", "prompts/get")
_JOINTS: Final = re.compile(r"([_/:.-])(?=\w)")
_CELLS: Final = {"user:": "users", "role:": "roles", "group:": "groups", "client:": "clients", "agent:": "agents"}


def page(matrix: Matrix, *, title: str, revision: str) -> str:
    """Give the page. It runs no script and loads nothing; its one style is named by its hash."""
    style = resources.files("authz_sidecar.policy").joinpath("page.css").read_text("utf-8")
    return "".join(_page(matrix, title, revision, style))


def _page(matrix: Matrix, title: str, revision: str, style: str) -> Iterator[str]:
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    rules = f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    yield '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
    yield f'<meta http-equiv="Content-Security-Policy" content="{rules}">\n'
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
    yield '<meta name="referrer" content="no-referrer">\n'
    yield f"<title>Who may do what: {escape(title)}</title>\n<style>{style}</style>\n</head>\n<body>\n<header>\n"
    yield f"<h1>Who may do what</h1>\n<p>Policy <strong>{escape(title)}</strong></p>\n"
    yield f'<p class="dim revision">{escape(revision)}</p>\n{_facts(matrix)}{_legend()}</header>\n<main>\n'
    shown = sorted(filter(matrix.telling, matrix.targets), key=lambda one: (one.server, _rank(one.method)))
    for server, targets in groupby(shown, key=lambda one: one.server):
        yield from _server(matrix, server, tuple(targets))
    yield '</main>\n<footer class="dim"><p>A token can carry names that stand nowhere in the policy; what those may do '
    yield "stands where a pattern does (<span class=any>any other …</span>). A user has the rights of every role that "
    yield "the user holds; deny wins over all of them.</p></footer>\n</body>\n</html>\n"


def _facts(matrix: Matrix) -> str:
    kinds = [(_CELLS[kind], sum(one.kind == kind for one in matrix.names)) for kind in _CELLS]
    facts = [*((word, count) for word, count in kinds if count), ("calls", sum(map(matrix.telling, matrix.targets)))]
    items = "".join(f"<li><b>{count:,}</b> {word}</li>" for word, count in facts)
    return f'<ul class="facts">{items}</ul>\n'


def _legend() -> str:
    return (
        '<ul class="legend" aria-label="Legend">'
        '<li><span class="mark yes">yes</span> allowed</li>'
        '<li><span class="mark some">scope</span> allowed with these scopes in the token, or under a condition</li>'
        '<li><span class="mark no">no</span> a deny row stands in the way</li>'
        '<li><span class="dim">empty</span> no row speaks, so denied</li></ul>\n'
    )


def _server(matrix: Matrix, server: str, targets: Sequence[Target]) -> Iterator[str]:
    spoken = {grant.name.name for target in targets for grant in matrix.of(target)}
    names = [name for name in matrix.names if name.name in spoken]
    yield f"<section>\n<h2>{escape(server)}</h2>\n"
    for method, called in groupby(targets, key=lambda one: one.method):
        yield from _method(matrix, names, server, method, tuple(called))
    yield "</section>\n"


def _method(
    matrix: Matrix, names: Sequence[Name], server: str, method: str, targets: Sequence[Target]
) -> Iterator[str]:
    label = f"{server}, {method}"
    yield f"<h3><code>{escape(method)}</code></h3>\n"
    yield f'<div class="scroll" tabindex="0" role="region" aria-label="{escape(label)}">\n'
    yield from _grid(matrix, names, targets) if len(names) <= _MOST_COLUMNS else _list(matrix, targets)
    yield "</div>\n"


def _grid(matrix: Matrix, names: Sequence[Name], targets: Sequence[Target]) -> Iterator[str]:
    heads = "".join(f'<th scope="col"><code>{_name(name)}</code></th>' for name in names)
    yield f'<table class="grid">\n<thead><tr><th scope="col">on</th>{heads}</tr></thead>\n<tbody>\n'
    for target in targets:
        cells = "".join(f"<td>{_cell(matrix.at(name, target))}</td>" for name in names)
        yield f'<tr><th scope="row"><code>{_target(target)}</code></th>{cells}</tr>\n'
    yield "</tbody>\n</table>\n"


def _cell(grant: Grant | None) -> str:
    if grant is None:
        return '<span class="unseen">denied, no row speaks</span>'
    rows = ", ".join(f"{rule.source}:{rule.line}" for rule in grant.decision.rules)
    where = f'<span class="row">{escape(rows)}</span>'
    if not grant.permitted:
        return f'<span class="mark no">no</span>{where}'
    if terms := _terms(grant):
        word = "scope" if grant.scopes else "if"
        return f'<span class="mark some">{word}</span><span class="scopes">{terms}</span>{where}'
    return f'<span class="mark yes">yes</span>{where}'


def _list(matrix: Matrix, targets: Sequence[Target]) -> Iterator[str]:
    yield '<table class="list">\n<thead><tr><th scope="col">on</th><th scope="col">who</th></tr></thead>\n<tbody>\n'
    for target in targets:
        items = "".join(f"<li>{_item(grant)}</li>" for grant in matrix.of(target))
        who = f'<ul class="who">{items}</ul>' if items else '<span class="dim">nobody</span>'
        yield f'<tr><th scope="row"><code>{_target(target)}</code></th><td>{who}</td></tr>\n'
    yield "</tbody>\n</table>\n"


def _item(grant: Grant) -> str:
    name = _name(grant.name)
    if not grant.permitted:
        return f'<span class="mark no">no: {name}</span>'
    if terms := _terms(grant):
        return f'<span class="mark some">{name}: {terms}</span>'
    return f'<span class="mark yes">{name}</span>'


def _terms(grant: Grant) -> str:
    """Say what a right hangs on."""
    terms = [*grant.scopes, *(f"when {text}" for text in grant.when), *(f"unless {text}" for text in grant.unless)]
    return escape(", ".join(terms))


def _name(name: Name) -> str:
    return f'<span class="any">any other {_broken(name.label)}</span>' if name.more else _broken(name.label)


def _target(target: Target) -> str:
    if target.more:
        return f'<span class="any">any other {_broken(target.label)}</span>'
    return _broken(target.label) if target.label else '<span class="dim">the method itself</span>'


def _broken(text: str) -> str:
    """Let a name break behind what joins its parts."""
    return _JOINTS.sub(r"\1<wbr>", escape(text))


def _rank(method: str) -> tuple[int, str]:
    return (_FIRST.index(method) if method in _FIRST else len(_FIRST)), method
