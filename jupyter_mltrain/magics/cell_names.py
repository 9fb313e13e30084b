"""What a cell has to do with the names of its notebook: what it takes, binds and changes."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from jupyter_mltrain.magics.names import names_bound, names_taken

RANDOM = frozenset({"numbers of keras", "numbers of numpy", "numbers of random", "numbers of tensorflow"})
"""Stand for the random generators that all code shares, as if they were names."""

_CHANGING = frozenset({
    "adapt", "add", "append", "clear", "discard", "extend", "fill", "fit", "fit_transform", "insert",
    "load_weights", "partial_fit", "pop", "popitem", "put", "remove", "reverse", "set_params", "set_weights", "setdefault",
    "shuffle", "sort", "train_on_batch", "update",
    "choice", "integers", "normal", "permutation", "permuted", "rand", "randint", "randn", "random", "sample",
    "standard_normal", "uniform",
})  # fmt: skip
_LOOKING = frozenset({
    "describe", "evaluate", "figure", "head", "hist", "imshow", "info", "legend", "plot", "plot_model", "predict", "print",
    "save", "save_weights", "savefig", "savetxt", "savez", "savez_compressed", "scatter", "show", "summary", "tail", "title",
    "to_csv", "to_parquet", "to_pickle",
})  # fmt: skip
_LOOKING_FUNCTIONS = frozenset({"assert", "dir", "display", "help", "len", "print", "repr", "type", "vars"})
_SEEDED = frozenset({"Generator", "PCG64", "RandomState", "SeedSequence", "SeedGenerator", "default_rng"})
_SHARING = {"keras": "keras", "np": "numpy", "numpy": "numpy", "random": "random", "tensorflow": "tensorflow", "tf": "tensorflow"}
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)


@dataclass(frozen=True, slots=True)
class CellNames:
    """What a cell has to do with names.

    Attributes:
        takes: those that it reads and has not bound before.
        later: those of them that its functions read, whenever they are called.
        binds: those that it binds for sure, so that nothing is left of what they stood for.
        touches: those that it may bind, or whose value it visibly changes.
    """

    takes: frozenset[str]
    later: frozenset[str]
    binds: frozenset[str]
    touches: frozenset[str]


def cell_names(python: str) -> CellNames:
    """Return what a cell's Python has to do with names.

    Changes are seen in assignments to parts (`x[0] = …`, `layer.trainable = …`), in calls of methods that change by their
    name (`names.append`, `scaler.fit`, `rng.normal`), in calls whose value nobody takes, and, of a loop's variable, for what
    is looped over.

    Raises:
        SyntaxError: it is not Python.
    """
    tree = ast.parse(python)
    sure, perhaps = names_bound(tree.body)
    changes = _Changes()
    changes.visit(tree)
    takes = names_taken(tree.body)
    return CellNames(
        takes=frozenset(takes | changes.draws),
        later=frozenset(takes & _read_by_functions(tree)),
        binds=frozenset(sure | changes.seeds),
        touches=frozenset(perhaps | changes.touched | changes.draws),
    )


def _read_by_functions(tree: ast.AST) -> set[str]:
    inner = (node for function in ast.walk(tree) if isinstance(function, _FUNCTIONS) for node in ast.walk(function))
    return {node.id for node in inner if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)}


class _Changes(ast.NodeVisitor):
    """Collects what a module's own statements change; not what its functions would."""

    def __init__(self) -> None:
        self.touched: set[str] = set()
        self.draws: set[str] = set()
        self.seeds: set[str] = set()

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        """Leave out what a function does, which is not done yet."""

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> None:
        """Leave it out too."""

    def visit_Lambda(self, node: ast.Lambda) -> None:
        """Leave it out too."""

    def visit_Subscript(self, node: ast.Subscript) -> None:
        """Take `x[0] = …`, `del x[0]`."""
        self._assigned(node)

    def visit_Attribute(self, node: ast.Attribute) -> None:
        """Take `x.y = …`."""
        self._assigned(node)

    def visit_For(self, node: ast.For) -> None:
        """Take what is done to a loop's variable for a change of what is looped over."""
        inner = _Changes()
        for statement in node.body:
            inner.visit(statement)
        targets = {name.id for name in ast.walk(node.target) if isinstance(name, ast.Name)}
        if inner.touched & targets:
            self.touched |= {name.id for name in ast.walk(node.iter) if isinstance(name, ast.Name)}
        self.generic_visit(node)

    def visit_Expr(self, node: ast.Expr) -> None:
        """Take a call whose value nobody takes for a change of what it is called on."""
        match node.value:
            case ast.Call(func=ast.Attribute(attr=method) as called) if method not in _LOOKING:
                self.touched |= set(_root(called))
            case ast.Call(func=ast.Name(id=function), args=arguments) if function not in _LOOKING_FUNCTIONS:
                self.touched |= {name for argument in arguments for name in _root(argument)}
        self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> None:
        """Take calls that change by their name, and those of the shared random generators."""
        if isinstance(node.func, ast.Attribute) and node.func.attr in _CHANGING:
            self.touched |= set(_root(node.func))
            if node.func.attr == "shuffle":
                self.touched |= {name for argument in node.args for name in _root(argument)}
        self.touched |= {name for keyword in node.keywords if keyword.arg == "out" for name in _root(keyword.value)}
        self._look_for_random(node)
        self.generic_visit(node)

    def _assigned(self, node: ast.Subscript | ast.Attribute) -> None:
        if not isinstance(node.ctx, ast.Load):
            self.touched |= set(_root(node))
        self.generic_visit(node)

    def _look_for_random(self, node: ast.Call) -> None:
        *places, function = _dotted(node.func) or ("",)
        shared = f"numbers of {_SHARING.get(places[0])}" if places and "random" in places else ""
        if function == "train_test_split" and not any(keyword.arg == "random_state" for keyword in node.keywords):
            shared = "numbers of numpy"
        if function == "set_random_seed":
            self.seeds |= RANDOM
        elif shared in RANDOM and function in ("seed", "set_seed"):
            self.seeds.add(shared)
        elif shared in RANDOM - self.seeds and not (function in _SEEDED and node.args):
            self.draws.add(shared)


def _root(node: ast.AST) -> Iterator[str]:
    """Yield the name at the beginning of `model.layers[0].get(…)`; nothing of `Net(…).fit`, which is made there."""
    while isinstance(node, ast.Attribute | ast.Subscript | ast.Call | ast.Starred):
        if isinstance(node, ast.Call) and not isinstance(node.func, ast.Attribute):
            return
        node = node.func if isinstance(node, ast.Call) else node.value
    if isinstance(node, ast.Name):
        yield node.id


def _dotted(node: ast.AST) -> Sequence[str]:
    """Return the parts of `np.random.seed`; nothing of what is not names alone."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.insert(0, node.attr)
        node = node.value
    return [node.id, *parts] if isinstance(node, ast.Name) else []
