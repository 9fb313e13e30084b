"""Which names of the notebook a piece of code takes."""

from __future__ import annotations

import ast
import dis
from collections.abc import Iterable, Sequence
from types import CodeType

_READING = ("LOAD_NAME", "LOAD_GLOBAL", "LOAD_FROM_DICT_OR_GLOBALS")


def names_taken(statements: Iterable[ast.stmt]) -> set[str]:
    """Return the names that statements, run one after the other at the top level, may read before they have bound them.

    What is bound in a loop or on one way through an `if`, `try` or `match` may not have been, and counts as taken where it is
    read later.
    """
    taken, _ = _followed(statements, frozenset())
    return taken


def names_bound(statements: Sequence[ast.stmt]) -> tuple[set[str], set[str]]:
    """Return the names that statements at the top level bind for sure, and those that they bind on some way."""
    _, sure = _followed(statements, frozenset())
    return set(sure), _bound(compile(ast.Module([*statements], type_ignores=[]), "<statements>", "exec"))


def names_in(expressions: Iterable[str]) -> set[str]:
    """Return the names that expressions read; none of those that are no Python, which whoever evaluates them will say."""
    taken: set[str] = set()
    for expression in expressions:
        try:
            taken |= _read(compile(expression, "<expression>", "eval"))
        except SyntaxError:
            continue
    return taken


def _followed(statements: Iterable[ast.stmt], bound: frozenset[str]) -> tuple[set[str], frozenset[str]]:
    """Return the names that are taken, and those that are bound afterwards for sure."""
    taken: set[str] = set()
    for statement in statements:
        match statement:
            case ast.With() | ast.AsyncWith():
                targets = [item.optional_vars for item in statement.items if item.optional_vars]
                taken |= _read_by(*(item.context_expr for item in statement.items)) - bound
                inner, bound = _followed(statement.body, bound | _names(*targets))
                taken |= inner
            case ast.For() | ast.AsyncFor():
                taken |= (_read_by(statement.iter) | _names(statement.target, kind=ast.Load)) - bound
                taken |= _followed(statement.body, bound | _names(statement.target))[0]
                taken |= _followed(statement.orelse, bound)[0]
            case ast.If():
                taken |= _read_by(statement.test) - bound
                ways = [_followed(way, bound) for way in (statement.body, statement.orelse)]
                taken = taken.union(*(inner for inner, _ in ways))
                bound = ways[0][1] & ways[1][1]
            case _:
                code = compile(ast.Module([statement], type_ignores=[]), "<statement>", "exec")
                taken |= _read(code) - bound
                if not isinstance(statement, ast.While | ast.Try | ast.TryStar | ast.Match):
                    bound |= _bound(code)
    return taken, bound


def _read_by(*expressions: ast.expr) -> set[str]:
    return set().union(*(_read(compile(ast.Expression(each), "<expression>", "eval")) for each in expressions))


def _names(*targets: ast.expr, kind: type[ast.expr_context] = ast.Store) -> set[str]:
    """Return the names that the targets of an assignment bind, or those that they read."""
    found = (node for target in targets for node in ast.walk(target) if isinstance(node, ast.Name))
    return {name.id for name in found if isinstance(name.ctx, kind)}


def _read(code: CodeType) -> set[str]:
    """Return the names that code reads outside its own functions, whatever is bound in it; Python's own are left out."""
    own = {each.argval for each in dis.get_instructions(code) if each.opname in _READING and not each.argval.startswith("__")}
    return own.union(*(_read(inner) for inner in code.co_consts if isinstance(inner, CodeType)))


def _bound(code: CodeType) -> set[str]:
    return {each.argval for each in dis.get_instructions(code) if each.opname == "STORE_NAME"}
