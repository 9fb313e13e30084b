"""The body of a cell magic as the engine runs it: once, in the notebook's namespace, at the user's own lines."""

from __future__ import annotations

import ast
import copy
import linecache
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from jupyter_mltrain.domain.errors import OptionError, UnknownNameError, did_you_mean
from jupyter_mltrain.domain.origin import Origin
from jupyter_mltrain.domain.spec import CellOutcome
from jupyter_mltrain.magics.names import names_in, names_taken


class NotebookCell:
    """One cell of a notebook, magic line and body.

    Attributes:
        source: its text, magic line included.
        origin: what it hangs on in its notebook, as far as somebody has looked.
    """

    def __init__(self, shell: Any, magic: str, line: str, body: str) -> None:
        """Take the running shell and the text: `%%train`, the rest of the line, the lines below.

        Raises:
            SyntaxError: the body is not Python; nothing has happened yet.
        """
        self.source = f"{magic} {line}".rstrip() + "\n" + body
        self.origin: Origin | None = None
        self._namespace: dict[str, Any] = shell.user_ns
        # One empty line stands for the magic's, so that a traceback counts the lines as the user sees them.
        code = "\n" + shell.transform_cell(body)
        self._name = shell.compile.cache(code, shell.execution_count, raw_code=self.source)
        tree = shell.transform_ast(shell.compile.ast_parse(code, filename=self._name))
        assigned = _Assigned()
        assigned.visit(tree)
        self._names = assigned.names
        self._taken = names_taken(tree.body)
        self._speaks_of_hp = any(isinstance(node, ast.Name | ast.arg) and _name(node) == "hp" for node in ast.walk(tree))
        last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
        self._statements = compile(tree, self._name, "exec")
        self._last = compile(ast.Expression(last.value), self._name, "eval") if last else None
        self._is_silenced = body.rstrip().endswith(";")

    @property
    def lacks_hp(self) -> bool:
        """Whether the body speaks of `hp` and the notebook has nothing of that name."""
        return self._speaks_of_hp and "hp" not in self._namespace

    def run(self, hp: Any = None) -> CellOutcome:
        """Run the body as an ordinary cell would be; the value of a last line that is an expression is kept."""
        namespace = self._namespace
        with _bound(namespace, "hp", hp):
            exec(self._statements, namespace)  # noqa: S102 - running the user's code is what a cell is for
            value = eval(self._last, namespace) if self._last else None  # noqa: S307
        return CellOutcome(
            value=None if self._is_silenced else value,
            assigned={name: namespace[name] for name in self._names if name in namespace},
        )

    def copied(self) -> NotebookCell:
        """Return the same body over a copy of the namespace; the objects in it are the same."""
        copied = copy.copy(self)
        copied._namespace = dict(self._namespace)  # noqa: SLF001 - it is one of our own
        return copied

    def takes(self, expressions: Iterable[str]) -> set[str]:
        """Return the names that the body and some expressions read."""
        return self._taken | names_in(expressions)

    @property
    def needs(self) -> dict[str, Any]:
        """The names that the body takes from the notebook, as far as they are there, with their values."""
        return {name: self._namespace[name] for name in sorted(self._taken) if name in self._namespace}

    def portable(self, expressions: Iterable[str]) -> NotebookCell:
        """Return the same body, which cloudpickle sends with what it and the expressions use; see `domain.spec.Cell`."""
        portable = copy.copy(self)
        portable._taken = self.takes(expressions)  # noqa: SLF001 - it is one of our own
        return portable

    def __getstate__(self) -> dict[str, Any]:
        """Let the namespace go as the globals of a function: cloudpickle then sends it with what the functions in it use."""
        names = "".join(f"{name}," for name in self.needs)
        namespace = eval(f"lambda: ({names})", self._namespace)  # noqa: S307
        return {**vars(self), "_namespace": namespace, "_lines": linecache.getlines(self._name)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Take the namespace back, and the lines for tracebacks."""
        lines = state.pop("_lines")
        linecache.cache[state["_name"]] = (sum(map(len, lines)), None, lines, state["_name"])
        vars(self).update(state, _namespace=state["_namespace"].__globals__)

    def evaluate(self, expression: str, option: str) -> Any:
        """Return the value of an expression over the namespace; see `domain.spec.Cell`."""
        namespace = self._namespace
        try:
            return eval(compile(expression, option, "eval"), namespace)  # noqa: S307
        except NameError as error:
            known = [name for name in namespace if not name.startswith("_")]
            missing = error.name or expression
            raise UnknownNameError(
                f"expected {option} to name a variable, received {missing!r}{did_you_mean(missing, known)}"
            ) from error
        except Exception as error:  # an expression of the user may raise anything
            raise OptionError(
                f"expected {option} to be a Python expression over the notebook's variables, received {expression!r}: "
                f"{type(error).__name__}: {error}"
            ) from error


@contextmanager
def _bound(namespace: dict[str, Any], name: str, value: Any) -> Iterator[None]:
    """Let a name stand for a value for a while; None leaves it as it is."""
    if value is None:
        yield
        return
    before = {name: namespace[name]} if name in namespace else {}
    namespace[name] = value
    try:
        yield
    finally:
        if namespace.get(name) is value:
            del namespace[name]
            namespace.update(before)


def _name(node: ast.Name | ast.arg) -> str:
    return node.id if isinstance(node, ast.Name) else node.arg


class _Assigned(ast.NodeVisitor):
    """Collects the names that a module's own statements bind."""

    def __init__(self) -> None:
        self.names: set[str] = set()

    def visit_Name(self, node: ast.Name) -> None:
        if isinstance(node.ctx, ast.Store):
            self.names.add(node.id)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        """Take the function's name, and leave out those within it."""
        self.names.add(node.name)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> None:
        """Take the function's name, and leave out those within it."""
        self.names.add(node.name)

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        """Take the class's name, and leave out those within it."""
        self.names.add(node.name)

    def visit_Lambda(self, node: ast.Lambda) -> None:
        """Leave a function's own names out."""
