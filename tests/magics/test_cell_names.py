"""What a cell does to the names of its notebook."""

from __future__ import annotations

import pytest

from jupyter_mltrain.magics.cell_names import RANDOM, cell_names


@pytest.mark.parametrize(
    ("code", "touches"),
    [
        ("x = 1\nimport a.b\nfrom c import d\ndef f(): y = 1\nclass G: z = 1", {"x", "a", "d", "f", "G"}),
        (
            "names.append(1)\nrest = queue.pop()\nx_train = scaler.fit_transform(x)",
            {"names", "rest", "queue", "x_train", "scaler"},
        ),
        ("x[0] = 1\ndel y['a'], z.b\nmodel.layers[0].trainable = False", {"x", "y", "z", "model"}),
        ("model.get_layer('a').trainable = False\nNet().build()", {"model"}),
        ("for layer in base.layers[:-4]:\n    layer.trainable = False", {"layer", "base"}),
        ("for name in names:\n    print(name)", {"name"}),
        ("normalize(x, y[0])\nprint(z)\nlen(w)", {"x", "y"}),
        ("rng.shuffle(x)\nnp.add(a, b, out=c)", {"rng", "x", "c", "np"}),
        ("model.summary()\nmodel.save('a')\nx.shape\nplt.plot(x)", set()),
        ("def f():\n    x.append(1)\ng = lambda: x.clear()", {"f", "g"}),
        ("x += 1", {"x"}),
    ],
)
def test_what_it_binds_or_changes(code, touches):
    assert cell_names(code).touches == touches


def test_what_it_binds_for_sure_and_what_only_its_functions_take():
    names = cell_names("if flag:\n    x = 1\ndef f(a, b=size):\n    return a + scale\nx = x + f(1)")
    assert names.binds == {"f", "x"}
    assert cell_names("if flag:\n    x = 1").binds == set()
    assert names.takes == {"flag", "size", "scale", "x"}
    assert {"scale"} <= names.later
    assert not {"flag", "x"} & names.later


@pytest.mark.parametrize(
    ("code", "drawn"),
    [
        ("x = np.random.rand(3)", {"numbers of numpy"}),
        ("np.random.seed(1)\nx = np.random.rand(3)", set()),
        ("x = random.choice(y)\nz = tf.random.normal([3])", {"numbers of random", "numbers of tensorflow"}),
        ("rng = np.random.default_rng(1)\nx = rng.normal()", set()),
        ("rng = np.random.default_rng()", {"numbers of numpy"}),
        ("a, b = train_test_split(x)", {"numbers of numpy"}),
        ("a, b = train_test_split(x, random_state=1)", set()),
    ],
)
def test_which_shared_random_numbers_it_draws(code, drawn):
    names = cell_names(code)
    assert names.takes & RANDOM == drawn
    assert drawn <= names.touches


def test_what_seeds():
    assert cell_names("keras.utils.set_random_seed(1)").binds == RANDOM
    assert cell_names("np.random.seed(1)").binds == {"numbers of numpy"}
