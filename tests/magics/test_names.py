"""Which names a cell takes from its notebook."""

from __future__ import annotations

import ast

import pytest

from jupyter_mltrain.magics.names import names_in, names_taken


@pytest.mark.parametrize(
    ("code", "taken"),
    [
        ("model = net(x)\nmodel.fit(x, y)", {"net", "x", "y"}),
        ("model.fit(x)\nmodel = 1", {"model", "x"}),
        ("import keras\nfrom keras import layers as l\nkeras.Input(l)", set()),
        ("def f(x, *, y=z):\n    return x + y + w\nf(1)", {"z", "w"}),
        ("class Net(Base):\n    width = size\n    def call(self, x):\n        return helper(x)", {"Base", "size", "helper"}),
        ("widths = [hp.Int(n, 1, top) for n in names]", {"hp", "top", "names"}),
        ("if flag:\n    rate = 1\nuse(rate)", {"flag", "use", "rate"}),
        ("if flag:\n    rate = 1\nelse:\n    rate = low\nuse(rate)", {"flag", "low", "use"}),
        ("for n, (m, k) in pairs:\n    total = n + k\n    print(total)\nprint(total)", {"pairs", "print", "total"}),
        ("for rates[n] in pairs:\n    pass", {"pairs", "rates", "n"}),
        ("try:\n    import pandas\nexcept ImportError:\n    pandas = None\npandas", {"ImportError", "pandas"}),
        ("with open(path) as file:\n    text = file.read()\nprint(text)", {"open", "path", "print"}),
        ("count += 1", {"count"}),
        ("model.data = other.data", {"model", "other"}),
        ("f = lambda x: x * scale", {"scale"}),
        ("del old", set()),
    ],
)
def test_what_is_read_before_it_is_bound(code, taken):
    assert names_taken(ast.parse(code).body) == taken


def test_what_expressions_read():
    assert names_in(["x[:100], y", "[cb for cb in callbacks]", "no python"]) == {"x", "y", "callbacks"}
